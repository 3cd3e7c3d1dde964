"""A process that ends by an error leaves a word, whatever it was doing; one without an error leaves none."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.last_word import SIZE_MAX_BYTES, SUFFIX, leave_last_word, take_last_words
from execution.runtime.redaction import hide
from tests.support import ROOT

AGENT = """
import sys
from agents.process import run_process
from tests.runtime.test_last_word import Ends
sys.exit(run_process("ralph", lambda context: Ends(context, sys.argv[1])))
"""


class Ends:
    """An agent that ends its process in one way."""

    def __init__(self, context, how: str) -> None:  # type: ignore[no-untyped-def]
        self._context, self._how = context, how

    async def start(self) -> None:
        if self._how == "start":
            raise KeyError("candles")
        if self._how == "run":
            self._context.broken.set()
            from agents.context import in_background

            in_background(self._context, self._breaks(), "part")
        if self._how == "well":
            os.kill(os.getpid(), 15)

    async def _breaks(self) -> None:
        raise ZeroDivisionError("in the middle")

    def tasks(self) -> list[object]:
        return []

    def components(self) -> dict[str, object]:
        return {}

    facts = components

    async def stop(self) -> None:
        return None


def end(home: Path, code: str, *words: str, supervised: bool = True, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"NAE_HOME": str(home)} | more
    environment.pop("SUPERVISOR_PROCESS_NAME", None)
    if supervised:
        environment["SUPERVISOR_PROCESS_NAME"] = "ralph"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "kind", "issue_name"),
    [
        ("import agents, nowhere_at_all", "ModuleNotFoundError", "nowhere_at_all"),
        ("import agents; from execution.runtime.clock import SystemClok", "ImportError", "execution.runtime.clock"),
        ("import agents, execution.runtime.clock as c; c.SystemClok", "AttributeError", "SystemClok"),
        ("import agents; compile('def', 'x.py', 'exec')", "SyntaxError", ""),
    ],
)
def test_who_cant_even_be_imported_leaves_a_word(tmp_path: Path, code: str, kind: str, issue_name: str) -> None:
    done = end(tmp_path, code)
    (told,) = take_last_words(Home(tmp_path).run)
    assert (told.process, told.phase, told.error.kind) == ("ralph", "import", kind)
    assert told.error.context.get("name", "") == issue_name
    assert kind in done.stderr, "Python has said it as ever"
    assert told.error.frames and len(told.build) == 12 and told.pid > 0
    assert take_last_words(Home(tmp_path).run) == [], "taken once"


def test_who_has_somebody_to_look_on_leaves_none(tmp_path: Path) -> None:
    end(tmp_path, "import agents, nowhere_at_all", supervised=False)
    assert not list(tmp_path.rglob(f"*{SUFFIX}"))


@pytest.mark.parametrize(("how", "kind", "phase"), [("start", "KeyError", "start"), ("run", "RuntimeError", "run")])
def test_who_is_ended_by_an_error_at_work_leaves_a_word(tmp_path: Path, how: str, kind: str, phase: str) -> None:
    before = SystemClock().now_ms()
    assert end(tmp_path, AGENT, how, supervised=False).returncode == 70
    (told,) = take_last_words(Home(tmp_path).run)
    assert (told.error.kind, told.phase, told.error.context["phase"]) == (kind, phase, phase)
    assert before <= told.at_ms <= SystemClock().now_ms()


def test_wrong_words_of_a_person_are_a_word_too_and_an_orderly_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "nae.toml").write_text("[operation]\nnonsense = 1\n")
    assert end(tmp_path, AGENT, "well", supervised=False).returncode == 78
    (told,) = take_last_words(Home(tmp_path).run)
    assert told.error.kind == "ConfigError" and told.error.issue == "config"
    (tmp_path / "nae.toml").unlink()
    assert end(tmp_path, AGENT, "well", supervised=False).returncode == 0
    assert take_last_words(Home(tmp_path).run) == []


def test_nothing_secret_stands_in_it(tmp_path: Path) -> None:
    hide("s3cr3t-of-the-account")
    home = Home(tmp_path)
    home.prepare()
    secret_value = "s3cr3t-of-the-account"
    try:
        raise ValueError(f"request with {secret_value} failed at /x?signature=abcdef0123456789")
    except ValueError as error:
        leave_last_word(home, "ralph", "run", error)
    text = (home.run / f"ralph{SUFFIX}").read_text()
    assert "s3cr3t" not in text and "abcdef0123456789" not in text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b'{"process": "venue"}', b"x" * (SIZE_MAX_BYTES + 1)], ids=range(6)
)
def test_what_is_no_last_word_is_said_and_goes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"ralph{SUFFIX}").write_bytes(content)
    assert take_last_words(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_a_word_under_another_processs_name_isnt_believed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    leave_last_word(home, "ralph", "run", ValueError("x"))
    (home.run / f"ralph{SUFFIX}").rename(home.run / f"venue{SUFFIX}")
    assert take_last_words(home.run) == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_json_is_a_word_or_is_put_away(tmp_path: Path, value: object) -> None:
    (tmp_path / f"ralph{SUFFIX}").write_text(json.dumps(value))
    assert take_last_words(tmp_path) == []


def test_the_hook_costs_nothing_at_a_start(tmp_path: Path) -> None:
    code = "import sys, agents; print([name for name in sys.modules if name.startswith('execution')])"
    assert end(tmp_path, code).stdout.strip() == "[]"


def test_it_is_there_within_a_second_of_the_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    began = time.monotonic()
    leave_last_word(home, "ralph", "run", ValueError("x"))
    assert time.monotonic() - began < 1.0
    assert len(take_last_words(home.run)) == 1
