"""Which code the processes of a home run: the root that its patches are made for."""

from pathlib import Path

from execution.autonomous.builds import Builds
from execution.runtime.home import CODE_ROOT, Home


def root_of(home: Home) -> Path:
    """The current build's folder; without builds, the code that we ourselves run."""
    build = Builds(home).current()
    return CODE_ROOT if build is None else Builds(home).path(build)
