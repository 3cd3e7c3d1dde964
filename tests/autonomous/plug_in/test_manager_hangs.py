"""supervisord and its manager, really: one that falls silent is killed and comes back, one that sleeps with the machine
isn't."""

import os
import signal

import pytest

from execution.vocabulary.limits import EXITS_MAX
from tests.autonomous.plug_in.running import STEADY, supervisord
from tests.support import eventually

SETTINGS = "manager=boss\nmanager_silent_s=2\n"  # its first word: within 4 s


def test_a_manager_that_falls_silent_is_killed_and_comes_back_and_no_one_else_is_touched() -> None:
    with supervisord({"boss": STEADY, "worker": STEADY}, SETTINGS) as running:
        boss, worker = running.pid("boss"), running.pid()
        running.door.hold_back([])
        os.kill(boss, signal.SIGSTOP)
        successor = running.another("boss", than=boss, within_s=8)
        assert f"boss ({boss}) hangs" in running.log()
        for _ in range(40):  # it calls in time: longer than it might be silent, it lives
            running.door.hold_back([])
            with pytest.raises(AssertionError):
                eventually(lambda: running.pid("boss") != successor, within_s=0.1)
        assert running.pid() == worker


def test_a_supervisord_that_was_stopped_itself_kills_nobody_for_it() -> None:
    with supervisord({"boss": STEADY}, SETTINGS) as running:
        eventually(lambda: running.program("boss").state == "RUNNING")
        boss = running.pid("boss")
        running.door.hold_back([])
        running.process.send_signal(signal.SIGSTOP)
        with pytest.raises(AssertionError):
            eventually(lambda: False, within_s=3)
        running.process.send_signal(signal.SIGCONT)
        running.door.hold_back([])
        assert running.pid("boss") == boss
        assert "hangs" not in running.log()


def test_a_manager_is_never_held_but_bounded_like_any_other() -> None:
    with supervisord({"boss": STEADY}, SETTINGS) as running:
        running.door.hold_back(["boss"])
        for exits in range(EXITS_MAX):
            pid = eventually(lambda: running.pid("boss"), within_s=0.5)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda exits=exits: running.exits("boss") == exits + 1)  # type: ignore[misc]
        running.door.hold_back([])
        assert running.door.plug_in().held == ("boss",)
