"""What may be loaded in place of a module: one import more, of something harmless, in a module that holds no money."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.build import ROOMS
from execution.runtime.overlay_rules import (
    BELOW,
    PATCHABLE,
    PLAIN,
    SOURCE_MAX_BYTES,
    import_refusal,
    patch_refusal,
    path_refusal,
)
from tests.support import ROOT

MODULE = "execution/trading/assistants/data_analysis.py"
PURE = "execution/research/windows.py"
NEVER = {"exchange", "ledger", "venue", "autonomous", "runtime", "vocabulary", "console"}
MONEY = ("risk", "gateway", "ledger", "audit", "heal", "key", "credential", "secret", "guard", "order_execution")
SELLING = ("sell", "exit", "sizing", "protection", "liquidat", "flatten", "quarantine", "recovery", "portfolio", "cost")

ORIGINAL = b'''"""A module.

import this: not in a docstring.
"""

import itertools

from execution.research.regime import Regime
from execution.runtime.clock import iso


@staticmethod
def step(values: list[float], other: int = 2) -> float:
    """Compute."""
    text = """
several
"""
    try:
        return math.sqrt(sum(itertools.chain(values))) + sys.maxsize + len(iso(other)) + len(Regime) + len(text)
    except ValueError:
        return 0.0


def told() -> str:
    return open(os.path.join("a", "b")).read() + json.dumps(subprocess.run(["a"])) + socket.gethostname() + ext()
'''
IMPORT = b"import math"
ABOVE = b"import itertools\n"


def with_line(line: bytes, above: bytes = ABOVE) -> bytes:
    return ORIGINAL.replace(above, above + line + b"\n", 1)


GOOD = with_line(IMPORT)
DOCSTRING = b'"""A module.\n'
BAD: dict[str, bytes] = {
    "os": with_line(b"import os"),
    "sys": with_line(b"import sys"),
    "subprocess": with_line(b"import subprocess"),
    "socket": with_line(b"import socket"),
    "ctypes": with_line(b"import ctypes"),
    "importlib": with_line(b"import importlib"),
    "pathlib": with_line(b"from pathlib import Path"),
    "exec by name": with_line(b"from builtins import exec as ext"),
    "builtins": with_line(b"import builtins"),
    "pickle": with_line(b"import pickle"),
    "a package of a stranger": with_line(b"import ccxt"),
    "numpy in a trader": with_line(b"import numpy as np"),
    "a star": with_line(b"from math import *"),
    "another name": with_line(b"import json as math"),
    "another name, from": with_line(b"from statistics import mean as math"),
    "a module out of another": with_line(b"from enum import sys"),
    "a private name": with_line(b"from collections import _sys as sys"),
    "a dotted import": with_line(b"import os.path"),
    "dotted, of a plain one": with_line(b"import collections.abc"),
    "two in one": with_line(b"import math, os"),
    "two on one line": with_line(b"import math; import os"),
    "a call on the line": with_line(b"import math; exec('x')"),
    "relative": with_line(b"from . import math"),
    "relative, above": with_line(b"from ..assistants import math"),
    "in brackets": with_line(b"from math import (sqrt)"),
    "a comment with it": with_line(b"import math  # noqa"),
    "blanks after it": with_line(b"import math "),
    "a tab": with_line(b"import\tmath"),
    "indented": with_line(b"    import math"),
    "our gateway": with_line(b"from execution.exchange.gateway import math"),
    "our ledger": with_line(b"from execution.ledger.store import math"),
    "our healer": with_line(b"from execution.autonomous.healing.remedy import math"),
    "the compiled kernels": with_line(b"from execution.research.kernels import math"),
    "runtime": with_line(b"from execution.runtime.files import math"),
    "a sister in the room": with_line(b"from execution.trading.portfolio import math"),
    "no such use": with_line(b"import bisect"),
    "already bound": with_line(b"import itertools"),
    "an argument's name": with_line(b"from statistics import other"),
    "Python's own name": with_line(b"from statistics import open"),
    "two lines": with_line(b"import math\nimport json"),
    "a line and a blank one": with_line(b"import math\n"),
    "a line taken away": ORIGINAL.replace(ABOVE, b""),
    "a line in place of another": ORIGINAL.replace(ABOVE, b"import math\n"),
    "nothing at all": ORIGINAL,
    "a number changed": GOOD.replace(b"other: int = 2", b"other: int = 3"),
    "a decorator": ORIGINAL.replace(b"@staticmethod\n", b"@staticmethod\n@print\n"),
    "a condition around it": ORIGINAL.replace(ABOVE, ABOVE + b"if True:\n    import math\n"),
    "a try around it": ORIGINAL.replace(
        ABOVE, b"try:\n    import math\nexcept ImportError:\n    math = None\n" + ABOVE
    ),
    "within a function": ORIGINAL.replace(b"    try:\n", b"    import math\n    try:\n"),
    "below other code": ORIGINAL + IMPORT + b"\n",
    "in the docstring": with_line(IMPORT, DOCSTRING),
    "in a text": with_line(IMPORT, b'    text = """\n'),
    "the docstring changed": GOOD.replace(b"A module.", b"Another."),
    "above the docstring": b"import math\n" + ORIGINAL,
    "__import__": ORIGINAL.replace(ABOVE, ABOVE + b'math = __import__("math")\n'),
    "a coding line": b"# -*- coding: utf-7 -*-\n" + ORIGINAL,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "carriage returns": GOOD.replace(b"\n", b"\r\n"),
    "one carriage return": with_line(b"import math\r"),
    "a zero": with_line(b"import math\0"),
    "a form feed": with_line(b"\x0cimport math"),
    "wide letters": with_line("import ｍath".encode()),
    "a letter that looks alike": with_line("import mаth".encode()),
    "a blank of no width": with_line("import math\u200b".encode()),
    "right to left": with_line("import math\u202e".encode()),
    "another end of line": with_line("import math\u2028import os".encode()),
    "other bytes": with_line(b"import math\xff"),
    "no Python": GOOD + b"def (",
    "huge": GOOD + b"#" * SOURCE_MAX_BYTES,
    "empty": b"",
}


