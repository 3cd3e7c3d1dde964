"""Both branches of what Linux and macOS do differently. That the death signal comes is shown in test_guard.py."""

import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from execution.runtime.platform import (
    ask_for_death_signal,
    count_of_user,
    memory_limit,
    sqlite_pragmas,
    user_state_folder,
    wants_core,
)
from tests.support import child, eventually, line_of


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


def test_only_linux_bounds_the_data_of_a_process() -> None:
    assert memory_limit("linux") == resource.RLIMIT_DATA
    assert memory_limit("darwin") is None


def test_a_thread_that_computes_wants_a_core_and_one_that_waits_doesnt() -> None:
    with child("print('up', flush=True)\nwhile True: pass") as busy, child("import sys; sys.stdin.read()") as idle:
        assert line_of(busy) == "up"
        assert wants_core(busy.pid, "linux") is (sys.platform == "linux")
        eventually(lambda: not wants_core(idle.pid))
        assert wants_core(busy.pid, "darwin") is False


@pytest.mark.skipif(sys.platform != "linux", reason="the threads of a user are counted where the kernel counts them")
def test_what_a_user_has_is_counted_with_its_threads() -> None:
    with child(
        "import threading as t; [t.Thread(target=t.Event().wait).start() for _ in range(5)]; print('up', flush=True)"
    ):
        eventually(lambda: (count_of_user(os.getuid()) or 0) >= 6 + 1)
    assert count_of_user(54_321_000) == 0
    if sys.platform == "linux":
        assert count_of_user(os.getuid(), "darwin") is None, "libproc is Apple's"
