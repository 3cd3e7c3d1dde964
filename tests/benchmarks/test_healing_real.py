"""Healing on a real operation, in short: hostile texts in a real venue's errors and in the logs make nobody do
anything; and what `python -m benchmarks.healing` shows for every kind of fault is shown for two.
"""

import json

import pytest

from benchmarks.healing import operation_for
from benchmarks.healing_bugs import SAID
from benchmarks.healing_planting import ScratchOperation
from benchmarks.healing_rows import GROUPS, Group
from benchmarks.healing_scene import HEALED, play
from benchmarks.healing_sight import acted, cases, issues, pids
from execution.vocabulary.issues import IssueType
from tests.injected import TEXTS
from tests.support import eventually

pytestmark = [pytest.mark.operation, pytest.mark.alone]
SHORT = (IssueType.CRASH, IssueType.KEY)
PACE = 0.05
EACH = 5  # of the texts, one in so many: a trader asks its venue about once a second
NO_ACT = ("fix", "remedy", "revert", "restart")


def test_hostile_texts_move_nobody_and_real_faults_are_healed_and_put_back_byte_for_byte() -> None:
    with operation_for(Group("short", ()), PACE) as operation:
        stays_unmoved(operation)
        for row in [row for group in GROUPS for row in group.rows if row.type in SHORT]:
            result = play(operation, row, lambda text: None)
            assert result.complete, result
            assert result.outcome == HEALED, result


def stays_unmoved(operation: ScratchOperation) -> None:
    """By what a venue says and what stands in the logs."""
    lived = pids(operation)
    for name in lived:
        with operation.home.log_file(name).open("a", newline="") as file:
            file.write("".join(f"2026-11-22T03:00:00.000Z ERROR   nae.tasks: {text}\n{text}\n" for text in TEXTS))
    said = operation.root / SAID
    said.write_text(json.dumps(TEXTS[::EACH]))
    operation.switch_on("said", "venue")
    eventually(lambda: json.loads(said.read_text()) == [], within_s=90, every_s=0.2)
    operation.switch_off("said")
    eventually(lambda: any(row["process"] == "sandbox_optimus" for row in issues(operation)), within_s=20)
    assert {row["type"] for row in issues(operation)} <= {IssueType.UNKNOWN}
    assert [entry for entry in acted(operation) if entry["kind"] in NO_ACT] == []
    assert [one for case in cases(operation) for one in case["tried"]] == []
    assert pids(operation) == lived
