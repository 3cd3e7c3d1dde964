"""Immutable copies of the code, one folder per build id, in the home's data/builds. Processes run from the link
`current` there, so that an edit of the project's files under a running operation changes nothing.

Copies, checks, turns the link, prunes. Which build is to run, and when, is decided elsewhere (upgrade_plan.py).
"""

import compileall
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from execution.runtime.build import CONFIGURATION, ROOMS, build_id
from execution.runtime.files import sync_folder, write_atomically
from execution.runtime.home import CODE_ROOT, Home
from execution.vocabulary.exit_codes import BusyError

COPIED_FOLDERS = (*ROOMS, CONFIGURATION)
COPIED_FILES = ("requirements.lock", "setup.cfg")
UNFINISHED = ".new-"
TRIES = 3
KEPT_BESIDE_CURRENT = 2


@dataclass(frozen=True)
class Journey:
    """The last move from one build to another, finished or cut off. It stands in upgrade.json."""

    before: str
    target: str
    finished: bool


class Builds:
    """The builds of one home."""

    def __init__(self, home: Home) -> None:
        self.folder = home.builds
        self.current_link = home.builds / "current"

    def path(self, build: str) -> Path:
        """The folder of a build."""
        return self.folder / build

    def current(self) -> str | None:
        """The build that the next process to start will run, or None when there is none yet."""
        try:
            return self.current_link.readlink().name
        except OSError:
            return None

    def holds(self, build: str) -> bool:
        """Is it here, whole and unchanged?"""
        return self.path(build).is_dir() and build_id(self.path(build)) == build

    def snapshot(self, source: Path = CODE_ROOT) -> str:
        """Copy the code of `source`, unless it is here already; its id.

        Raises BusyError when the code changes under the copying, OSError when the disk refuses.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(TRIES):
            build = build_id(source)
            if self.holds(build) or self._copy(source, build):
                return build
        raise BusyError(f"the code in {source} is being changed while it is copied; start again when that is done")

    def _copy(self, source: Path, build: str) -> bool:
        """Copy, check, compile, rename: a build is there whole or not at all. False when it isn't what was asked."""
        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{UNFINISHED}{os.getpid()}-"))
        try:
            for name in COPIED_FOLDERS:
                shutil.copytree(source / name, temporary / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            for name in COPIED_FILES:
                if (source / name).exists():
                    shutil.copy2(source / name, temporary / name)
            if build_id(temporary) != build:
                return False
            compile_all(temporary)
            return self._take_in(temporary, build)
        except FileNotFoundError:
            return False  # a file went away between the list and the copy
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _take_in(self, temporary: Path, build: str) -> bool:
        target = self.path(build)
        if target.exists() and not self.holds(build):
            shutil.rmtree(target)  # cut off by a crash of the machine, or edited: no build any more
        try:
            temporary.rename(target)
        except OSError:
            if not self.holds(build):  # else another start was quicker with the same code
                raise
        sync_folder(self.folder)
        return True

    def turn_to(self, build: str) -> None:
        """Have every process that starts from now on run `build`. Atomic: the link is always there and whole."""
        link = self.folder / f"{UNFINISHED}{os.getpid()}-link"
        link.unlink(missing_ok=True)
        link.symlink_to(build)
        link.replace(self.current_link)
        sync_folder(self.folder)
        os.utime(self.path(build))  # how recent it is, for prune()

    def begin(self, build: str) -> None:
        """A start with nothing running: all of it will run `build`, whatever was under way."""
        before = self.current()
        self.turn_to(build)
        journey = self.journey()
        if before is not None and before != build:
            self.write_journey(Journey(before, build, finished=True))
        elif journey is not None and not journey.finished:
            self.write_journey(Journey(journey.before, build, finished=True))

    def journey(self) -> Journey | None:
        """The last move, or None when there was none or its record can't be read."""
        try:
            found = json.loads((self.folder / "upgrade.json").read_text())
            return Journey(str(found["before"]), str(found["target"]), found["finished"] is True)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write_journey(self, journey: Journey) -> None:
        """Durable before anything follows from it."""
        write_atomically(self.folder / "upgrade.json", json.dumps(asdict(journey)) + "\n")

    def prune(self, in_use: set[str], is_alive: Callable[[int], bool]) -> list[str]:
        """Remove old builds and what a killed copying left; the ids removed. Never the current one, the two most
        recent beside it, or one of `in_use`."""
        kept = {self.current(), *in_use}
        others = [path for path in self.folder.iterdir() if path.is_dir() and not path.is_symlink()]
        for path in [path for path in others if path.name.startswith(UNFINISHED)]:
            copier = path.name.removeprefix(UNFINISHED).partition("-")[0]
            if copier.isdecimal() and not is_alive(int(copier)):
                shutil.rmtree(path)
        old = [path for path in others if path.name not in kept and not path.name.startswith(".")]
        old.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in old[KEPT_BESIDE_CURRENT:]:
            shutil.rmtree(path)
        return [path.name for path in old[KEPT_BESIDE_CURRENT:]]


def compile_all(root: Path) -> bool:
    """Compile every module once, for all processes; did all compile? What is compiled no longer asks its source."""
    mode = PycInvalidationMode.UNCHECKED_HASH
    done = [compileall.compile_dir(root / room, quiet=2, invalidation_mode=mode) for room in ROOMS]
    return all(done)


def module_command(module: str, *arguments: str) -> list[str]:
    """How a process of the operation is started: never with the folder it is in as a place to import from."""
    return [sys.executable, "-P", "-m", module, *arguments]
