"""What the machine says of processes, asked about real ones."""

import os
import signal
from pathlib import Path

from execution.autonomous.vitals import (
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


def test_a_process_that_is_gone_has_no_vitals_and_no_words() -> None:
    assert sample_process(GONE) is None
    assert command_line(GONE) == ""


def test_a_process_stopped_by_a_signal_is_seen_as_such() -> None:
    with child(WAITING) as process:
        assert line_of(process) == "up"
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: (vitals := sample_process(process.pid)) is not None and vitals.status == "stopped")


def test_the_machine_is_sampled_within_its_bounds(tmp_path: Path) -> None:
    vitals = sample_system(tmp_path)
    assert 0 <= vitals.memory_available_share <= 1
    assert 0 <= vitals.disk_free_share <= 1
    assert vitals.load_per_core >= 0
    assert disk_free_bytes(tmp_path) > 0
    words = system_resources(vitals)
    assert set(words) >= {"cpu_percent", "memory_available_mib", "disk_free_mib", "load_per_core"}
