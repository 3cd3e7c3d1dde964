"""What the tests of the command line share: a word to `nae`, in the home that each names for itself."""

from collections.abc import Callable

import pytest

from execution.console.cli import run
from execution.runtime.home import Home

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(home: Home, capsys: pytest.CaptureFixture[str]) -> Say:
    """One command line: its exit code, standard output, standard error."""

    def command(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return command
