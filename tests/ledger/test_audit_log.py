"""The trail tells everything that was recorded, in one chain, and any change to it is found."""

import json
import math
import os
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.ledger.audit_check import files, head_file, verify
from execution.ledger.audit_log import AuditLogger, config_hash, plain, recent
from execution.runtime.clock import ManualClock
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.vocabulary.health import ComponentStatus
from execution.vocabulary.market import Quote


def open_trail(folder: Path, max_bytes: int = 50_000) -> AuditLogger:
    return AuditLogger(folder / "trail.jsonl", ManualClock(), "sandbox_optimus", max_bytes)


def test_the_chain_goes_on_after_a_restart_and_across_full_files(tmp_path: Path) -> None:
    for _ in range(5):
        trail = open_trail(tmp_path, max_bytes=3_000)
        for number in range(10):
            trail.record("cycle", number=number)
        trail.close()
    assert len(files(trail.path)) > 2
    assert verify(trail.path) is None
    numbers = [entry["seq"] for entry in recent(trail.path, 1000)]
    assert numbers == list(range(numbers[0], 51))


def test_full_files_are_dropped_oldest_first_and_the_rest_still_verifies(tmp_path: Path) -> None:
    trail = open_trail(tmp_path, max_bytes=1_000)
    for number in range(100):
        trail.record("cycle", number=number)
    assert len(files(trail.path)) == 6
    assert verify(trail.path) is None
    assert sum(file.stat().st_size for file in files(trail.path)) <= 6_000


