"""Lets a script find the project's own Python: whoever starts it with another one is moved over to .venv."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def use_project_python() -> None:
    """Start the running script anew with .venv's Python, unless it is that already."""
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.prefix).resolve() == (ROOT / ".venv").resolve():
        return
    if not python.exists():
        print("nae: no .venv yet; scripts/install.sh makes it", file=sys.stderr)
        sys.exit(69)
    os.execv(python, [str(python), *sys.argv])  # noqa: S606 - an argument list, no shell
