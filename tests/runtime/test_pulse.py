"""A pulse: written by one process, read by another, never mistaken for that of a former life."""

import os
from pathlib import Path

from execution.runtime.clock import ManualClock
from execution.runtime.pulse import SHAPE, LastPulse, Pulse, PulseReader
from tests.support import child, line_of, read_pulse


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    clock = ManualClock()
    pulse = Pulse(tmp_path / "p", clock)
    assert read_pulse(tmp_path / "p") is None, "made, but not turning yet"
    pulse.beat()
    clock.advance(2.5)
    pulse.beat()
    assert read_pulse(tmp_path / "p") == LastPulse(os.getpid(), clock.monotonic())


def test_a_process_that_is_ending_has_no_pulse_to_wait_for(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "p", ManualClock())
    pulse.beat()
    pulse.end()
    assert read_pulse(tmp_path / "p") is None


def test_where_there_is_no_file_or_half_a_file_there_is_no_pulse(tmp_path: Path) -> None:
    assert read_pulse(tmp_path / "none") is None
    (tmp_path / "half").write_bytes(b"\x01" * (SHAPE.size - 1))
    assert read_pulse(tmp_path / "half") is None


def test_a_new_life_writes_its_own_id_into_the_same_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from execution.runtime.clock import SystemClock;"
        "from execution.runtime.pulse import Pulse; p = Pulse(Path(sys.argv[1]), SystemClock()); p.beat();"
        "print('up', flush=True); sys.stdin.read()"
    )
    Pulse(tmp_path / "p", ManualClock()).beat()
    with child(code, str(tmp_path / "p")) as process:
        assert line_of(process) == "up"
        pulse = read_pulse(tmp_path / "p")
        assert pulse is not None and pulse.pid == process.pid


def test_a_reader_keeps_its_file_until_it_is_told_to_look_anew(tmp_path: Path) -> None:
    path, clock = tmp_path / "p", ManualClock()
    reader = PulseReader(path)
    assert reader.read() is None, "nothing is there yet"
    Pulse(path, clock).beat()
    first = reader.read()
    assert first == LastPulse(os.getpid(), clock.monotonic())
    path.unlink()
    clock.advance(3.0)
    Pulse(path, clock).beat()
    assert reader.read() == first, "the file it has open"
    reader.anew()
    assert reader.read() == LastPulse(os.getpid(), clock.monotonic())
    reader.anew()
