"""Real bugs in a real operation: a scratch copy of the project, with its own source and its own Python environment,
into which faulty lines are written before the start. A file in the home switches each on and off. The project itself
has no hook for it and is never touched.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.real_operation import NAE, ROOT, START, RealOperation

COPIED = ("execution", "agents", "supervisor")
COPIED_FILES = ("setup.cfg",)
LOCK = "requirements.lock"  # an empty one: the copy's environment only shows packages, so nothing there is locked
SWITCH = ROOT / "benchmarks" / "planted_switch.py"
SWITCH_IN_COPY = "execution/runtime/planted.py"
IMPORTED = "from execution.runtime.planted import planted\n"
PLANTED = "planted"


class CannotPlant(ValueError):
    """The place where a bug is to be written isn't there, or isn't one."""


@dataclass(frozen=True)
class Bug:
    """Faulty `lines`, written before the line `before` of a file, at its indent. The line must stand there once.

    They run whenever that line is reached while the switch is on and `when` is so; nothing of them does otherwise.
    """

    name: str
    file: str
    before: str
    lines: tuple[str, ...]
    when: str = "True"

    def written_into(self, source: str) -> str:
        """`source` with the bug in it, off until its switch is there. Raises CannotPlant."""
        found = [line for line in source.splitlines() if line.strip() == self.before]
        if len(found) != 1:
            raise CannotPlant(f"{self.file}: {self.before!r} stands there {len(found)} times; once would be right")
        indent = found[0].removesuffix(self.before)
        bug = [f'if {self.when} and planted("{self.name}"):', *(f"    {line}" for line in self.lines)]
        written = "".join(f"{indent}{line}\n" for line in bug)
        return source.replace(f"{found[0]}\n", f"{written}{found[0]}\n")


def _with_switch(source: str) -> str:
    """The switch imported, behind the imports that are there."""
    lines = source.splitlines(keepends=True)
    imports = [number for number, line in enumerate(lines) if line.startswith(("import ", "from "))]
    return "".join([*lines[: imports[0]], IMPORTED, *lines[imports[0] :]])


def plant(project: Path, bugs: Iterable[Bug]) -> None:
    """Write the bugs into a scratch copy. Raises CannotPlant."""
    if project.resolve() == ROOT:
        raise CannotPlant(f"{project} is the project itself; a scratch copy of it would be right")
    shutil.copy2(SWITCH, project / SWITCH_IN_COPY)
    for bug in bugs:
        path = project / bug.file
        source = bug.written_into(path.read_text())
        path.write_text(source if IMPORTED in source else _with_switch(source))


def copy_project(to: Path) -> Path:
    """A scratch copy of what runs, with a Python environment of its own that shows the packages of this one."""
    for name in COPIED:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in COPIED_FILES:
        shutil.copy2(ROOT / name, to / name)
    (to / LOCK).touch()
    venv.EnvBuilder(symlinks=True, with_pip=False).create(to / ".venv")
    own = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    packages = sysconfig.get_paths()["purelib"]
    (to / ".venv" / own / "packages_shown.pth").write_text(f"{packages}\n")
    return to


class ScratchOperation(RealOperation):
    """A whole operation that runs a scratch copy with bugs in it, in a home of its own."""

    def __init__(self, config: str, bugs: Iterable[Bug], *, folder: Path | None = None, **environment: str) -> None:
        super().__init__(config, folder=folder, **environment)
        self.project = copy_project(self.root / "project")
        plant(self.project, bugs)
        self._switches = self.root / PLANTED
        self._switches.mkdir()
        self._command = (str(self.project / ".venv" / "bin" / "python"), "-m", "execution.console.cli")

    def call(self, *words: str | Path, within_s: float = 120.0) -> "subprocess.CompletedProcess[str]":
        """A command, by the scratch copy's own command line."""
        told = [str(word) for word in words]
        ours = {str(START): [*self._command, "up"], str(NAE): [*self._command]}
        told = [*ours.get(told[0], told[:1]), *told[1:]]
        return subprocess.run(
            told,
            cwd=self.project,
            env={**self._environment, "PYTHONPATH": str(self.project)},
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def switch_on(self, bug: str, *processes: str) -> None:
        """From now on the bug bites in these processes."""
        switch = self._switches / f"{bug}.on"
        beginning = switch.with_suffix(".new")
        beginning.write_text(" ".join(processes))
        beginning.replace(switch)

    def switch_off(self, bug: str) -> None:
        """It bites no more."""
        (self._switches / f"{bug}.on").unlink(missing_ok=True)

    def bitten(self, bug: str) -> list[int]:
        """When it bit: wall-clock milliseconds, oldest first."""
        try:
            return [int(line.split()[0]) for line in (self._switches / f"{bug}.seen").read_text().splitlines()]
        except FileNotFoundError:
            return []
