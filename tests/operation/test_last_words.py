"""Real processes that end in each way, under a real supervisord and the real manager: what each died of is known within
a second, also of one that couldn't be imported, and of one that left no word."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from execution.autonomous.healing.seeing.issue_book import IssueFile, Row, file_of
from execution.autonomous.supervisord_config import FOLDER
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import MANAGER
from tests.operation.tiny import TinyOperation, section
from tests.support import eventually

pytestmark = pytest.mark.operation
KNOWN_WITHIN_MS = 1_000
WHEN_TOLD = """
import os, time
go = __file__ + ".go"
while not os.path.exists(go):
    time.sleep(0.02)
os.unlink(go)
"""
WAYS = {
    "ralph": "import agents, a_module_that_is_nowhere",
    "venue": "import agents; exec(compile('def', 'broken.py', 'exec'))",
    "accelerator_controller": """
import sys
from agents.process import run_process
def wire(context):
    raise KeyError("candles")
sys.exit(run_process("accelerator_controller", wire))
""",
    "master_controller": "import os; os.abort()",
}
DIED_OF = {
    ("ralph", IssueType.IMPORT, "import"),
    ("venue", IssueType.SYNTAX, "import"),
    ("accelerator_controller", IssueType.KEY, "start"),
    ("master_controller", IssueType.CRASH, ""),
}


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyOperation]:
    operation = TinyOperation(tmp_path / "home")
    sections = []
    for name, code in WAYS.items():
        (operation.home.root / f"{name}.py").write_text(WHEN_TOLD + code)
        sections.append(section(name, str(operation.home.root / f"{name}.py")))
    conf = [(FOLDER / "supervisord.conf").read_text(), *sections, section(MANAGER, "-m agents.manager")]
    (operation.home.run / "supervisord.conf").write_text("\n".join(conf))
    try:
        yield operation
    finally:
        operation.end()


def test_what_a_process_died_of_is_known_within_a_second(tiny: TinyOperation) -> None:
    def kept() -> list[Row]:
        path = file_of(tiny.home)
        return msgspec.json.decode(path.read_bytes(), type=IssueFile).rows if path.exists() else []

    def died_of() -> set[tuple[str, IssueType, str]]:
        return {(row.process, row.type, row.context.get("phase", "")) for row in kept()}

    tiny.spawn()
    eventually(lambda: " state=running " in tiny.said(MANAGER), within_s=20)
    eventually(lambda: len([one for one in tiny.door.programs() if one.state == "RUNNING"]) == len(WAYS) + 1, 20)
    for name in WAYS:
        (tiny.home.root / f"{name}.py.go").touch()
    eventually(lambda: died_of() == DIED_OF, within_s=20, every_s=0.2)
    words = [row for row in kept() if row.exception]
    assert len(words) == len(WAYS) - 1
    for row in words:
        assert row.count == 1 and row.place != "unknown" and row.frames and row.cause
        assert row.context.get("name", "") in ("", "a_module_that_is_nowhere")
    assert all(row.seen_ms - row.first_ms <= KNOWN_WITHIN_MS for row in words), words
    assert not list(tiny.home.run.glob(".*crash.json*")), "written whole"
