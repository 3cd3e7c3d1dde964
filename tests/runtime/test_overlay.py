"""Real processes that find an overlay at their start: loaded where it fits, ignored and said where it doesn't."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from execution.runtime.overlay import FORMAT, MANIFEST, folder_of
from execution.runtime.overlay_rules import digest
from tests.support import ROOT

PATH = "execution/research/regime_rules.py"
MODULE = "execution.research.regime_rules"
BROKEN = "FROM_OVERLAY = math.pi\n"
LOOK = f"""
import agents, json, sys
told = {{}}
try:
    import {MODULE} as module
    told["file"] = module.__file__
    told["value"] = module.FROM_OVERLAY
except NameError as error:
    told["missing"] = error.name
from execution.runtime import overlay
told |= overlay.told().get("overlay", {{}})
print(json.dumps(told))
"""


class Place:
    """A copy of the code with a module that lacks an import, and a home with the patch for it."""

    def __init__(self, root: Path) -> None:
        self.code, self.home = root / "code", root / "home"
        for room in ("execution", "agents"):
            shutil.copytree(ROOT / room, self.code / room, ignore=shutil.ignore_patterns("__pycache__"))
        self.original = (self.code / PATH).read_bytes().replace(b"import math\n", b"") + BROKEN.encode()
        (self.code / PATH).write_bytes(self.original)
        self.folder = folder_of(self.home / "data", "sandbox")
        self.file = self.folder / PATH
        self.file.parent.mkdir(parents=True)
        head, _, tail = self.original.partition(b'"""\n\n')
        self.patched = head + b'"""\n\nimport math\n' + tail
        self.write(self.patched)

    def write(self, patched: bytes, **changed: Any) -> None:
        """The patch, and a manifest that fits it but for what is `changed`."""
        self.file.write_bytes(patched)
        row = {"id": "o1", "original": digest(self.original), "patched": digest(patched)} | changed
        self.manifest({"format": FORMAT, "modules": {PATH: row}})

    def manifest(self, content: Any) -> None:
        (self.folder / MANIFEST).write_text(json.dumps(content))

    def start(self, process: str = "sandbox_optimus") -> dict[str, Any]:
        """What a process of this name tells of itself."""
        done = subprocess.run(
            [sys.executable, "-P", "-c", LOOK],
            env=os.environ
            | {"PYTHONPATH": str(self.code), "NAE_HOME": str(self.home), "SUPERVISOR_PROCESS_NAME": process},
            cwd=self.home,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("overlay"))


@pytest.fixture
def place(shared: Place) -> Place:
    shutil.rmtree(shared.folder)
    shared.file.parent.mkdir(parents=True)
    shared.write(shared.patched)
    return shared


def test_a_patch_is_loaded_and_its_file_is_named(place: Place) -> None:
    assert place.start() == {"file": str(place.file), "value": pytest.approx(3.14159, 1e-5), "in_force": {MODULE: "o1"}}
    assert sorted(path.name for path in place.folder.rglob("*") if path.is_file()) == [MANIFEST, "regime_rules.py"]


def test_only_the_processes_of_its_scope_load_it(place: Place) -> None:
    for process in (
        "live_optimus",
        "live_optimus_standby",
        "ralph",
        "continuous_operation",
        "master_controller",
        "venue",
    ):
        assert place.start(process) == {"missing": "math"}


