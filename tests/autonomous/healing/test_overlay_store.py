"""Patches on the disk: put in force, taken away without a trace, and never anywhere else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.healing.remedy import CannotHeal
from execution.autonomous.healing.source.import_fix import ImportFix
from execution.autonomous.healing.source.overlay_store import OverlayStore
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.overlay import MANIFEST, folder_of
from execution.runtime.overlay_finder import checked, modules_of, read_plain

PATHS = ("execution/research/windows.py", "execution/learning/knowledge.py", "agents/ralph.py")
BEFORE = b'"""A."""\n\nx = math.pi\n'
AFTER = b'"""A."""\nimport math\n\nx = math.pi\n'


def fix(path: str = PATHS[0], before: bytes = BEFORE, after: bytes = AFTER) -> ImportFix:
    return ImportFix(path, "import math", before, after)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home" / "data" / "healing").mkdir(parents=True)
    (tmp_path / "home" / "data" / "healing" / "issues.json").write_text("{}")
    return Home.find(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> OverlayStore:
    return OverlayStore(home, SystemClock())


def picture(home: Home) -> dict[str, bytes | None]:
    """Everything below a home, byte for byte."""
    found = sorted(home.root.rglob("*"))
    return {str(path.relative_to(home.root)): path.read_bytes() if path.is_file() else None for path in found}


def put(store: OverlayStore, scope: str, patch: ImportFix) -> dict[str, Any]:
    undo = store.plan(scope, patch)
    store.add(undo, patch, "f1")
    return dict(json.loads(json.dumps(undo)))  # as the record keeps it


def test_what_is_put_in_force_is_what_a_process_would_load(home: Home, store: OverlayStore, tmp_path: Path) -> None:
    undo = put(store, "sandbox", fix())
    folder = folder_of(home.data, "sandbox")
    (row,) = modules_of(read_plain(folder, Path(MANIFEST))).values()
    (tmp_path / PATHS[0]).parent.mkdir(parents=True)
    (tmp_path / PATHS[0]).write_bytes(BEFORE)
    assert checked(folder, tmp_path, PATHS[0], row) == AFTER
    assert store.id_of("sandbox", fix()) == undo["id"] == row["id"]
    assert (row["line"], row["issue"]) == ("import math", "f1")
    assert store.id_of("live", fix()) == ""


def test_a_removal_leaves_the_home_as_it_was_and_may_be_repeated(home: Home, store: OverlayStore) -> None:
    before = picture(home)
    undo = put(store, "sandbox", fix())
    assert picture(home) != before
    for _ in range(3):
        store.remove(undo)
        assert picture(home) == before


def test_a_removal_of_what_was_only_planned_changes_nothing(home: Home, store: OverlayStore) -> None:
    before = picture(home)
    store.remove(store.plan("live", fix()))
    assert picture(home) == before


def test_a_writer_killed_before_its_manifest_leaves_nothing_in_force_and_is_put_back(
    home: Home, store: OverlayStore
) -> None:
    before = picture(home)
    undo = store.plan("sandbox", fix())
    file = folder_of(home.data, "sandbox") / PATHS[0]
    file.parent.mkdir(parents=True)
    file.write_bytes(AFTER)
    (file.parent / f".{file.name}.999999999.left").write_bytes(AFTER[:9])
    assert store.id_of("sandbox", fix()) == ""
    store.remove(undo)
    assert picture(home) == before


def test_one_patch_is_all_that_a_module_is_given(store: OverlayStore) -> None:
    put(store, "sandbox", fix())
    with pytest.raises(CannotHeal, match="one is all"):
        store.plan("sandbox", fix())
    put(store, "live", fix())


def test_a_patch_for_another_build_gives_way_and_comes_back(home: Home, store: OverlayStore) -> None:
    put(store, "sandbox", fix())
    before = picture(home)
    newer = fix(before=BEFORE + b"y = 1\n", after=AFTER + b"y = 1\n")
    undo = put(store, "sandbox", newer)
    assert store.id_of("sandbox", newer)
    assert not store.id_of("sandbox", fix())
    store.remove(undo)
    assert picture(home) == before


def test_a_removal_leaves_alone_what_came_later(home: Home, store: OverlayStore) -> None:
    old = put(store, "sandbox", fix())
    put(store, "sandbox", fix(before=BEFORE + b"y = 1\n", after=AFTER + b"y = 1\n"))
    before = picture(home)
    store.remove(old)
    assert picture(home) == before


@pytest.mark.parametrize(
    ("scope", "patch", "said"),
    [
        ("manager", fix(), "no overlay may be there"),
        ("../..", fix(), "no overlay may be there"),
        ("", fix(), "no overlay may be there"),
        ("live", fix("execution/exchange/gateway.py"), "no overlay may be there"),
        ("live", fix("../../../etc/passwd"), "no overlay may be there"),
        ("live", fix(after=AFTER + b"import os\n"), "isn't allowed"),
        ("live", fix(after=BEFORE), "isn't allowed"),
        ("live", fix(after=AFTER.replace(b"import math", b"import subprocess as math")), "isn't allowed"),
    ],
)
def test_what_is_not_allowed_is_not_written(
    home: Home, store: OverlayStore, scope: str, patch: ImportFix, said: str
) -> None:
    before = picture(home)
    with pytest.raises(CannotHeal, match=said):
        store.plan(scope, patch)
    assert picture(home) == before


def test_an_undo_that_somebody_changed_removes_nothing_else(home: Home, store: OverlayStore) -> None:
    undo = put(store, "sandbox", fix())
    before = picture(home)
    for changed in ({"path": "../../../../nae.toml"}, {"scope": "../../.."}, {"path": "execution/ledger/store.py"}):
        with pytest.raises(CannotHeal, match="no overlay may be there"):
            store.remove(undo | changed)
    assert picture(home) == before


def test_a_link_in_the_way_is_not_followed(home: Home, store: OverlayStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder_of(home.data, "").mkdir()
    folder_of(home.data, "sandbox").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotHeal):
        put(store, "sandbox", fix())
    assert not any((tmp_path / "elsewhere").iterdir())


def test_a_manifest_that_cannot_be_trusted_is_left_to_a_person(home: Home, store: OverlayStore) -> None:
    put(store, "sandbox", fix())
    (folder_of(home.data, "sandbox") / MANIFEST).write_text("{")
    before = picture(home)
    with pytest.raises(CannotHeal, match="can't be trusted"):
        store.plan("sandbox", fix(PATHS[1]))
    assert picture(home) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_disk_that_refuses_leaves_nothing_behind(home: Home, store: OverlayStore) -> None:
    before = picture(home)
    undo = store.plan("sandbox", fix())
    (home.data / "healing").chmod(0o500)
    with pytest.raises(CannotHeal, match="can't be written"):
        store.add(undo, fix(), "f1")
    (home.data / "healing").chmod(0o700)
    assert picture(home) == before


STEPS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["sandbox", "live", "ralph"]), st.sampled_from(PATHS), st.booleans()),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(STEPS)
def test_whatever_was_put_in_force_taking_all_away_leaves_no_trace(home: Home, steps: list[Any]) -> None:
    before = picture(home)
    store = OverlayStore(home, SystemClock())
    undos: list[dict[str, Any]] = []
    for adds, scope, path, newer in steps:
        more = b"y = 1\n" if newer else b""
        try:
            if adds:
                undos.append(put(store, scope, fix(path, BEFORE + more, AFTER + more)))
            elif undos:
                store.remove(undos.pop())
        except CannotHeal as error:
            assert "one is all" in str(error)
    for undo in reversed(undos):
        store.remove(undo)
    assert picture(home) == before
