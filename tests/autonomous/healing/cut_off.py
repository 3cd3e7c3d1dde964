"""A healer that is killed at a step: a process of its own, for the test beside it. Arguments: home, step."""

import os
import signal
import sys
from pathlib import Path

from execution.runtime import steps
from tests.autonomous.healing.toys import Scene, Switch


def end_at(step: str) -> None:
    """kill -9 of ourselves, the moment it is reached."""
    steps.listen(lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == step else None)


def main(root: str, step: str) -> None:
    scene = Scene(Path(root), Switch("first"), Switch("second"))
    end_at(step)
    scene.occurs()
    scene.look()
    scene.occurs()
    scene.look(seconds=5)  # it came again: what was done is put back
    print("not reached")


if __name__ == "__main__":
    main(*sys.argv[1:])
