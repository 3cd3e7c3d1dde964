"""Equal ids mean equal code, whatever the folder it stands in."""

import shutil
from pathlib import Path

import pytest

from execution.runtime.build import build_id


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("execution/runtime/a.py", "agents/b.py", "supervisor/program.conf"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("x = 1\n")
    (root / "requirements.lock").write_text("zmq==27\n")
    return root


def test_the_same_code_elsewhere_has_the_same_id(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy")
    assert build_id(root) == build_id(tmp_path / "copy")
    assert len(build_id(root)) == 12


@pytest.mark.parametrize("change", ["content", "name", "added", "removed", "lock", "swapped", "conf"])
def test_any_change_of_code_or_lock_changes_the_id(root: Path, change: str) -> None:
    (root / "agents/c.py").write_text("y = 2\n")
    before = build_id(root)
    if change == "content":
        (root / "agents/b.py").write_text("x = 2\n")
    elif change == "name":
        (root / "execution/runtime/a.py").rename(root / "execution/runtime/aa.py")  # in the same place of the order
    elif change == "added":
        (root / "execution/new.py").write_text("")
    elif change == "removed":
        (root / "agents/b.py").unlink()
    elif change == "conf":
        (root / "supervisor/program.conf").write_text("x = 2\n")
    elif change == "lock":
        (root / "requirements.lock").write_text("zmq==28\n")
    else:
        (root / "agents/b.py").write_text("y = 2\n")
        (root / "agents/c.py").write_text("x = 1\n")
    assert build_id(root) != before


def test_what_isnt_code_doesnt_matter(root: Path) -> None:
    before = build_id(root)
    (root / "execution/notes.txt").write_text("hello")
    (root / "data").mkdir()
    (root / "data/x.py").write_text("")
    assert build_id(root) == before


def test_the_project_has_an_id() -> None:
    assert build_id() == build_id()
