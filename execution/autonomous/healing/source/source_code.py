"""The code that the processes of a home run: where it is, and how a change of it is shown."""

import difflib
from pathlib import Path

from execution.autonomous.builds import Builds
from execution.runtime.home import CODE_ROOT, Home


def root_of(home: Home) -> Path:
    """The current build's folder; without builds, the code that we ourselves run."""
    build = Builds(home).current()
    return CODE_ROOT if build is None else Builds(home).path(build)


def diff(path: str, before: str, after: str) -> str:
    """A change of one file, as people read it."""
    rows = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}", n=1
    )
    return "".join(rows).rstrip("\n")
