"""A new build on trial before any process runs it: does every module compile and import, do its packages fit, what of
it takes a full start? Runs a Python and the installer as children of a command; starts no worker.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from execution.autonomous.builds import compile_all
from execution.autonomous.launch import PASSED_ON
from execution.runtime.home import PROJECT_ROOT
from execution.vocabulary.programs import PROGRAMS

MODULES = (*sorted({program.module for program in PROGRAMS}), "agents.operation", "execution.console.cli")
IMPORTED_WITHIN_S = 60.0
INSTALLED_WITHIN_S = 900.0
LINES_SHOWN = 6
INSIDE_SUPERVISORD = (
    "agents/operation.py",
    "execution/autonomous/plug_in",
    "execution/vocabulary/programs.py",
    "supervisor",
)
IMPORT_ALL = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)"


def trial(build: Path) -> str:
    """Why this build can't run, or ''."""
    if not compile_all(build):
        return "a module doesn't compile" + _said(_run([sys.executable, "-m", "compileall", "-q", str(build)], build))
    done = _run([sys.executable, "-P", "-c", IMPORT_ALL, *MODULES], build, IMPORTED_WITHIN_S)
    return "" if done.returncode == 0 else "it can't be imported" + _said(done)


def _run(command: list[str], build: Path, within_s: float = IMPORTED_WITHIN_S) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("NAE_")}
    environment = kept | {"PYTHONPATH": str(build), "NAE_PROJECT": str(PROJECT_ROOT)}
    try:
        return subprocess.run(
            command, cwd=build, env=environment, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"not done after {within_s:g} s")


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-LINES_SHOWN:]
    return ":\n" + "\n".join(f"  {line}" for line in lines)


def packages_differ(old: Path, new: Path) -> bool:
    """Do the two builds stand on different locks?"""
    return _text(old / "requirements.lock") != _text(new / "requirements.lock")


def install(project: Path = PROJECT_ROOT) -> str:
    """Have the environment hold what the project's lock says, hashes required. Why that failed, or ''."""
    done = _run([str(project / "scripts" / "install.sh")], project, INSTALLED_WITHIN_S)
    return "" if done.returncode == 0 else "the packages can't be installed" + _said(done)


def install_again(build: Path) -> str:
    """Have the environment hold what an older build's lock says. Why that failed, or ''."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    done = _run([*command, "--only-binary", ":all:", "-r", str(build / "requirements.lock")], build, INSTALLED_WITHIN_S)
    for stamp in Path(sys.prefix).glob("installed-*"):
        stamp.unlink()  # the next start looks anew
    return "" if done.returncode == 0 else "its packages can't be installed again" + _said(done)


def stage(lock: Path, prefix: Path, python: Path, options: Sequence[str] = ()) -> str:
    """Install the whole lock into a folder of its own, laid out as an environment is: nothing that anybody runs is
    touched. Why that failed, or ''."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--ignore-installed", "--no-compile"]
    done = _run([*command, *options, "--prefix", str(prefix), "-r", str(lock)], prefix, INSTALLED_WITHIN_S)
    return "" if done.returncode == 0 else "the locked packages can't be had" + _said(done)


def takes_a_full_start(old: Path, new: Path) -> list[str]:
    """What differs of the parts that run inside supervisord, which goes on with the old ones: an upgrade never stops
    the one that watches over everything."""
    differing = []
    for part in INSIDE_SUPERVISORD:
        names = {path.relative_to(root) for root in (old, new) for path in _files(root / part)}
        differing += [str(name) for name in sorted(names) if _text(old / name) != _text(new / name)]
    return differing


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.suffix in (".py", ".conf")]
    return [path] if path.exists() else []


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
