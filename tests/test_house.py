"""Style and architecture, executable. The rules stand in house_rules.py; here they meet every file, and each is shown
a small bad source first, so that a rule which can't fail is itself a failure."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import house_rules
from tests.house_plan import DOORS
from tests.house_rules import RULES, Source, banned_name, speaks_of_itself

ROOT = Path(__file__).resolve().parents[1]
TEXT_MAX_BYTES = 1_000_000


def sources(*folders: str) -> list[Source]:
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text()) for path in paths]


HOUSE = sources("execution", "agents", "scripts")
TESTS = sources("tests", "benchmarks")


def tracked_files() -> list[Path]:
    """What the repository holds; outside a repository, everything that isn't made by running."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return [ROOT / name for name in listed.decode().split("\0") if name]
    made = {"data", "logs", ".venv", "__pycache__", "build"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.relative_to(ROOT).parts)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_of_the_house_keeps(rule) -> None:  # type: ignore[no-untyped-def]
    problems = [problem for source in HOUSE for problem in rule(source)]
    assert not problems, "\n" + "\n".join(problems)


def test_the_house_was_found() -> None:
    assert len(HOUSE) > 60
    assert {source.room for source in HOUSE} >= {"vocabulary", "runtime", "ledger", "venue", "autonomous", "agents"}


def test_every_door_stands() -> None:
    missing = [door for doors in DOORS.values() for door in doors if not (ROOT / door).exists()]
    assert not missing, f"doors named in DOORS that aren't there: {missing}"


def test_tests_wait_for_something_and_never_just_sleep() -> None:
    sleepers = {"time.sleep", "asyncio.sleep"}
    problems = [
        source.at(node, "sleeps; wait with eventually(): a fixed sleep is too short here, too long elsewhere")
        for source in TESTS
        if source.path.startswith("tests/") and not source.path.endswith("/support.py")
        for node in source.nodes
        if house_rules._called(node) in sleepers and not _gives_way(node)
    ]
    assert not problems, "\n" + "\n".join(problems)


def _gives_way(node: object) -> bool:
    """asyncio.sleep(0) lets others run, and waits for nothing."""
    return isinstance(node, ast.Call) and ast.unparse(node.args[0]) == "0"


def test_tests_are_named_and_explained_like_the_rest() -> None:
    rules = (house_rules.plain_names, house_rules.no_code_from_text)
    problems = [problem for source in TESTS for rule in rules for problem in rule(source)]
    assert not problems, "\n" + "\n".join(problems)


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    problems = []
    for path in tracked_files():
        if path.is_symlink() or not path.exists() or path.stat().st_size > TEXT_MAX_BYTES:
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            problems += speaks_of_itself(path.relative_to(ROOT).as_posix(), data.decode(errors="replace"))
    assert not problems, "\n" + "\n".join(problems)


def test_no_tracked_file_has_a_banned_name() -> None:
    problems = [problem for path in tracked_files() if (problem := banned_name(path.name))]
    assert not problems, "\n" + "\n".join(problems)


def test_supervisord_configuration_is_a_folder_and_no_package() -> None:
    assert (ROOT / "supervisor" / "supervisord.conf").exists()
    code = list((ROOT / "supervisor").rglob("*.py"))
    assert not code, "code in supervisor/ would shadow the package of that name, and supervisord would not start"


