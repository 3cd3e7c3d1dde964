"""What the machine says of processes, asked about real ones."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from execution.autonomous.vitals import (
    Family,
    command_line,
    disk_free_bytes,
    sample_process,
    sample_system,
    system_resources,
)
from tests.support import child, eventually, line_of

WAITING = "import sys; print('up', flush=True); sys.stdin.read()"
GONE = 2**22 + 1  # over the largest pid there can be


def test_a_living_process_is_sampled_in_full() -> None:
    vitals = sample_process(os.getpid())
    assert vitals is not None
    assert vitals.pid == os.getpid()
    assert vitals.cpu_s > 0
    assert vitals.rss_bytes > 2**20
    assert vitals.descriptors is None or vitals.descriptors > 2


def test_a_process_that_is_gone_has_no_vitals_no_words_and_no_children() -> None:
    assert sample_process(GONE) is None
    assert command_line(GONE) == ""
    assert Family(GONE).living() == []
    assert Family(GONE).kill() == ()


def test_a_process_stopped_by_a_signal_is_seen_as_such() -> None:
    with child(WAITING) as process:
        assert line_of(process) == "up"
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: (vitals := sample_process(process.pid)) is not None and vitals.status == "stopped")
        assert process.pid in Family(process.pid).living()


def test_a_killed_process_that_nobody_has_reaped_isnt_alive() -> None:
    with child(WAITING) as process:
        assert line_of(process) == "up"
        assert sys.executable in command_line(process.pid) or "python" in command_line(process.pid)
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


def test_the_machine_is_sampled_within_its_bounds(tmp_path: Path) -> None:
    vitals = sample_system(tmp_path)
    assert 0 <= vitals.memory_available_share <= 1
    assert 0 <= vitals.disk_free_share <= 1
    assert vitals.load_per_core >= 0
    assert disk_free_bytes(tmp_path) > 0
    words = system_resources(vitals)
    assert set(words) >= {"cpu_percent", "memory_available_mib", "disk_free_mib", "load_per_core"}
