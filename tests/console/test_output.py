"""Tables for people and JSON for programs; no text from outside is ever read as markup."""

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from execution.console.output import cell, complain, crashed, duration, grid, print_json, table
from execution.console.status_view import overdue_tasks, show_status
from execution.vocabulary.health import HealthStatus


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59.9, "59s"), (60, "1m 00s"), (184, "3m 04s"), (3725, "1h 02m"), (360_000, "100h 00m")],
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (Decimal("0.00100"), "0.001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("2879.560535541610720103802362"), "2879.56053554"),
        (7, "7"),
        (HealthStatus.CRITICAL, "CRITICAL"),
        ("[/] :smile:", "[/] :smile:"),
    ],
)
def test_a_cell_is_short(value: object, shown: str) -> None:
    assert cell(value).plain == shown


def test_json_keeps_money_exact_and_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"equity": Decimal("10000.10"), "status": HealthStatus.HEALTHY, "rows": [Decimal("1E-8")]})
    assert json.loads(capsys.readouterr().out) == {"equity": "10000.10", "status": "HEALTHY", "rows": ["1E-8"]}


@given(st.lists(st.lists(st.text("abc", min_size=1, max_size=40), min_size=3, max_size=3), min_size=1, max_size=4))
def test_on_a_screen_of_any_width_no_cell_is_lost(rows: list[list[str]]) -> None:
    for width in (20, 60, 80, 200):
        console = Console(width=width)
        with console.capture() as captured:
            console.print(grid(["first", "second", "reason"], rows), crop=False)
        lines = captured.get().splitlines()
        assert [line.split()[:2] for line in lines if line[:1] in "abc"] == [row[:2] for row in rows]
        shown = sum(line.count(letter) for line in lines[1:] for letter in "abc")
        assert shown == sum(len(text) for row in rows for text in row)


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(["a"], [], "no fills yet")
    assert capsys.readouterr().out == "no fills yet\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet="[]/\\ab :x=red", max_size=20))
def test_any_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], text: str) -> None:
    table(["first", "because"], [["x", text]], "empty")
    complain(text)
    told = capsys.readouterr()
    assert text.strip() in told.out
    assert text in told.err


def status(**changes: object) -> dict[str, object]:
    row = {"status": "CRITICAL", "state": "failed", "pid": 7, "uptime_seconds": 61.0, "error_count": 3, "causes": []}
    document: dict[str, object] = {
        "running": True,
        "mode": "dual",
        "overall_status": "CRITICAL",
        "error_rate": 0.5,
        "processes": {"ralph": row | {"causes": ["ValueError at a.py:f [/x]: 3x"]}},
        "accounts": {},
    }
    return document | changes


def test_the_status_shows_each_process_with_the_causes_of_what_isnt_well(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(status(note="the manager is silent [/odd] [bold]note[/]"))
    out = capsys.readouterr().out
    assert "NAE dual  CRITICAL" in out
    assert "ValueError at a.py:f [/x]: 3x" in out
    assert "1m 01s" in out
    assert "the manager is silent [/odd] [bold]note[/]" in out


def test_a_stopped_operation_shows_its_note(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(status(running=False, note="not running; [x] start it"))
    assert capsys.readouterr().out == "not running; [x] start it\n"


def test_the_accounts_are_shown_with_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(status(accounts={"sandbox": {"trading_state": "active", "equity": Decimal("10000.50"), "fills": 3}}))
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sandbox"))
    assert row.split() == ["sandbox", "-", "active", "-", "10000.5", "3", "-", "-", "-"]


def test_overdue_tasks_are_named_with_their_process() -> None:
    tasks = [
        {"name": "cycle", "overdue": True, "last_finished_age_s": 12.5},
        {"name": "beat", "overdue": False, "last_finished_age_s": 0.1},
    ]
    document = {
        "processes": {
            "ralph": {"state": "running", "tasks": tasks},
            "venue": {"state": "failed", "causes": ["not running: fatal"], "tasks": []},
            "master": {"state": "starting"},
        }
    }
    assert overdue_tasks(document) == [
        "ralph: task cycle is overdue (last finished 12.5 s ago)",
        "venue is failed: not running: fatal",
        "master is starting: no cause given",
    ]


def test_why_an_account_is_paused_and_whose_word_it_is_stands_below_the_accounts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accounts = {
        "sandbox": {"trading_state": "active", "trading_state_reason": "resumed by the operator"},
        "live": {"trading_state": "paused", "reason": "news [at] noon", "note": "from the ledger"},
    }
    show_status({"running": False, "note": "not running", "accounts": accounts})
    out = capsys.readouterr().out
    assert out.startswith("not running\n")
    assert "live is paused: news [at] noon\nlive: from the ledger\n" in out
    assert "resumed" not in out


def test_a_bug_is_printed_whole_but_for_what_must_not_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    signed = "https://api.binance.com/api/v3/account?signature=" + "ab" * 32
    try:
        raise ValueError(signed)
    except ValueError as error:
        crashed(type(error), error, error.__traceback__)
    told = capsys.readouterr().err
    assert "Traceback" in told and "ValueError: https://api.binance.com" in told and "abab" not in told