LONG_MODULE = '"""Long."""\n' + "x = 1\n" * 300
LONG_FUNCTION = '"""Long."""\ndef f():\n' + "    x = 1\n" * 60
BAD: list[tuple[str, str, str, str]] = [
    ("import_direction", "execution/ledger/a.py", "from execution.trading.cycle import x", "ledger may import"),
    ("import_direction", "execution/autonomous/a.py", "import execution.ledger.store", "autonomous may import"),
    ("import_direction", "execution/venue/a.py", "from execution.exchange import gateway", "venue may import"),
    ("import_direction", "execution/venue/a.py", "from execution import ledger", "venue may import"),
    ("import_direction", "execution/trading/a.py", "from execution.autonomous import launch", "trading may import"),
    ("import_direction", "execution/research/a.py", "from execution.learning import knowledge", "research may import"),
    ("import_direction", "execution/console/a.py", "def f():\n    import agents.process", "console may import"),
    ("import_direction", "agents/a.py", "import scripts.main_loop", "agents may import"),
    ("import_direction", "execution/runtime/a.py", "import tests.support", "runtime may import"),
    ("vocabulary_is_plain", "execution/vocabulary/a.py", "import numpy", "standard library and msgspec"),
    ("pure_rooms", "execution/research/a.py", "import os", "research is pure"),
    ("pure_rooms", "execution/learning/a.py", "from pathlib import Path", "learning is pure"),
    *[("one_door", "execution/ledger/a.py", f"import {name}", "one door") for name in sorted(DOORS)],
    ("one_door", "execution/runtime/sqlite_other.py", "import sqlite3", "one door"),
    ("one_door", "execution/ledger/a.py", "def f():\n    from zmq import asyncio", "one door"),
    ("one_door", "execution/ledger/a.py", "import pickle", "runs what it reads"),
    ("no_spawning", "agents/a.py", "import os\nos.fork()", "one spawner"),
    ("no_code_from_text", "agents/a.py", "eval('1')", "never code"),
    ("no_code_from_text", "agents/a.py", "exec('x = 1')", "never code"),
    ("time_is_an_argument", "agents/a.py", "import time\ntime.time()", "take a Clock"),
    ("time_is_an_argument", "agents/a.py", "import time\nnow = time.time_ns", "take a Clock"),
    ("time_is_an_argument", "agents/a.py", "from time import sleep", "take a Clock"),
    (
        "time_is_an_argument",
        "agents/a.py",
        "import asyncio\nasync def f():\n    await asyncio.sleep(1)",
        "take a Clock",
    ),
    ("time_is_an_argument", "agents/a.py", "from datetime import datetime\ndatetime.now()", "take a Clock"),
    ("time_is_an_argument", "agents/a.py", "import datetime\ndatetime.date.today()", "take a Clock"),
    ("named_exceptions", "agents/a.py", "try:\n    f()\nexcept:\n    g()", "bare except"),
    ("named_exceptions", "agents/a.py", "try:\n    f()\nexcept Exception:\n    g()", "catches everything"),
    (
        "named_exceptions",
        "agents/a.py",
        "try:\n    f()\nexcept (KeyError, BaseException):\n    g()",
        "catches everything",
    ),
    ("explained_silence", "agents/a.py", "try:\n    f()\nexcept KeyError:\n    pass", "swallows an error"),
    (
        "explained_silence",
        "agents/a.py",
        "for x in y:\n    try:\n        f()\n    except KeyError:\n        continue",
        "swallows",
    ),
    ("money_is_decimal", "execution/ledger/a.py", "class A:\n    price: float", "money is Decimal"),
    ("money_is_decimal", "execution/trading/a.py", "def f(fee: float | None) -> None: ...", "money is Decimal"),
    ("money_is_decimal", "execution/trading/a.py", "def cost() -> float: ...", "money is Decimal"),
    ("money_is_decimal", "execution/exchange/a.py", "x = float(order.price)", "money is Decimal"),
    (
        "money_is_decimal",
        "agents/a.py",
        "class A:\n    def f(self):\n        self.equity: list[float] = []",
        "money is Decimal",
    ),
    ("plain_names", "execution/runtime/utils.py", "", "'utils'"),
    ("plain_names", "agents/a.py", "class EnhancedTrader: ...", "'enhanced'"),
    ("plain_names", "agents/a.py", "def trade_v2(): ...", "'_v2'"),
    ("plain_names", "agents/a.py", "def path_helper(): ...", "'helper'"),
    ("sizes", "agents/a.py", LONG_MODULE, "two nouns"),
    ("sizes", "agents/a.py", LONG_FUNCTION, "nobody sees it whole"),
    ("opening_docstring", "agents/a.py", "x = 1", "no docstring"),
]


@pytest.mark.parametrize(("rule", "path", "text", "said"), BAD)
def test_a_rule_says_no_to_a_bad_source_and_gives_the_reason(rule: str, path: str, text: str, said: str) -> None:
    problems = getattr(house_rules, rule)(Source(path, text))
    assert problems, f"{rule} let it pass"
    assert path in problems[0]
    assert said in problems[0]


def test_every_rule_has_been_shown_a_bad_source() -> None:
    assert {rule.__name__ for rule in RULES} == {row[0] for row in BAD}


GOOD: list[tuple[str, str, str]] = [
    ("import_direction", "execution/learning/a.py", "from execution.research import statistics"),
    ("import_direction", "execution/console/a.py", "from execution.autonomous import launch"),
    ("import_direction", "agents/a.py", "from execution.venue import server"),
    ("one_door", "execution/runtime/sqlite.py", "import sqlite3"),
    ("one_door", "execution/exchange/gateway.py", "import ccxt.async_support"),
    ("time_is_an_argument", "execution/runtime/clock.py", "import time\ntime.time()"),
    ("time_is_an_argument", "agents/a.py", "await_it = clock.sleep(1)\ntime.monotonic()"),
    ("named_exceptions", "execution/runtime/sqlite.py", "try:\n    f()\nexcept BaseException:\n    raise"),
    ("explained_silence", "agents/a.py", "try:\n    f()\nexcept KeyError:\n    pass  # it was never there"),
    ("money_is_decimal", "execution/ledger/a.py", "price_age_s: float\nprice: Decimal\nwait = float(seconds)"),
    ("plain_names", "agents/a.py", "def enhancements_applied(): ...\nclass Utility: ..."),
    ("opening_docstring", "agents/__init__.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_a_rule_lets_a_good_source_pass(rule: str, path: str, text: str) -> None:
    assert getattr(house_rules, rule)(Source(path, text)) == []


@pytest.mark.parametrize("folder", ["work", "root"])
def test_a_path_of_one_machine_is_found_in_any_text(folder: str) -> None:
    assert speaks_of_itself("README.md", f"first line\nrun it in /{folder}/nae")[0].startswith("README.md:2:")
    assert speaks_of_itself("README.md", f"see docs/{folder}/place or $HOME/{folder}/x") == []


@pytest.mark.parametrize("name", ["REPAIR_COMPLETE.md", "misc.txt", "legacy_notes.md", "unified_new.py"])
def test_a_banned_file_name_is_found(name: str) -> None:
    assert banned_name(name) is not None
