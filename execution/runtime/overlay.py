"""Where healing's overlays are, and what of them is in force in this process. Loading is overlay_finder.py's, which is
imported only where there is something to load."""

from pathlib import Path
from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"
in_force: dict[str, str] = {}  # module -> the patch's id
ignored: dict[str, str] = {}  # module, or "manifest" -> why


def folder_of(data: Path, scope: str) -> Path:
    """Where the patches of a scope are, in a home's data folder; agents/__init__.py knows its parent."""
    return data / "healing" / "overlay" / scope


def told() -> dict[str, Any]:
    """For the heartbeat: what is in force in this process and what is ignored. Empty when there is neither."""
    found = {"in_force": dict(in_force), "ignored": dict(ignored)}
    return {"overlay": {name: rows for name, rows in found.items() if rows}} if in_force or ignored else {}
