"""Both branches of what Linux and macOS do differently. That the death signal comes is shown in test_guard.py."""

import signal
from pathlib import Path

from execution.runtime.platform import ask_for_death_signal, sqlite_pragmas, user_state_folder


def test_macos_is_told_to_reach_the_platter_and_linux_needs_no_telling() -> None:
    assert sqlite_pragmas("darwin") == ("PRAGMA fullfsync=1", "PRAGMA checkpoint_fullfsync=1")
    assert sqlite_pragmas("linux") == ()


def test_where_there_is_no_death_signal_none_is_asked_for() -> None:
    assert ask_for_death_signal(signal.SIGUSR1, "darwin") is False


def test_a_users_state_is_where_each_system_keeps_it_unless_the_user_says_otherwise() -> None:
    home = Path("/home/me")
    assert user_state_folder({}, home, "linux") == Path("/home/me/.local/state")
    assert user_state_folder({}, home, "darwin") == Path("/home/me/Library/Application Support")
    for platform in ("linux", "darwin"):
        assert user_state_folder({"XDG_STATE_HOME": "/state"}, home, platform) == Path("/state")
        assert user_state_folder({"XDG_STATE_HOME": "state"}, home, platform) == user_state_folder({}, home, platform)
