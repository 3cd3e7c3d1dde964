"""Builds are whole, unchangeable in effect, and never mixed in one process. With real Pythons importing from them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous.builds import KEPT_BESIDE_CURRENT, UNFINISHED, Builds, Journey, compile_all
from execution.runtime.build import build_id
from execution.runtime.home import CODE_ROOT, Home
from execution.vocabulary.exit_codes import BusyError
from tests.support import child, line_of

CODE = {
    "execution/__init__.py": "",
    "execution/word.py": "WORD = 'first'\n",
    "execution/later.py": "WORD = 'first'\n",
    "agents/worker.py": "from execution import word\n",
    "supervisor/program.conf": "[program]\n",
    "requirements.lock": "zmq==27\n",
    "setup.cfg": "",
    "nae.toml": "not code\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A project of a few lines, with the real agents/__init__.py, which pins a process to its build."""
    for name, text in CODE.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy2(CODE_ROOT / "agents" / "__init__.py", tmp_path / "project" / "agents" / "__init__.py")
    return tmp_path / "project"


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(Home(tmp_path / "home"))


def test_a_build_is_what_was_copied_and_is_named_by_it(builds: Builds, source: Path) -> None:
    build = builds.snapshot(source)
    assert build == build_id(source) == build_id(builds.path(build))
    assert builds.holds(build)
    assert not (builds.path(build) / "nae.toml").exists()
    assert builds.snapshot(source) == build, "the second time it is there already"
    assert [path.name for path in builds.folder.iterdir()] == [build]


def test_an_edit_of_the_project_changes_nothing_until_the_link_is_turned(builds: Builds, source: Path) -> None:
    first = builds.snapshot(source)
    builds.turn_to(first)
    (source / "execution/word.py").write_text("WORD = 'second'\n")
    assert _word(builds, source) == "first"
    second = builds.snapshot(source)
    assert (second != first, builds.current()) == (True, first)
    builds.turn_to(second)
    assert (_word(builds, source), builds.current()) == ("second", second)


def _word(builds: Builds, folder: Path) -> str:
    """What a process says that is started in `folder`, where the project itself lies in the way."""
    command = [sys.executable, "-P", "-c", "import agents.worker; print(agents.worker.word.WORD)"]
    environment = os.environ | {"PYTHONPATH": str(builds.current_link)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


LATE_IMPORT = """
import agents.worker
print(agents.worker.word.WORD, flush=True)
input()
from execution import later
print(later.WORD, later.__file__, flush=True)
"""


def test_a_process_goes_on_in_its_own_build_when_the_link_is_turned(builds: Builds, source: Path) -> None:
    first = builds.snapshot(source)
    builds.turn_to(first)
    (source / "execution/word.py").write_text("WORD = 'second'\n")
    (source / "execution/later.py").write_text("WORD = 'second'\n")
    second = builds.snapshot(source)
    with child(LATE_IMPORT, PYTHONPATH=str(builds.current_link), PYTHONSAFEPATH="1") as process:
        assert line_of(process) == "first"
        builds.turn_to(second)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert line_of(process) == f"first {builds.path(first)}/execution/later.py"


def test_the_build_of_the_project_itself_wins_over_the_installed_one(builds: Builds, tmp_path: Path) -> None:
    build = builds.snapshot()
    assert build == build_id(CODE_ROOT)
    builds.turn_to(build)
    before = _files(builds.path(build))
    code = (
        "import agents.venue as v, execution.runtime.home as h; print(v.__file__); print(h.CODE_ROOT, h.PROJECT_ROOT)"
    )
    environment = os.environ | {"PYTHONPATH": str(builds.current_link), "NAE_PROJECT": str(CODE_ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=CODE_ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{builds.path(build)}/agents/venue.py", str(builds.path(build)), str(CODE_ROOT)]
    assert _files(builds.path(build)) == before, "all was compiled beforehand: nothing is written by whoever runs"


def _files(folder: Path) -> set[tuple[Path, int]]:
    return {(path, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_damaged_build_is_made_anew(builds: Builds, source: Path) -> None:
    build = builds.snapshot(source)
    (builds.path(build) / "execution/word.py").write_text("")  # as a crash of the machine may leave it
    assert not builds.holds(build)
    assert builds.snapshot(source) == build
    assert builds.holds(build)


def test_code_that_changes_while_it_is_copied_is_never_half_of_each(
    builds: Builds, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree
    edits = iter(range(100))

    def copytree_with_an_editor_beside(origin: Path, *arguments: Any, **options: Any) -> Any:
        (source / "execution/word.py").write_text(f"WORD = {next(edits)}\n")
        return copied(origin, *arguments, **options)

    monkeypatch.setattr("execution.autonomous.builds.shutil.copytree", copytree_with_an_editor_beside)
    with pytest.raises(BusyError, match="being changed"):
        builds.snapshot(source)
    assert list(builds.folder.iterdir()) == []


def test_a_disk_that_refuses_leaves_nothing_behind(
    builds: Builds, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("execution.autonomous.builds.shutil.copy2", full)
    with pytest.raises(OSError, match="No space left"):
        builds.snapshot(source)
    assert list(builds.folder.iterdir()) == []


def test_pruning_keeps_the_current_build_the_two_before_it_and_what_still_runs(builds: Builds, source: Path) -> None:
    made = []
    for number in range(6):
        (source / "execution/word.py").write_text(f"WORD = {number}\n")
        made.append(builds.snapshot(source))
        builds.turn_to(made[-1])
        os.utime(builds.path(made[-1]), (number, number))
    builds.turn_to(made[0])  # back on the oldest
    dead, alive = (builds.folder / f"{UNFINISHED}{pid}-x" for pid in (1, 2))
    for folder in (dead, alive):
        folder.mkdir()
    removed = builds.prune({made[1]}, is_alive=lambda pid: pid == 2)
    assert set(removed) == {made[2], made[3]}
    assert {path.name for path in builds.folder.iterdir()} == {*made[:2], *made[4:], "current", alive.name}
    assert len(made[4:]) == KEPT_BESIDE_CURRENT


def test_what_does_not_compile_is_known_before_anything_runs_it(builds: Builds, source: Path) -> None:
    assert compile_all(builds.path(builds.snapshot(source)))
    (source / "execution/word.py").write_text("WORD = (\n")
    assert not compile_all(builds.path(builds.snapshot(source)))


def test_without_any_build_there_is_no_current_one(builds: Builds) -> None:
    assert builds.current() is None


def test_a_start_ends_what_was_under_way_and_remembers_where_it_came_from(builds: Builds, source: Path) -> None:
    made = []
    for number in range(3):
        (source / "execution/word.py").write_text(f"WORD = {number}\n")
        made.append(builds.snapshot(source))
    builds.begin(made[0])
    assert builds.journey() is None, "there was none before it"
    builds.write_journey(Journey(made[0], made[1], finished=False))
    builds.begin(made[0])
    assert builds.journey() == Journey(made[0], made[0], finished=True)
    builds.begin(made[2])
    assert builds.journey() == Journey(made[0], made[2], finished=True)
    builds.begin(made[2])
    assert builds.journey() == Journey(made[0], made[2], finished=True)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"before": 1}', "\x00"])
def test_a_record_that_cannot_be_read_is_none(builds: Builds, text: str) -> None:
    builds.folder.mkdir(parents=True)
    (builds.folder / "upgrade.json").write_text(text)
    assert builds.journey() is None
