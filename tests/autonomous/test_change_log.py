"""The record of what the operation changed by itself: written whole, bounded, and never in the way when it breaks."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.change_log import ChangeLog, fixes
from execution.autonomous.self_healing import SelfHealingSystem
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.issues import IssueType
from execution.vocabulary.limits import CHANGE_LOG_MAX_ENTRIES


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.find(tmp_path)
    home.logs.mkdir()
    return home


@pytest.fixture
def log(home: Home) -> ChangeLog:
    return ChangeLog(home.change_log, ManualClock())


def test_without_a_file_nothing_has_changed_and_reading_makes_none(home: Home, log: ChangeLog) -> None:
    assert log.read()["entries"] == []
    assert not home.change_log.exists()


def test_a_change_is_in_the_file_with_its_time_cause_and_details(home: Home, log: ChangeLog) -> None:
    assert log.add("fix", "ralph", "restarted", "hang", type="hang", seconds=1.5) == "c1"
    (entry,) = json.loads(home.change_log.read_text())["entries"]
    assert entry == {
        "id": "c1",
        "at": "2023-11-14T22:13:20.000Z",
        "kind": "fix",
        "process": "ralph",
        "what": "restarted",
        "cause": "hang",
        "type": "hang",
        "seconds": 1.5,
    }


def test_ids_go_on_after_a_restart_and_totals_count_what_the_bound_dropped(home: Home) -> None:
    full = [{"id": f"c{n}", "kind": "restart"} for n in range(CHANGE_LOG_MAX_ENTRIES)]
    record = {"format": 1, "totals": {"restart": 5000}, "fixed_by_type": {}, "entries": full}
    home.change_log.write_text(json.dumps(record))
    log = ChangeLog(home.change_log, ManualClock())
    assert log.add("adjustment", "continuous_operation", "closer", "errors") == "c5001"
    after = log.read()
    assert len(after["entries"]) == CHANGE_LOG_MAX_ENTRIES
    assert after["totals"] == {"restart": 5000, "adjustment": 1}
    assert after["entries"][-1]["id"] == "c5001"


def test_a_full_disk_raises_and_leaves_the_record_as_it_was(
    home: Home, log: ChangeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add("restart", "ralph", "new pid 7", "it exited")
    before = home.change_log.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        log.add("restart", "ralph", "new pid 8", "it exited")
    assert home.change_log.read_bytes() == before
    assert [path.name for path in home.logs.iterdir()] == ["change_log.json"]


BROKEN: list[Any] = [
    "",
    "not json",
    "[1, 2]",
    '"text"',
    "null",
    '{"format": 2, "totals": {}, "fixed_by_type": {}, "entries": []}',
    '{"format": 1, "entries": []}',
    '{"format": 1, "totals": {}, "fixed_by_type": {}, "entries": {}}',
    '{"format": 1, "totals": {}, "fixed_by_type": {}, "entries": [7]}',
    '{"format": 1, "totals": {}, "fixed_by_type": {}, "entries": [{}]}',
    '{"format": 1, "totals": {"fix": "many"}, "fixed_by_type": {}, "entries": []}',
    '{"format": 1, "totals": {}, "fixed_by_type": [], "entries": []}',
    "[" * 100_000,
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content)[:40])
def test_a_broken_file_is_set_aside_and_a_new_record_begun(home: Home, log: ChangeLog, content: str | bytes) -> None:
    raw = content.encode() if isinstance(content, str) else content
    home.change_log.write_bytes(raw)
    assert log.read()["entries"] == []
    assert (home.logs / "change_log.json.broken").read_bytes() == raw, "evidence is kept"
    assert log.add("fix", "ralph", "restarted", "crash", type="crash") == "c1"
    assert SelfHealingSystem(home.root).get_fix_summary()["total_fixed"] == 1


KINDS = st.sampled_from(["restart", "fix", "adjustment"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(KINDS, st.sampled_from(["crash", "hang"])), max_size=12))
def test_the_summary_counts_exactly_the_fixes_newest_first(home: Home, rows: list[tuple[str, str]]) -> None:
    home.change_log.unlink(missing_ok=True)
    log = ChangeLog(home.change_log, ManualClock())
    ids = [log.add(kind, "ralph", "what", "why", type=fault) for kind, fault in rows]
    summary = SelfHealingSystem(home.root).get_fix_summary()
    fixed = [fault for kind, fault in rows if kind == "fix"]
    assert summary["total_fixed"] == len(fixed)
    assert summary["by_type"] == {fault: fixed.count(fault) for fault in set(fixed)}
    newest = [identity for identity, (kind, _) in zip(ids, rows, strict=True) if kind == "fix"][::-1]
    assert [entry["id"] for entry in summary["recent_fixes"]] == newest[:10]


def test_a_home_that_never_ran_has_fixed_nothing(home: Home) -> None:
    assert SelfHealingSystem(home.root).get_fix_summary() == {"total_fixed": 0, "by_type": {}, "recent_fixes": []}


def test_a_record_without_shape_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"change_log\.json has lost its shape"):
        fixes({"entries": [{}]})


@pytest.mark.parametrize(
    ("report", "kind"),
    [
        ("ModuleNotFoundError: No module named 'x'", IssueType.IMPORT),
        ("ConfigError: nae.toml: unknown key", IssueType.CONFIG),
        ("RateLimitExceeded: binance 429 Too Many Requests", IssueType.RATE_LIMIT),
        ("HTTP 418 banned until", IssueType.RATE_LIMIT),
        ("AuthenticationError: Invalid API-key", IssueType.AUTH),
        ('InvalidNonce: {"code":-1021,"msg":"Timestamp ..."}', IssueType.CLOCK),
        ("InsufficientFunds: account has insufficient balance", IssueType.INSUFFICIENT_FUNDS),
        ("InvalidOrder: Filter failure: NOTIONAL", IssueType.MINIMUM_SIZE),
        ("RequestTimeout: binance GET timed out", IssueType.TIMEOUT),
        ("TimeoutError", IssueType.TIMEOUT),
        ("ConnectionResetError: [Errno 104]", IssueType.CONNECTION),
        ("NetworkError: binance", IssueType.CONNECTION),
        ("OSError: [Errno 28] No space left on device", IssueType.DISK),
        ("sqlite3.OperationalError: database is locked", IssueType.DATABASE),
        ("MemoryError", IssueType.MEMORY),
        ("KeyError: 'symbol'", IssueType.KEY),
        ("all is well", IssueType.UNKNOWN),
        ("", IssueType.UNKNOWN),
    ],
)
def test_a_report_is_given_its_kind(tmp_path: Path, report: str, kind: IssueType) -> None:
    assert SelfHealingSystem(tmp_path).detect_issue(report) is kind


@given(st.text())
def test_any_text_has_a_kind(report: str) -> None:
    assert SelfHealingSystem("/").detect_issue(report) in IssueType
