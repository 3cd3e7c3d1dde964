"""Kin of a process, asked about real ones: identity is id and start, never the id alone."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from execution.autonomous.family import Family, Orphans
from tests.support import child, eventually, line_of

WAITING = "import sys; print('up', flush=True); sys.stdin.read()"
GONE = 2**22 + 1  # over the largest pid there can be


def test_a_process_that_is_gone_has_no_family() -> None:
    assert Family(GONE).living() == []
    assert Family(GONE).kill() == ()


def test_a_killed_process_that_nobody_has_reaped_isnt_alive() -> None:
    with child(WAITING) as process:
        assert line_of(process) == "up"
        family = Family(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not family.living())


def test_children_of_children_are_family_also_after_their_parent_has_gone() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], stdin=sys.stdin)"
    with child(code, WAITING) as process:
        assert line_of(process) == "up"
        family = Family(process.pid)
        grandchild = next(pid for pid in family.living() if pid != process.pid)
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: process.pid not in family.living())
        family.look()
        assert family.kill() in ((grandchild,), ())  # it may have ended with its standard input
        eventually(lambda: not family.living())


def test_whoever_has_the_id_of_a_dead_member_is_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    with child(WAITING) as process:
        assert line_of(process) == "up"
        family = Family(process.pid)
        monkeypatch.setattr(
            psutil.Process, "is_running", lambda self: False
        )  # psutil's word for "that id is another's"
        assert family.living() == []
        assert family.kill() == ()
        assert process.poll() is None


def test_orphans_of_a_home_are_known_by_what_supervisord_gave_them_and_nobody_else_is(tmp_path: Path) -> None:
    ours = {"NAE_HOME": str(tmp_path), "NAE_RUN": str(tmp_path / "run"), "SUPERVISOR_ENABLED": "1"}
    theirs = {name: value for name, value in ours.items() if name != "NAE_RUN"}
    with (
        child(WAITING, **ours) as worker,
        child(WAITING, NAE_HOME=str(tmp_path)) as started_by_hand,
        child(WAITING, **ours | {"NAE_HOME": f"{tmp_path}-2"}) as of_another_home,
        child(WAITING, **theirs) as under_a_supervisord_of_the_users,
    ):
        everybody = (worker, started_by_hand, of_another_home, under_a_supervisord_of_the_users)
        assert [line_of(process) for process in everybody] == ["up"] * 4
        worker.send_signal(signal.SIGSTOP)  # one that hangs is found all the same
        orphans = Orphans(tmp_path)
        assert orphans.living() == [worker.pid]
        assert orphans.kill() == (worker.pid,)
        eventually(lambda: not orphans.living())
        assert [process.poll() for process in everybody[1:]] == [None] * 3
