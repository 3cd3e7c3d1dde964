"""Where a key or an attribute was missing: the place, the expression, a diff; and nothing is ever changed."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from execution.autonomous.healing.remedies.suggest_get import SUGGEST_GET
from execution.autonomous.healing.remedy import CannotHeal, Issue
from execution.autonomous.healing.source.import_fix import NoFix
from execution.autonomous.healing.source.suggestion import suggestion
from execution.vocabulary.issues import IssueType, Severity

PATH = "execution/exchange/rules.py"
TEXT = '''"""Rules."""


def of(rows: dict[str, dict[str, int]], name: str) -> int:
    """One."""
    first = rows[name]
    both = rows[name]["least"]
    rows["other"] = {}
    part = [1, 2][0:1]
    length = name.lenght + len(rows.keys())
    return sum(
        rows["sum"].values(),
    )
'''


def issue(exception: str, line: int, **context: str) -> Issue:
    return Issue(
        fingerprint="f",
        type=IssueType.KEY,
        severity=Severity.SERIOUS,
        process="live_optimus",
        exception=exception,
        frames=[f"execution.exchange.rules:of:{line}"],
        context=context,
    )


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / PATH).write_text(TEXT)
    return tmp_path


def test_a_missing_key_is_suggested_as_get_with_its_place_and_a_diff(code: Path) -> None:
    found = suggestion(issue("KeyError", 6), code)
    assert (found.place, found.expressions) == (f"{PATH}:6", ("rows[name]",))
    assert "-    first = rows[name]\n+    first = rows.get(name)\n" in found.diff
    assert found.diff.startswith(f"--- a/{PATH}\n+++ b/{PATH}\n@@")
    assert str(found).startswith(f"never applied by itself; at {PATH}:6, rows[name] found nothing")


def test_of_several_expressions_none_is_picked(code: Path) -> None:
    found = suggestion(issue("KeyError", 7), code)
    assert set(found.expressions) == {'rows[name]["least"]', "rows[name]"}
    assert found.diff == ""


def test_a_missing_attribute_is_suggested_by_its_name(code: Path) -> None:
    found = suggestion(issue("AttributeError", 10, name="lenght"), code)
    assert found.expressions == ("name.lenght",)
    assert '+    length = getattr(name, "lenght", None) + len(rows.keys())' in found.diff
    assert len(suggestion(issue("AttributeError", 10), code).expressions) == 2


@pytest.mark.parametrize("line", [1, 8, 9, 999])
def test_what_is_written_sliced_or_not_there_is_no_place(code: Path, line: int) -> None:
    with pytest.raises(NoFix, match="no such expression"):
        suggestion(issue("KeyError", line), code)


def test_other_errors_and_the_code_of_others_get_no_suggestion(code: Path) -> None:
    with pytest.raises(NoFix, match="nothing is suggested"):
        suggestion(issue("ValueError", 6), code)
    foreign = Issue(**{**_fields(issue("KeyError", 6)), "frames": ["asyncio.runners:run:6"]})
    with pytest.raises(NoFix, match="isn't our code"):
        suggestion(foreign, code)


def test_code_that_cannot_be_read_is_not_the_code_that_ran(code: Path) -> None:
    (code / PATH).write_text("def (:\n" * 9)
    with pytest.raises(NoFix, match="another build"):
        suggestion(issue("KeyError", 6), code)


def _fields(row: Issue) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_it_is_never_applied(tmp_path: Path) -> None:
    class Nothing:
        home = cast(Any, type("Home", (), {"builds": tmp_path, "data": tmp_path}))

    nobody = cast(Any, Nothing())
    assert asyncio.run(SUGGEST_GET.obstacle(issue("KeyError", 6), nobody)).startswith("nothing can be suggested")
    with pytest.raises(CannotHeal, match="for a person"):
        asyncio.run(SUGGEST_GET.apply(issue("KeyError", 6), nobody))
    asyncio.run(SUGGEST_GET.revert({}, nobody))
