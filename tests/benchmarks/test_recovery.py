"""The recovery benchmark's parts: a payload is what it says, a race counts every round, a picture is a picture."""

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.crash_recovery import FLOOR, contenders, race
from benchmarks.fault_kinds import KILLED, ORPHANED, outages
from benchmarks.idle_cost import SLEEPERS, asleep
from benchmarks.payload import SHELL, Payload, compiled, interpreted
from benchmarks.picture import Bar, chart
from benchmarks.spread import Spread
from benchmarks.supervisors import NAE, PLAIN, SUPERVISORS, finder
from tests.support import eventually, is_running


def shell(folder: Path) -> Payload:
    program = folder / "payload.sh"
    program.write_text(SHELL)
    program.chmod(0o755)
    return Payload("shell", program)


@pytest.mark.parametrize("make", [compiled, interpreted, shell])
def test_a_payload_writes_its_pid_first_and_then_stays(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    child = subprocess.Popen([make(tmp_path).program], env={**os.environ, "PAYLOAD_PIPE": str(pipe)})
    try:
        assert int(os.read(reader, 64)) == child.pid
        assert child.poll() is None
    finally:
        os.close(reader)
        child.kill()
        child.wait()


def test_a_race_has_a_time_for_every_round_of_everybody_and_leaves_nothing(tmp_path: Path) -> None:
    ours = [one for one in SUPERVISORS if one.name == NAE]
    entrants, missing = contenders(ours, compiled(tmp_path), tmp_path / "race", finder(None))
    race(entrants, 2, lambda text: None)
    assert [one.name for one in entrants] == [FLOOR, NAE] and missing == []
    assert all(len(one.times_ms) == 2 and min(one.times_ms) > 0 for one in entrants)
    assert max(entrants[1].times_ms) < 900, "the plug-in doesn't wake supervisord: that is its own one-second look"
    eventually(lambda: not any(is_running(one.pid) for one in entrants))


def test_who_isn_t_installed_is_named_and_who_is_in_the_folder_of_peers_is_found(tmp_path: Path) -> None:
    payload = compiled(tmp_path)
    entrants, missing = contenders(SUPERVISORS, payload, tmp_path / "race", lambda name: None)
    assert [one.name for one in entrants] == [FLOOR, NAE, PLAIN] and "runit" in missing
    (tmp_path / "peers" / "sbin").mkdir(parents=True)
    shutil.copy2(payload.program, tmp_path / "peers" / "sbin" / "runsv")
    assert finder(tmp_path / "peers", {"PATH": ""})("runsv") == str(tmp_path / "peers" / "sbin" / "runsv")
    assert finder(tmp_path / "peers", {"PATH": ""})("s6-supervise") is None


def test_what_happens_to_a_worker_under_another_supervisor_is_measured_and_nobody_is_left(tmp_path: Path) -> None:
    ways = compiled(tmp_path), tmp_path / "faults", lambda name: None, lambda text: None
    (killed,) = outages(*ways, kinds=[KILLED])
    assert (killed.supervisor, killed.kind) == (PLAIN, KILLED) and killed.back_ms is not None
    (orphaned,) = outages(*ways, kinds=[ORPHANED], given_up_s=1.0)
    assert orphaned.back_ms is None, "nobody is left who could bring it back"
    eventually(lambda: not any(str(tmp_path) in " ".join(words) for words in command_lines()))


def test_sleepers_sleep_under_whoever_is_installed_and_end_with_it(tmp_path: Path) -> None:
    with asleep(tmp_path, lambda name: None, lambda text: None) as groups:
        (made_of,) = groups.values()
        assert list(groups) == [f"{PLAIN}, {SLEEPERS} sleepers"] and len(made_of) == 1
        eventually(lambda: len(made_of[0].children()) == SLEEPERS)
        sleepers = [child.pid for child in made_of[0].children()]
    eventually(lambda: not any(map(is_running, sleepers)))


def command_lines() -> list[list[str]]:
    return [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(0.01, 1e5), st.floats(1, 10)), min_size=1, max_size=9))
def test_a_chart_is_well_formed_and_longer_bars_are_slower(values: list[tuple[str, float, float]]) -> None:
    printable = [("".join(filter(str.isprintable, name)), median, more) for name, median, more in values]
    bars = [Bar(name, median, median * more) for name, median, more in printable]
    drawn = ElementTree.fromstring(chart("a <title>", "ms", bars))
    lengths = [float(one.attrib["width"]) for one in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert len(lengths) == len(bars)
    for (_, slow, _), length in zip(values, lengths, strict=True):
        assert all(length >= other for (_, quick, _), other in zip(values, lengths, strict=True) if quick <= slow)


def test_a_spread_of_nothing_is_nothing_and_of_a_hundred_has_its_p99() -> None:
    assert Spread.of([]) is None
    assert Spread.of(range(1, 101)) == Spread(50.5, 100, 100, 100)
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0, 1)