def test_a_traceback_names_the_file_of_the_overlay(place: Place) -> None:
    place.write(place.patched)
    failing = "import agents\nfrom execution.research.regime_rules import regime_of\nregime_of(None)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", failing],
        env=os.environ
        | {"PYTHONPATH": str(place.code), "NAE_HOME": str(place.home), "SUPERVISOR_PROCESS_NAME": "sandbox_optimus"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert str(place.file) in done.stderr


def _of_another_build(place: Place) -> None:
    place.write(place.patched, original=digest(b"another"))


def _changed_since(place: Place) -> None:
    place.file.write_bytes(place.patched + b"# more\n")


def _another_that_would_do(place: Place) -> None:
    again = place.original.replace(b'"""\n\n', b'"""\nimport math\n\n', 1)
    assert again != place.patched
    place.file.write_bytes(again)


def _more_than_an_import(place: Place) -> None:
    place.write(place.patched + b"import os\nos.abort()\n")


def _a_bad_import(place: Place) -> None:
    place.write(place.patched.replace(b"import math\n", b"import subprocess as math\n"))


def _a_link(place: Place) -> None:
    elsewhere = place.home / "elsewhere.py"
    elsewhere.write_bytes(place.patched)
    place.file.unlink()
    place.file.symlink_to(elsewhere)


def _a_linked_folder(place: Place) -> None:
    elsewhere = place.home / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.move(place.file.parent, elsewhere)
    place.file.parent.symlink_to(elsewhere)


def _open_to_others(place: Place) -> None:
    place.file.chmod(0o666)


def _a_pipe(place: Place) -> None:
    place.file.unlink()
    os.mkfifo(place.file)


def _gone(place: Place) -> None:
    place.file.unlink()


def _without_an_id(place: Place) -> None:
    place.write(place.patched, id=None)


def _with_a_strange_id(place: Place) -> None:
    place.write(place.patched, id="\x1b[2J")


WRONG = [
    _of_another_build,
    _changed_since,
    _another_that_would_do,
    _more_than_an_import,
    _a_bad_import,
    _a_link,
    _a_linked_folder,
    _open_to_others,
    _a_pipe,
    _gone,
    _without_an_id,
    _with_a_strange_id,
]


@pytest.mark.parametrize("spoil", WRONG)
def test_a_patch_with_something_wrong_is_ignored_and_said(place: Place, spoil: Callable[[Place], None]) -> None:
    spoil(place)
    told = place.start()
    assert told["missing"] == "math"
    assert "in_force" not in told
    assert told["ignored"][MODULE]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"format": 2, "modules": {}}', '{"format": 1, "modules": []}', "[" * 50_000, "\0"],
    ids=["empty", "cut off", "a list", "null", "another format", "no table", "deep", "a zero"],
)
def test_a_damaged_manifest_keeps_nobody_from_starting(place: Place, text: str) -> None:
    (place.folder / MANIFEST).write_text(text)
    told = place.start()
    assert told["missing"] == "math"
    assert told["ignored"]["manifest"]


def test_something_else_in_the_folders_place_keeps_nobody_from_starting(place: Place) -> None:
    shutil.rmtree(place.folder)
    place.folder.write_text("no folder")
    assert "no plain folder" in place.start()["ignored"]["manifest"]
    place.folder.unlink()
    assert place.start() == {"missing": "math"}
    place.file.parent.mkdir(parents=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter everywhere")
def test_a_folder_that_cannot_be_entered_keeps_nobody_from_starting(place: Place) -> None:
    place.folder.chmod(0)
    told = place.start()
    place.folder.chmod(0o700)
    assert "PermissionError" in told["ignored"]["manifest"]


@pytest.mark.parametrize(
    "path", ["../../../out.py", "/etc/passwd", "execution/exchange/gateway.py", "agents/process.py"]
)
def test_a_manifest_cannot_name_what_may_not_be_patched(place: Place, path: str) -> None:
    original = (place.code / path).read_bytes() if (place.code / path).exists() else b""
    row = {"id": "o1", "original": digest(original), "patched": digest(place.patched)}
    place.manifest({"format": FORMAT, "modules": {path: row}})
    told = place.start()
    assert "in_force" not in told
    assert "isn't among" in next(iter(told["ignored"].values()))


def test_what_a_manifest_says_can_steer_no_terminal(place: Place) -> None:
    row = {"id": "\x1b[2J", "original": "", "patched": ""}
    place.manifest({"format": FORMAT, "modules": {"\x1b[2Jexecution\r/a.py": row, PATH: row}})
    told = json.dumps(place.start(), ensure_ascii=False)
    assert told.isprintable()
    assert "u001b" not in told


def test_nothing_of_it_is_loaded_where_there_is_no_overlay(place: Place) -> None:
    shutil.rmtree(place.folder.parent)
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import agents, sys; print([name for name in sys.modules if 'overlay' in name])"],
        env=os.environ
        | {"PYTHONPATH": str(place.code), "NAE_HOME": str(place.home), "SUPERVISOR_PROCESS_NAME": "sandbox_optimus"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    place.folder.mkdir(parents=True)
