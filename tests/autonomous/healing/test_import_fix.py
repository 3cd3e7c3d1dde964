"""The one import that a module lacks: found by how the rest of the code does it, put in by the syntax tree."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.healing.remedy import Issue
from execution.autonomous.healing.source.import_fix import NoFix, find_fix, only_import_of, with_import
from execution.runtime.overlay_rules import PATCHABLE, import_refusal, patch_refusal
from execution.vocabulary.issues import IssueType, Severity
from tests.support import ROOT

MODULE = "execution.research.windows"
TEXT = '''"""Sums."""

from execution.vocabulary.market import Candle


def root(value: float) -> float:
    """Of what is below."""
    return math.sqrt(value) if Candle else 0.0
'''


def issue(name: str = "math", *, exception: str = "NameError", frame: str = f"{MODULE}:root:8") -> Issue:
    return Issue(
        fingerprint="f" * 12,
        type=IssueType.IMPORT,
        severity=Severity.SERIOUS,
        process="sandbox_optimus",
        exception=exception,
        place=f"{MODULE}:root",
        template="name '…' is not defined; pip install math",
        frames=["agents.process:run:10", frame],
        context={"name": name, "task": "cycle"},
    )


@pytest.fixture
def code(tmp_path: Path) -> Path:
    files = {
        "execution/research/windows.py": TEXT,
        "execution/research/bars.py": '"""Bars."""\n\nimport math\nimport os\n\nROOT = math.pi\n',
        "execution/learning/a.py": '"""A."""\n\nimport json\nfrom enum import Enum as Kind\n',
        "execution/ledger/a.py": '"""A."""\n\nfrom simplejson import json\nfrom math import (\n    pi,\n    sqrt,\n)\n',
        "execution/exchange/gateway.py": TEXT,
        "agents/a.py": '"""A."""\n\nimport numpy as np\n\n\ndef f() -> None:\n    import bisect\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_name_that_others_import_is_imported_in_the_same_way(code: Path) -> None:
    fix = find_fix(issue(), code)
    assert (fix.path, fix.line) == ("execution/research/windows.py", "import math")
    assert fix.patched.decode() == TEXT.replace("\nfrom execution", "\nimport math\nfrom execution", 1)
    assert (code / fix.path).read_text() == TEXT, "the code itself stays as it is"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "which name"),
        ({"name": "math; import os"}, "which name"),
        ({"name": "../math"}, "which name"),
        ({"name": "mаth"}, "which name"),
        ({"name": "m" * 200}, "which name"),
        ({"name": "os"}, "doesn't use os"),
        ({"name": "value"}, "bound elsewhere"),
        ({"exception": "KeyError"}, "no name"),
        ({"exception": "UnboundLocalError"}, "no name"),
        ({"exception": "ModuleNotFoundError"}, "no name"),
        ({"frame": f"{MODULE}:root:7"}, "doesn't use math"),
        ({"frame": f"{MODULE}:root:999999"}, "doesn't use math"),
        ({"frame": f"{MODULE}:root"}, "in which line"),
        ({"frame": "../../etc/passwd:f:1"}, "in which line"),
        ({"frame": "execution.exchange.gateway:root:8"}, "may be patched"),
        ({"frame": "asyncio.runners:run:8"}, "may be patched"),
        ({"frame": "execution.research.trend:root:8"}, "may be patched"),
        ({"frame": "execution.research.sweep:root:8"}, "can't be read"),
    ],
)
def test_what_the_report_does_not_say_exactly_is_not_guessed(code: Path, changed: dict[str, str], said: str) -> None:
    with pytest.raises(NoFix, match=said):
        find_fix(issue(**changed), code)


def test_two_ways_to_import_a_name_are_no_answer(code: Path) -> None:
    with pytest.raises(NoFix, match="different ways: from simplejson import json, import json"):
        only_import_of("json", code)


def test_only_what_a_module_imports_for_all_of_itself_counts(code: Path) -> None:
    assert only_import_of("np", code) == "import numpy as np"
    assert only_import_of("sqrt", code) == "from math import sqrt"
    assert only_import_of("Kind", code) == "from enum import Enum as Kind"
    for name in ("bisect", "Enum", "requests", "eval"):
        with pytest.raises(NoFix, match="nowhere else"):
            only_import_of(name, code)


@pytest.mark.parametrize("name", ["os", "np", "Kind"])
def test_what_others_import_is_not_given_to_everybody(code: Path, name: str) -> None:
    path = code / "execution/research/windows.py"
    path.write_text(TEXT.replace("math", name))
    with pytest.raises(NoFix, match=r"may not be given|one plain import|another name"):
        find_fix(issue(name), code)


def test_a_name_that_only_type_checkers_know_is_not_fixed(code: Path) -> None:
    path = code / "execution/research/windows.py"
    path.write_text(TEXT.replace("\n\n\ndef", "\n\nif TYPE_CHECKING:\n    import math\n\n\ndef"))
    with pytest.raises(NoFix, match="bound elsewhere"):
        find_fix(issue(frame=f"{MODULE}:root:11"), code)


def test_code_that_cannot_be_read_is_left_alone(code: Path) -> None:
    (code / "execution/learning/broken.py").write_text("import math\ndef (:\n")
    with pytest.raises(NoFix, match="can't be read"):
        find_fix(issue(), code)
    (code / "execution/research/windows.py").write_text("def (:\n" * 9)
    with pytest.raises(NoFix, match="can't be read"):
        find_fix(issue(), code)


def _single_imports(source: bytes) -> list[tuple[str, bytes]]:
    """Each import of one thing on one line, and the source without it."""
    lines = source.split(b"\n")
    statements = [row for row in ast.parse(source).body if isinstance(row, ast.Import | ast.ImportFrom)]
    short = [row for row in statements if len(row.names) == 1 and row.lineno == row.end_lineno]
    return [(ast.unparse(row), b"\n".join(lines[: row.lineno - 1] + lines[row.lineno :])) for row in short]


def test_an_import_taken_out_of_any_patchable_module_is_put_back_among_the_others() -> None:
    tried = at_home = 0
    for path in sorted(PATCHABLE):
        source = (ROOT / path).read_bytes()
        for line, without in _single_imports(source):
            if import_refusal(path, line):
                continue
            patched = with_import(without, line)
            assert patch_refusal(path, without, patched) == "", f"{path}: {line}"
            tried += 1
            at_home += patched == source
    assert tried > 80
    assert at_home > 0.7 * tried, "the others stood alone in their section, which is gone with them"


TOP = st.sampled_from(
    ["import ast", "import zlib", "from enum import Enum", "from execution.a import b", "import msgspec", "# said", ""]
)


@given(st.booleans(), st.lists(TOP, max_size=6))
def test_whatever_a_module_begins_with_it_gets_one_line_and_no_more(documented: bool, top: list[str]) -> None:
    head = ['"""A module."""', ""] if documented else []
    source = "\n".join([*head, *top, "", "x = math.pi", ""]).encode()
    patched = with_import(source, "import math")
    assert patch_refusal("execution/research/windows.py", source, patched) == ""
