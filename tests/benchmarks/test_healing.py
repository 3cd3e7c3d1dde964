"""The proof of healing, itself: its bugs fit today's source and bite only where they are switched on, and a table with
a hole in it isn't complete. And in short: a healthy day's logs make a real operation do nothing.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.healing import table
from benchmarks.healing_bugs import BUGS
from benchmarks.healing_false_alarms import false_alarms
from benchmarks.healing_planting import SWITCH_IN_COPY, Bug, CannotPlant, plant
from benchmarks.healing_rows import GROUPS
from benchmarks.healing_scene import Result
from benchmarks.healthy_day import OLD_BY_MS, lines_of, write_day
from benchmarks.real_operation import ROOT
from execution.runtime.clock import iso
from execution.vocabulary.issues import IssueType

MARKED = re.compile(r"\S+Z (ERROR|CRITICAL|WARNING)\b")
NOON_MS = 1_795_000_000_000
BITTEN = """
def act(value):
    first = value
    return first
"""


def scratch(root: Path, source: str = BITTEN) -> Path:
    """A copy with one module and the switch's place."""
    (root / "execution" / "runtime").mkdir(parents=True)
    (root / "execution" / "act.py").write_text(f'"""A module."""\n\nimport sys\n{source}')
    return root


def acted(project: Path, home: Path, process: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NAE_HOME": str(home), "SUPERVISOR_PROCESS_NAME": process, "PYTHONPATH": str(project)}
    code = "from execution.act import act; act(1)"
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=project, capture_output=True, text=True, check=False
    )


def test_every_bug_has_its_place_in_todays_source() -> None:
    for bug in BUGS:
        written = bug.written_into((ROOT / bug.file).read_text())
        ast.parse(written)
        assert f'planted("{bug.name}")' in written
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_a_planted_bug_bites_only_where_and_while_it_is_switched_on(tmp_path: Path) -> None:
    project, home = scratch(tmp_path / "project"), tmp_path / "home"
    (home / "planted").mkdir(parents=True)
    plant(project, [Bug("wrong", "execution/act.py", "first = value", ("{}[value]",))])
    assert (project / SWITCH_IN_COPY).exists()
    switch = home / "planted" / "wrong.on"
    assert acted(project, home, "ralph").returncode == 0
    switch.write_text("ralph venue")
    assert "KeyError: 1" in acted(project, home, "ralph").stderr
    assert acted(project, home, "master_controller").returncode == 0
    switch.unlink()
    assert acted(project, home, "ralph").returncode == 0
    assert len((home / "planted" / "wrong.seen").read_text().splitlines()) == 1


def test_a_bug_without_its_place_and_the_project_itself_are_refused(tmp_path: Path) -> None:
    project = scratch(tmp_path)
    with pytest.raises(CannotPlant, match="stands there 0 times"):
        plant(project, [Bug("wrong", "execution/act.py", "no such line", ("pass",))])
    with pytest.raises(CannotPlant, match="the project itself"):
        plant(ROOT, [])


def test_every_row_plants_a_bug_that_there_is() -> None:
    names = {bug.name for bug in BUGS}
    assert {row.bug for group in GROUPS for row in group.rows if row.bug} <= names


def test_a_kind_of_fault_without_a_row_is_a_hole_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.healing.GROUPS", ())
    found = table("", 1.0, lambda text: None)
    assert [one.type for one in found] == list(IssueType)
    assert not any(one.complete for one in found)


@pytest.mark.parametrize("hole", ["outcome", "verified", "reverted"])
def test_a_row_is_complete_only_with_all_its_columns(hole: str) -> None:
    def row() -> Result:
        return Result("key", "", "ralph", outcome="healed", verified="stayed away", reverted="identical")

    assert row().complete
    lacking, troubled = row(), row()
    setattr(lacking, hole, "")
    troubled.problem = "something"
    assert not lacking.complete and not troubled.complete


def test_a_healthy_day_is_the_same_by_its_seed_and_its_only_errors_are_old() -> None:
    day = list(lines_of("ralph", 3, 20_000, NOON_MS))
    assert day == list(lines_of("ralph", 3, 20_000, NOON_MS))
    assert day != list(lines_of("ralph", 4, 20_000, NOON_MS))
    old = [line for line, is_old in day if is_old]
    assert old and all(line < iso(NOON_MS + 86_400_000 - OLD_BY_MS) for line in old)
    assert [line for line, _ in day if MARKED.match(line)] == old


def test_a_day_is_written_whole_and_rotated_on_the_way(tmp_path: Path) -> None:
    done = write_day(tmp_path, ["ralph", "venue"], 1, 900.0, 1.0, rotations=2)
    assert done.rotated == 6 and set(done.by_process) == {"ralph", "venue", "rotated_by_name"}
    assert sorted(path.name for path in tmp_path.glob("ralph*")) == ["ralph.log", "ralph.log.1"]


@pytest.mark.operation
def test_an_hour_of_healthy_logs_makes_a_real_operation_do_nothing() -> None:
    quiet = false_alarms(1.0, 5.0, "sandbox", 11, lambda text: None, idle_s=1.0)
    assert quiet.overall == "HEALTHY"
    assert quiet.wrong == []
    assert quiet.written.old_errors > 0


def test_every_kind_of_fault_has_its_row() -> None:
    assert {row.type for group in GROUPS for row in group.rows} == set(IssueType)
