"""The status on one screen: an alert is the first thing seen, all of a dual operation fits, and what is wrong with how
it is kept is a sentence each."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from execution.console.status_view import alerts, problems, show_status, status_screen
from execution.console.watch_command import newest_lines
from execution.vocabulary.programs import BY_NAME

STATUS: dict[str, Any] = {
    "running": True,
    "mode": "dual",
    "overall_status": "CRITICAL",
    "error_rate": 0.2,
    "note": "",
    "processes": {
        "master_controller": {
            "status": "HEALTHY",
            "state": "running",
            "pid": 7,
            "uptime_seconds": 61.0,
            "error_count": 0,
            "facts": {"alerts": {"venue": "hung: silent for 2.0 s"}},
        }
    },
}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "status": "HEALTHY",
        "state": "running",
        "pid": 1_234_567,
        "uptime_seconds": 360_000.0,
        "error_count": 0,
        "causes": [],
        "rss_mib": 112,
        "restarts": 3,
        "restarts_1h": 1,
        "restarts_24h": 3,
        "tasks": [],
        "held_for_s": None,
        "quarantined": False,
        "stopped_by_operator": False,
    } | changes


def dual(**changes: Any) -> dict[str, Any]:
    processes = {name: row() for name in BY_NAME} | {"live_optimus": row(role="active")}
    if BY_NAME["live_optimus"].twin:
        processes["live_optimus_standby"] = row(role="standby")
    account = {"trade_mode": "paper", "trading_state": "active", "venue": "embedded", "equity": "10000.12345678"}
    counts = {"fills": 12_345, "open_orders": 2, "unknown_orders": 0, "reconciled": True}
    document: dict[str, Any] = {
        "running": True,
        "mode": "dual",
        "overall_status": "HEALTHY",
        "error_rate": 0.0,
        "processes": processes,
        "plug_in": {"working": True, "problem": "", "spawn": "posix_spawn"},
        "live": {"holder": "live_optimus", "epoch": 12, "standby_ready": True},
        "builds": {"0123456789abcdef": list(processes)},
        "supervisord": {"pid": 1_234_500, "uptime_seconds": 360_000.0},
        "service": {"installed": True, "text": "nae.service owns this operation, pid 1234500, starts at boot"},
        "accounts": {"sandbox": account | counts, "live": account | counts},
    }
    return document | changes


def test_an_alert_of_the_master_is_a_line_of_its_own_above_the_processes(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(STATUS)
    shown = capsys.readouterr().out
    assert "alert: venue: hung: silent for 2.0 s" in shown
    assert shown.index("alert:") < shown.index("master_controller")


def test_who_runs_with_a_patch_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    overlay = {"in_force": {"execution.research.windows": "o12"}, "ignored": {"agents.ralph": "made for another build"}}
    name, row = next(iter(STATUS["processes"].items()))
    facts = {**(row.get("facts") or {}), "overlay": overlay}
    show_status(STATUS | {"processes": STATUS["processes"] | {name: row | {"facts": facts}}})
    said = " ".join(capsys.readouterr().out.split())
    assert f"{name} runs with a patch: execution.research.windows (o12)" in said
    assert f"{name} ignores a patch: agents.ralph: made for another build" in said


def test_without_a_master_there_are_no_alerts_to_show() -> None:
    assert alerts(STATUS | {"processes": {}}) == {}


def lines_of(status: dict[str, Any], width: int = 110) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(status_screen(status))
    return captured.get().rstrip("\n").split("\n")


def test_a_dual_operation_is_a_screenful() -> None:
    lines = lines_of(dual())
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 110
    told = "\n".join(lines)
    for wanted in ("build 0123456789ab", "plug-in works (posix_spawn)", "live held by live_optimus, epoch 12"):
        assert wanted in told
    for wanted in ("standby ready", "service: nae.service owns", "1/h 3/d", "active", "100h 00m"):
        assert wanted in told


def test_on_eighty_columns_no_process_state_or_pid_is_cut_and_every_cause_is_whole() -> None:
    cause = "crash loop, in quarantine after 5 crashes, the last by SIGSEGV: starts again in 299 s"
    processes = dual()["processes"] | {"ralph": row(status="CRITICAL", state="failed", causes=[cause])}
    lines = lines_of(dual(processes=processes), 80)
    told = " ".join(" ".join(lines).split())
    assert f"ralph: {cause}" in told
    for name, process in processes.items():
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert line.split()[1:3] == [process["status"], process["state"]]
        assert "1234567" in line.split()
    assert all("embedded" in line and "10000.12345678" in line for line in lines if line.startswith("live paper"))


def test_who_is_held_or_in_quarantine_is_shown_with_when_it_comes_back() -> None:
    processes = {"ralph": row(held_for_s=4.2), "venue": row(held_for_s=280.0, quarantined=True)}
    told = "\n".join(lines_of(dual(processes=processes)))
    assert "held 4s" in told
    assert "quarantined 4m 40s" in told


def test_an_operation_in_order_has_no_problems() -> None:
    assert problems(dual()) == []


def test_a_document_without_the_newer_parts_has_no_problems_of_its_own() -> None:
    document = dual()
    for name in ("plug_in", "live", "builds", "supervisord", "service"):
        del document[name]
    assert problems(document) == []
    assert lines_of(document)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"plug_in": {"working": False, "problem": "no seam X"}},
            "the plug-in in supervisord isn't working (no seam X)",
        ),
        ({"live": {"holder": None, "standby_ready": False}}, "nobody holds the live account: it isn't managed"),
        (
            {"builds": {"a" * 16: ["ralph"], "b" * 16: ["venue"]}},
            "builds differ (aaaaaaaaaaaa: ralph; bbbbbbbbbbbb: venue)",
        ),
        (
            {"processes": {"ralph": row(quarantined=True, causes=["5 crashes"])}},
            "ralph is in quarantine, it keeps crashing",
        ),
        ({"processes": {"ralph": row(stopped_by_operator=True)}}, "ralph was stopped by the operator: nae start ralph"),
        (
            {"processes": {"ralph": row(state="ready", causes=["ready"])}},
            "ralph is ready: not every task of it has finished a run yet",
        ),
        ({"processes": {"ralph": row(held_for_s=4.0, state="failed")}}, "ralph is held 4s: no cause given"),
        ({"processes": {"ralph": row(status="CRITICAL", causes=["hung"])}}, "ralph is CRITICAL: hung"),
    ],
)
def test_each_problem_is_a_sentence_and_an_alert_where_it_is_the_operations(changes: dict[str, Any], told: str) -> None:
    document = dual(**changes)
    assert any(problem.startswith(told) for problem in problems(document)), problems(document)
    if "processes" not in changes:
        assert any(line.startswith(f"alert: {told}"[:80]) for line in lines_of(document))


@pytest.mark.skipif(BY_NAME["live_optimus"].twin is None, reason="there is no standby to miss")
def test_a_missing_standby_is_a_problem_only_where_there_should_be_one() -> None:
    live = {"holder": "live_optimus", "epoch": 1, "standby_ready": False}
    assert problems(dual(live=live)) == [
        "no standby is ready: should live_optimus fall, live_optimus_standby can't take over at once"
    ]
    alone = {name: one for name, one in dual()["processes"].items() if name != "live_optimus_standby"}
    assert problems(dual(live=live, processes=alone)) == []


def test_a_stopped_operation_says_how_its_service_does() -> None:
    service = {"installed": True, "text": "nae.service is stopped"}
    assert lines_of({"running": False, "note": "not running", "service": service}) == [
        "not running",
        "service: nae.service is stopped",
    ]


def test_watching_shows_the_newest_lines_of_all_logs_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-11-21T08:00:01.000Z one\n2026-11-21T08:00:03.000Z three\n  a traceback\n")
    (tmp_path / "b.log").write_text("2026-11-21T08:00:02.000Z two\n")
    assert [(name, line.split()[-1]) for name, line in newest_lines(tmp_path, 2)] == [("b", "two"), ("a", "three")]
    assert newest_lines(tmp_path, 0) == []