def test_a_missing_import_of_something_plain_is_allowed() -> None:
    assert patch_refusal(MODULE, ORIGINAL, GOOD) == ""
    assert patch_refusal(MODULE, ORIGINAL, with_line(b"import json")) == ""


@pytest.mark.parametrize("name", BAD)
def test_a_bad_patch_is_refused_with_its_reason(name: str) -> None:
    assert patch_refusal(MODULE, ORIGINAL, BAD[name])


def test_the_corpus_is_large_and_each_of_it_differs() -> None:
    assert len(set(BAD.values())) == len(BAD) >= 50


def test_an_import_before_one_from_the_future_is_refused() -> None:
    original = b'"""A."""\n\nfrom __future__ import annotations\n\nprint(math.pi)\n'
    early = original.replace(b"from __future__", b"import math\nfrom __future__")
    late = original.replace(b"annotations\n", b"annotations\nimport math\n")
    assert patch_refusal(PURE, original, early)
    assert patch_refusal(PURE, original, late) == ""


def test_a_source_with_an_encoding_of_its_own_is_left_alone() -> None:
    for comment in (b"# coding: latin-1\n", b"# -*- coding=utf-8 -*-\n"):
        assert "encoding" in patch_refusal(MODULE, comment + ORIGINAL, comment + GOOD)


def test_a_huge_source_is_left_alone() -> None:
    filled = b"#" * SOURCE_MAX_BYTES + b"\n"
    assert "over" in patch_refusal(MODULE, ORIGINAL + filled, GOOD + filled)


def test_of_our_own_only_what_lies_below_may_be_imported_and_nothing_heavy() -> None:
    assert import_refusal(MODULE, "from execution.research.windows import true_range") == ""
    assert import_refusal(MODULE, "from execution.runtime.clock import iso") == ""
    assert import_refusal(PURE, "from execution.vocabulary.market import Candle") == ""
    for line in ("from execution.research.kernels import compiled", "from execution.runtime.clock import SystemClock"):
        assert import_refusal(MODULE, line)
    for line in (
        "from execution.research.bars import Vector",
        "from execution.runtime.clock import iso",
        "import logging",
    ):
        assert import_refusal(PURE, line)


