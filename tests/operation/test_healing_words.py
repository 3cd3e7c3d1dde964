"""A person's word on healing, at a real manager: it is obeyed at once, it outlives a kill of the manager, and nobody
else writes the healer's books meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.autonomous.healing.case_book import Book
from execution.autonomous.healing.cases import Case, CaseState
from execution.autonomous.healing.memory import LOCK, Memory
from execution.autonomous.healing.remedy import Issue, folder_of
from execution.autonomous.self_healing import SelfHealingSystem
from execution.ledger.audit_log import recent
from execution.runtime.adjustments import file_in
from execution.runtime.clock import SystemClock
from execution.runtime.locks import is_held
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.programs import MANAGER
from tests.operation.tiny import TinyOperation, tiny_operation
from tests.support import ROOT, eventually

pytestmark = pytest.mark.operation
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyOperation]:
    """Two faults that a former life of the manager has seen: one waits for a person, one is given up."""
    with tiny_operation(tmp_path_factory.mktemp("tiny") / "home") as operation:
        cases = [case("h1", CaseState.WAITING, wants="add_import"), case("h2", CaseState.ESCALATED)]
        Memory(operation.home, CLOCK).keep_book(Book(cases={one.id: one for one in cases}, next=3))
        yield operation.up()


def case(name: str, state: CaseState, **changes: Any) -> Case:
    now = CLOCK.monotonic()
    issue = Issue(fingerprint=f"f{name}", type=IssueType.KEY, severity=Severity.SERIOUS, process="ralph", count=3)
    times: dict[str, Any] = {"opened_ms": CLOCK.now_ms(), "at": now, "began_at": now, "seen_at": now}
    return Case(id=name, issue=issue, state=state, seen=3, mark=0, **times, **changes)


def nae(tiny: TinyOperation, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "execution.console.cli", *words]
    environment = {**os.environ, "NAE_HOME": str(tiny.home.root), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def states(tiny: TinyOperation) -> dict[str, str]:
    done = nae(tiny, "heal", "list", "--all", "--json")
    assert done.returncode == 0, done.stderr
    return {one["id"]: one["state"] for one in json.loads(done.stdout)["cases"]}


def test_the_manager_takes_up_what_its_former_life_had_in_hand_and_the_status_says_so(tiny: TinyOperation) -> None:
    eventually(lambda: is_held(folder_of(tiny.home) / LOCK))
    assert states(tiny) == {"h1": "waiting_for_approval", "h2": "escalated"}
    line = next(line for line in nae(tiny, "status").stdout.splitlines() if line.startswith("healing:"))
    assert "waiting for approval: h1" in line and "for a person to see to: h2" in line


def test_a_rejection_is_carried_out_by_the_manager_and_stands_in_its_audit_trail(tiny: TinyOperation) -> None:
    done = nae(tiny, "heal", "reject", "h1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("h1 is rejected by") or done.stdout.startswith("h1 is rejected:")
    (row,) = recent(tiny.home.audit_trail(MANAGER), 1, "heal_command")
    assert (row["correlation"], row["word"]) == ("h1", "reject")


def test_a_word_outlives_a_kill_of_the_manager(tiny: TinyOperation) -> None:
    before = tiny.program(MANAGER).pid
    os.kill(before, signal.SIGKILL)
    tiny.is_complete()
    eventually(lambda: tiny.program(MANAGER).pid not in (0, before))
    eventually(lambda: is_held(folder_of(tiny.home) / LOCK))
    assert states(tiny)["h1"] == "rejected"


def test_what_makes_no_sense_is_refused_by_the_manager_with_the_next_step(tiny: TinyOperation) -> None:
    done = nae(tiny, "heal", "reject", "h1")
    assert done.returncode == 1
    assert "case h1 is rejected: it can't be rejected; nae heal approve h1 begins again" in done.stderr
    assert "there is no case 'h9'" in nae(tiny, "heal", "show", "h9").stderr
    told = SelfHealingSystem(tiny.home.root).fix_issue("h1")
    assert told["ok"] is False and "rejected" in told["why"]


def test_an_adjustment_is_put_back_by_its_id_while_the_manager_runs(tiny: TinyOperation) -> None:
    adjustment = AdjustmentBook(tiny.home, CLOCK).add("operation.health_interval_s", 20.0, "a test")
    done = nae(tiny, "heal", "revert", adjustment.id)
    assert done.returncode == 0, done.stderr
    assert adjustment.id in done.stdout and "health_interval_s" in done.stdout
    assert not file_in(tiny.home.data).exists()
    entry = json.loads(tiny.home.change_log.read_text())["entries"][-1]
    assert (entry["kind"], entry["adjustment"]) == ("revert", adjustment.id)


def test_a_case_that_was_given_up_is_begun_again_at_a_persons_word(tiny: TinyOperation) -> None:
    told = SelfHealingSystem(tiny.home.root).fix_issue("h2")
    assert (told["ok"], told["case"]) == (True, "h2")
    assert told["state"] in ("open", "applying")
    assert nae(tiny, "heal", "approve", "h1").returncode == 0


def test_whoever_is_refused_the_books_says_that_nothing_is_known(tiny: TinyOperation) -> None:
    manager = tiny.program(MANAGER).pid
    os.kill(manager, signal.SIGSTOP)
    try:
        done = nae(tiny, "heal", "reject", "h1")
    finally:
        os.kill(manager, signal.SIGCONT)
    assert done.returncode == 69
    assert "unknown whether it was done" in done.stderr