def test_decimals_structs_and_correlation_are_written_as_plain_json(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    quote = Quote("BTC/USDT", Decimal("1E-8"), Decimal("2.50"), 1.5)
    trail.record("decision", correlation="sandbox-1-7", price=Decimal("1E+3"), quote=quote)
    (entry,) = recent(trail.path, 1)
    assert entry["price"] == "1000"
    assert entry["quote"] == {"symbol": "BTC/USDT", "bid": "0.00000001", "ask": "2.5", "received": 1.5}
    assert entry["correlation"] == "sandbox-1-7"
    assert entry["process"] == "sandbox_optimus"


@pytest.mark.parametrize("bad", [math.nan, math.inf, Decimal("NaN"), {"a": [math.nan]}, object()])
def test_what_is_no_finite_number_or_no_json_is_refused_naming_the_place(tmp_path: Path, bad: Any) -> None:
    trail = open_trail(tmp_path)
    with pytest.raises(ValueError, match="equity"):
        trail.record("cycle", equity=bad)
    trail.record("cycle")
    assert verify(trail.path) is None


def test_a_line_torn_by_a_kill_is_kept_and_marked(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    trail.record("cycle", number=1)
    trail.close()
    with trail.path.open("ab") as file:
        file.write(b'{"seq":2,"kind":"cy')
    assert verify(trail.path) is None  # it may be one that is being written
    again = open_trail(tmp_path)
    again.record("cycle", number=2)
    assert [entry["kind"] for entry in recent(trail.path, 9)] == ["cycle", "torn_line", "cycle"]
    assert verify(trail.path) is None


def test_a_torn_line_that_nobody_marked_is_a_problem(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    for number in range(3):
        trail.record("cycle", number=number)
    lines = trail.path.read_bytes().splitlines(keepends=True)
    trail.path.write_bytes(lines[0] + lines[1][:20] + b"\n" + lines[2])
    assert "nothing says why" in (verify(trail.path) or "")


def test_two_lines_run_together_at_the_end_are_a_problem(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    for number in range(3):
        trail.record("cycle", number=number)
    lines = trail.path.read_bytes().splitlines(keepends=True)
    trail.path.write_bytes(lines[0] + lines[1][:-1] + b" " + lines[2])
    assert "nothing says why" in (verify(trail.path) or "")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_changed_byte_of_any_file_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    trail = open_trail(tmp_path_factory.mktemp("trail"), max_bytes=700)
    for number in range(8):
        trail.record("cycle", number=number)
    trail.close()
    file = data.draw(st.sampled_from(files(trail.path)))
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    problem = verify(trail.path)
    assert problem is not None and str(trail.path.parent) in problem, "names the place"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 2_000))
def test_an_end_that_was_cut_off_is_found_and_said_by_the_next_writer(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    trail = open_trail(tmp_path_factory.mktemp("trail"))
    for number in range(8):
        trail.record("cycle", number=number)
    trail.close()
    content = trail.path.read_bytes()
    trail.path.write_bytes(content[: -min(cut, len(content))])
    assert "had been written" in (verify(trail.path) or "") or "nothing says why" in (verify(trail.path) or "")
    again = open_trail(trail.path.parent)
    again.record("cycle", number=9)
    again.close()
    assert "had been written" in (verify(trail.path) or "")


def test_a_line_that_lost_only_its_end_is_still_a_line(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    trail.record("cycle", number=1)
    trail.close()
    trail.path.write_bytes(trail.path.read_bytes()[:-1])
    again = open_trail(tmp_path)
    again.record("cycle", number=2)
    assert [entry["kind"] for entry in recent(trail.path, 9)] == ["cycle", "torn_line", "cycle"]
    assert verify(trail.path) is None


def test_a_trail_begun_anew_from_an_older_copy_is_found(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    for number in range(3):
        trail.record("cycle", number=number)
    copy = trail.path.read_bytes()
    trail.record("cycle", number=3)
    trail.close()
    head = head_file(trail.path).read_bytes()
    trail.path.write_bytes(copy)
    head_file(trail.path).unlink()
    other = open_trail(tmp_path)
    other.record("cycle", number=30)
    other.close()
    head_file(trail.path).write_bytes(head)
    assert "isn't the one that was written" in (verify(trail.path) or "")


def test_a_trail_may_be_checked_while_it_is_written_and_rotated(tmp_path: Path) -> None:
    trail = open_trail(tmp_path, max_bytes=20_000)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            trail.record("cycle", number=1)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert [verify(trail.path) for _ in range(30)] == [None] * 30
    finally:
        over.set()
        writing.join()


def test_a_removed_line_is_found(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    for number in range(3):
        trail.record("cycle", number=number)
    lines = trail.path.read_bytes().splitlines(keepends=True)
    trail.path.write_bytes(lines[0] + lines[2])
    assert "doesn't follow" in (verify(trail.path) or "")


def test_recent_cycles_are_the_last_ones_oldest_first_across_files(tmp_path: Path) -> None:
    trail = open_trail(tmp_path, max_bytes=2_000)
    for number in range(30):
        trail.record("cycle", number=number)
        trail.record("order", number=number)
    assert [entry["number"] for entry in trail.get_recent_cycles(12)] == list(range(18, 30))


def test_a_refusing_disk_costs_lines_but_never_the_callers_work(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    trail.record("cycle", number=1)
    trail.close()  # every write now fails
    trail.record("cycle", number=2)
    assert trail.get_health().status is ComponentStatus.DEGRADED
    assert trail.get_health().error_count == 1
    assert verify(trail.path) is None


def test_lines_that_a_refusing_disk_has_cost_are_said_by_the_next_that_gets_through(tmp_path: Path) -> None:
    trail = open_trail(tmp_path)
    trail.record("cycle", number=1)
    whole, trail._descriptor = trail._descriptor, os.open(trail.path, os.O_RDONLY)  # it refuses every write
    for number in range(3):
        trail.record("cycle", number=number)
    os.close(trail._descriptor)
    trail._descriptor = whole
    trail.record("cycle", number=2)
    told = recent(trail.path, 2)
    assert (told[0]["kind"], told[0]["lines"], told[1]["number"]) == ("lost_lines", 3, 2)
    assert verify(trail.path) is None


def test_every_line_names_its_cause_and_the_settings_it_was_written_under(tmp_path: Path) -> None:
    one, same, other = config_hash(TradingConfig()), config_hash(TradingConfig()), config_hash(RiskConfig())
    assert one == same != other
    trail = AuditLogger(tmp_path / "trail.jsonl", ManualClock(), "sandbox_optimus", config=one)
    trail.record("decision", "sandbox-1-7", "c1", quantity=Decimal("0.1"))
    (entry,) = recent(trail.path, 1)
    assert (entry["correlation"], entry["cause"], entry["config"]) == ("sandbox-1-7", "c1", one)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_plain_values_stay_what_they_are(value: Any) -> None:
    assert json.loads(json.dumps(plain(value, "x"))) == value
