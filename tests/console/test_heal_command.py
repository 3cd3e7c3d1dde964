"""nae heal and nae learn beside books that a test has written: with no manager, under the same lock."""

import json
from pathlib import Path

import pytest

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.cases import Attempt, Case, CaseState, Obstacle, Outcome
from execution.autonomous.healing.experience import Experience
from execution.autonomous.healing.memory import LOCK, Memory
from execution.autonomous.healing.remedy import Issue, folder_of
from execution.autonomous.self_healing import SelfHealingSystem
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.issues import IssueType, Severity
from tests.console.conftest import Say

STRANGE = "\x1b[31mred\x1b[0m [bold]markup[/bold]\r\nforged line"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    home = Home.find()
    home.prepare()
    return home


def case(**changes: object) -> Case:
    issue = Issue(
        fingerprint="abc123",
        type=IssueType.KEY,
        severity=Severity.SERIOUS,
        process="live_optimus",
        exception="KeyError",
        place="execution.trading.system:step",
        template=STRANGE,
        count=7,
        in_window=7,
    )
    plain: dict[str, object] = {"id": "h1", "issue": issue, "opened_ms": 0, "at": 0.0, "began_at": 0.0, "seen_at": 0.0}
    return Case(**{**plain, "seen": 7, "mark": 0, **changes})  # type: ignore[arg-type]


def write(home: Home, one: Case) -> None:
    Memory(home, SystemClock()).keep_book(Book(cases={one.id: one}, next=2))


def waiting() -> Case:
    tried = Attempt(
        id="h1.1", remedy="reconnect", at=0.0, at_ms=0, episode=1, outcome=Outcome.USELESS, why="came again"
    )
    return case(
        state=CaseState.WAITING,
        wants="add_import",
        plan="adds one import\n+ import json",
        attempts=[tried],
        obstacles={"suggest_get": Obstacle(STRANGE, 0.0, 0.0)},
    )


def test_in_a_home_where_nothing_happened_there_is_nothing_and_nothing_is_made(home: Home, say: Say) -> None:
    assert say("heal", "list") == (0, "nothing is in hand; nae heal list --all shows what is over\n", "")
    assert json.loads(say("learn", "show", "--json")[1])["learned"] is not None
    assert not folder_of(home).exists()


def test_a_case_is_listed_with_what_was_tried_and_the_next_step(home: Home, say: Say) -> None:
    write(home, waiting())
    code, out, _ = say("heal", "list")
    assert code == 0
    assert "reconnect (useless)" in out and "nae heal approve h1, or nae heal reject h1" in out
    (row,) = json.loads(say("heal", "list", "--json")[1])["cases"]
    assert (row["id"], row["state"], row["tried"][0]["remedy"]) == ("h1", "waiting_for_approval", "reconnect")


def test_what_is_over_is_listed_only_when_asked_for(home: Home, say: Say) -> None:
    write(home, case(state=CaseState.FIXED))
    assert "nothing is in hand" in say("heal", "list")[1]
    assert "h1" in say("heal", "list", "--all")[1]


def test_a_case_is_shown_whole_and_what_strangers_wrote_moves_no_cursor(home: Home, say: Say) -> None:
    write(home, waiting())
    code, out, _ = say("heal", "show", "h1")
    assert code == 0
    assert "\x1b" not in out and "\r" not in out
    assert "\\x1b[31mred" in out and "[bold]markup[/bold]" in out
    assert "KeyError at execution.trading.system:step" in out
    assert "add_import waits for your word; it would do this:" in out
    assert "    + import json" in out


def test_a_rejection_is_kept_and_an_approval_undoes_it(home: Home, say: Say) -> None:
    write(home, waiting())
    code, out, _ = say("heal", "reject", "h1")
    assert code == 0 and out.startswith("h1 is rejected")
    assert Memory(home, SystemClock()).book().cases["h1"].state is CaseState.REJECTED
    assert say("heal", "approve", "h1")[0] == 0
    kept = Memory(home, SystemClock()).book().cases["h1"]
    assert kept.state is CaseState.OPEN and kept.approved == ""
    assert "heal_command" in home.audit_trail("nae_heal").read_text()


def test_an_approval_of_what_waits_names_the_remedy_it_is_for(home: Home, say: Say) -> None:
    write(home, waiting())
    assert say("heal", "approve", "h1")[0] == 0
    assert Memory(home, SystemClock()).book().cases["h1"].approved == "add_import"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "h9"], "there is no case 'h9'; the newest are h1"),
        (["approve", "h9"], "there is no case 'h9'"),
        (["revert", "h1"], "nothing of 'h1' stands that could be put back; there stand: none"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_there_is(home: Home, say: Say, words: list[str], told: str) -> None:
    write(home, waiting())
    code, _, err = say("heal", *words)
    assert code == ExitCode.FAILED
    assert told in err


def test_approving_what_is_fixed_names_the_one_next_step(home: Home, say: Say) -> None:
    write(home, case(state=CaseState.FIXED))
    code, _, err = say("heal", "approve", "h1")
    assert code == ExitCode.FAILED
    assert "case h1 is fixed: it can't be approved; there is nothing to do" in err


def test_while_somebody_else_writes_the_books_it_is_unknown_whether_it_was_done(home: Home, say: Say) -> None:
    write(home, waiting())
    lock = FileLock(folder_of(home) / LOCK)
    lock.acquire("continuous_operation pid 1")
    try:
        code, _, err = say("heal", "reject", "h1")
    finally:
        lock.release()
    assert code == ExitCode.UNAVAILABLE
    assert "unknown whether it was done" in err and "ask again" in err
    assert Memory(home, SystemClock()).book().cases["h1"].state is CaseState.WAITING


def test_what_was_learned_is_a_table_of_fault_and_remedy(home: Home, say: Say) -> None:
    known = Experience()
    for helped in (True, True, False):
        known = known.learned(IssueType.KEY, "abc", "toy", helped)
    Memory(home, SystemClock()).keep_experience(known)
    rows = json.loads(say("learn", "show", "--json")[1])["learned"]
    (row,) = [one for one in rows if one["remedy"] == "toy"]
    assert (row["tried"], row["helped"]) == (3, 2)
    assert row["low"] < row["expected"] < row["high"]
    assert "toy" in say("learn", "show")[1]


def test_a_damaged_memory_is_set_aside_and_begins_anew(home: Home, say: Say) -> None:
    write(home, waiting())
    path = folder_of(home) / "cases.json"
    path.write_text(path.read_text()[:-20])
    assert "nothing is in hand" in say("heal", "list")[1]
    assert path.with_name("cases.json.broken").exists()


def test_nothing_is_fixed_without_a_manager_and_it_says_so(home: Home) -> None:
    told = SelfHealingSystem(home.root).fix_issue("h1")
    assert told["ok"] is False
    assert "nothing was done" in told["why"] and "nae up" in told["why"]


def test_a_log_is_read_and_nothing_is_done_about_it(home: Home, tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    lines = ["INFO all is well, no error here", "ERROR KeyError: 'x'", "ERROR KeyError: 'y'"]
    log.write_text("\n".join([*lines, "ModuleNotFoundError: No module named 'ccxt-mexc-futures'; pip install it"]))
    told = SelfHealingSystem(home.root).heal_from_log(log)
    assert told["acted"] is False
    assert [(one["type"], one["count"]) for one in told["issues"]] == [("key", 2), ("import", 1)]
    assert ChangeLog(home.change_log, SystemClock()).read()["entries"] == []