BAD_PATHS = [
    "",
    ".",
    "..",
    "/etc/passwd",
    "execution/research/../exchange/gateway.py",
    "execution/research/./windows.py",
    "execution//research/windows.py",
    "/execution/research/windows.py",
    "./execution/research/windows.py",
    "execution/research/windows.py/",
    "execution/research/windows.PY",
    "execution\\research\\windows.py",
    "execution/research/windows.py\0",
    "execution/research/windows.py\n",
    "execution/research/wіndows.py",
    "execution/research/strategies/__init__.py",
    "execution/research/kernels.py",
    "execution/research/costs.py",
    "execution/research/exits.py",
    "execution/research/a_new_one.py",
    "execution/trading/assistants/risk_management.py",
    "agents/manager.py",
    "agents/process.py",
    "agents/optimus.py",
    "agents/__init__.py",
    "scripts/main_loop.py",
    "sitecustomize.py",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_is_not_exactly_one_of_the_few_is_refused(path: str) -> None:
    assert path_refusal(path)
    assert patch_refusal(path, ORIGINAL, GOOD)


def test_every_module_of_the_tree_that_may_be_patched_is_one_that_holds_no_money() -> None:
    modules = {path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    allowed = {path for path in modules if not path_refusal(path)}
    assert allowed == PATCHABLE, "a name stands there that is no module"
    assert len(modules) > 250 > 10 * len(allowed) / 2
    for path in allowed:
        assert not NEVER & set(Path(path).parts)
        assert not [word for word in (*MONEY, *SELLING) if word in path]


def test_no_module_that_may_be_patched_sends_or_writes() -> None:
    for path in sorted(PATCHABLE - {"agents/ralph.py"}):  # it reads candles with a client that has no key
        source = (ROOT / path).read_text()
        assert "exchange" not in source.split('"""', 2)[2].split("class ")[0].replace("# ", ""), path
        assert "write_atomically" not in source, path


@pytest.mark.parametrize("module", sorted({"os", "sys", "socket", "subprocess", "asyncio", "time", "datetime", "io"}))
def test_what_reaches_outside_is_never_imported(module: str) -> None:
    for path in PATCHABLE:
        assert import_refusal(path, f"import {module}")
        assert import_refusal(path, f"from {module} import path")
    assert module not in PLAIN


def test_imports_of_our_own_only_go_down_so_that_no_circle_can_come_of_it() -> None:
    ranks = {"vocabulary": 0, "research": 1, "learning": 2, "trading": 3, "agents": 4}
    for room, below in BELOW.items():
        mine = ranks[room.rstrip("/").rpartition("/")[2]]
        assert all(ranks[name.split(".")[1]] < mine for name in below)


WORDS = st.sampled_from(
    [
        "import ",
        "from ",
        "math",
        "os",
        " as ",
        ".",
        ",",
        ";",
        "*",
        "(",
        "sys",
        "execution.ledger",
        "\n",
        " ",
        "json",
        "#",
    ]
)


@given(st.lists(WORDS, max_size=8).map("".join))
def test_whatever_line_is_allowed_is_one_import_of_one_allowed_thing(line: str) -> None:
    if import_refusal(MODULE, line):
        return
    (statement,) = ast.parse(line).body
    assert isinstance(statement, ast.Import | ast.ImportFrom)
    (alias,) = statement.names
    module = statement.module if isinstance(statement, ast.ImportFrom) else alias.name
    assert module in PLAIN | {"logging"}
    assert alias.asname is None
    assert alias.name != "*"


@given(st.binary(max_size=40), st.integers(0, len(ORIGINAL)))
def test_bytes_put_in_anywhere_are_refused_or_are_one_allowed_import(added: bytes, at: int) -> None:
    patched = ORIGINAL[:at] + added + ORIGINAL[at:]
    assert patch_refusal(MODULE, ORIGINAL, patched) or patched in (GOOD, with_line(b"import json"))
