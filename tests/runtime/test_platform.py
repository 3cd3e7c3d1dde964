"""Both branches of what Linux and macOS do differently. That the death signal comes is shown in test_guard.py."""

import signal

from execution.runtime.platform import ask_for_death_signal, sqlite_pragmas


def test_macos_is_told_to_reach_the_platter_and_linux_needs_no_telling() -> None:
    assert sqlite_pragmas("darwin") == ("PRAGMA fullfsync=1", "PRAGMA checkpoint_fullfsync=1")
    assert sqlite_pragmas("linux") == ()


def test_where_there_is_no_death_signal_none_is_asked_for() -> None:
    assert ask_for_death_signal(signal.SIGUSR1, "darwin") is False
