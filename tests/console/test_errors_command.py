"""What went wrong, as a person sees it: grouped, newest first, and nothing of it obeyed by the terminal."""

import asyncio
import json
from pathlib import Path

import pytest

from execution.autonomous.healing.seeing.issue_book import WRITE_EVERY_S, Found, IssueBook, file_of
from execution.console.output import visible
from execution.runtime.clock import ManualClock, SystemClock
from execution.runtime.errors import describe
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import LastWord
from execution.vocabulary.issues import IssueType
from tests.console.conftest import Say
from tests.injected import TEXTS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    return Home.find()


class Written:
    """A book that the test fills, with the time that it was."""

    def __init__(self, home: Home, ago_s: float = 0.0) -> None:
        self.clock = ManualClock(now_ms=SystemClock().now_ms() - round(ago_s * 1000))
        self.book = IssueBook(home, self.clock)

    def word(self, process: str, error: Exception, **context: str) -> str:
        told = describe(error, **context)
        self.book.read_last_word(LastWord(process=process, pid=1, build="b", at_ms=0, phase="run", error=told))
        return told.fingerprint

    def keep(self) -> None:
        self.clock.advance(WRITE_EVERY_S)
        asyncio.run(self.book.keep())


def test_before_anything_went_wrong_it_says_so(home: Home, say: Say) -> None:
    assert say("errors") == (0, "nothing went wrong\n", "")
    code, out, _ = say("errors", "--json")
    assert code == 0 and json.loads(out) == {"errors": []}


def test_the_same_fault_of_two_processes_is_one_line_with_both(home: Home, say: Say) -> None:
    written = Written(home)
    for process in ("live_optimus", "sandbox_optimus", "live_optimus"):
        fingerprint = written.word(process, KeyError("x"))
    written.clock.advance(1)
    written.book.find(Found(process="ralph", type=IssueType.HANG, what="hang", told="no pulse"))
    written.keep()
    code, out, _ = say("errors", "--json")
    newest, other = json.loads(out)["errors"]
    assert code == 0 and newest["type"] == "hang"
    assert (other["fingerprint"], other["count"]) == (fingerprint, 3)
    assert other["processes"] == ["live_optimus", "sandbox_optimus"]
    assert other["likely_cause"] and other["first"] <= other["last"]
    code, out, _ = say("errors")
    assert code == 0 and fingerprint in out and "live_optimus, sandbox_optimus" in out and "nae errors show" in out


def test_how_often_it_comes_is_told_once_it_was_seen_for_a_minute(home: Home, say: Say) -> None:
    written = Written(home)
    for _ in range(3):
        written.word("ralph", KeyError("x"))
    written.keep()
    assert json.loads(say("errors", "--json")[1])["errors"][0]["per_hour"] is None
    written.clock.advance(1800 - WRITE_EVERY_S)
    written.word("ralph", KeyError("x"))
    written.keep()
    assert json.loads(say("errors", "--json")[1])["errors"][0]["per_hour"] == 6.0


def test_it_can_be_asked_for_one_process_and_for_the_last_hour(home: Home, say: Say) -> None:
    old = Written(home, ago_s=7200)
    old.word("venue", KeyError("x"))
    old.keep()
    written = Written(home)
    written.word("ralph", ValueError("x"))
    written.keep()
    both = json.loads(say("errors", "--json")[1])["errors"]
    lately = json.loads(say("errors", "--since", "1h", "--json")[1])["errors"]
    of_venue = json.loads(say("errors", "--process", "venue", "--json")[1])["errors"]
    assert [len(found) for found in (both, lately, of_venue)] == [2, 1, 1]
    assert lately[0]["exception"] == "ValueError" and of_venue[0]["exception"] == "KeyError"
    assert json.loads(say("errors", "--since", "7d", "--json")[1])["errors"] == both


def test_one_fault_is_shown_whole_by_the_beginning_of_its_name(home: Home, say: Say) -> None:
    written = Written(home)
    try:
        raise KeyError("candles")
    except KeyError as error:
        fingerprint = written.word("ralph", error, task="study", symbol="BTC/USDT")
    written.keep()
    home.logs.mkdir(parents=True)
    home.log_file("ralph").write_text(f"2026 ERROR task failed fingerprint={fingerprint}\nanother\n")
    code, out, _ = say("errors", "show", fingerprint[:6])
    assert code == 0
    for told in ("KeyError", "study", "BTC/USDT", __name__, "the way to it", "task failed fingerprint=", "because"):
        assert told in out, told
    document = json.loads(say("errors", "show", fingerprint, "--json")[1])
    assert document["in"][0]["frames"] and document["in"][0]["evidence"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--process", "nobody"], "unknown process"),
        (["--since", "yesterday"], "such as 90s, 30m or 1h"),
        (["show", "ffff"], "no fault of the name 'ffff'"),
    ],
)
def test_wrong_words_are_told_with_what_would_be_right(home: Home, say: Say, words: list[str], told: str) -> None:
    code, _, err = say("errors", *words)
    assert code == ExitCode.USAGE and told in err


def test_a_damaged_record_is_said_and_left_where_it_is(home: Home, say: Say) -> None:
    file_of(home).parent.mkdir(parents=True)
    file_of(home).write_text("{")
    code, _, err = say("errors")
    assert code == ExitCode.FAILED and "can't be read" in err and file_of(home).read_text() == "{"


def obeyed(text: str) -> list[str]:
    return [sign for sign in text if not sign.isprintable() and sign != "\n"]


def test_nothing_that_somebody_wrote_into_an_error_or_a_log_is_obeyed_by_the_terminal(home: Home, say: Say) -> None:
    written = Written(home)
    for number, text in enumerate(TEXTS):
        written.word("ralph", RuntimeError(text), symbol=text)
        written.book.find(Found(process="venue", type=IssueType.UNKNOWN, what=f"what {number}", told=text))
    written.book.show({"ralph": list(TEXTS), "venue": list(TEXTS)})
    written.keep()
    found = json.loads(say("errors", "--json")[1])["errors"]
    for words in (["errors"], *(["errors", "show", row["fingerprint"]] for row in found[::4])):
        code, out, err = say(*words)
        assert code == 0 and err == ""
        assert not obeyed(out), words
    log_lines = "".join(f"{text}\n" for text in TEXTS if len(text) < 1_000)
    home.logs.mkdir(parents=True)
    home.log_file("ralph").write_text(log_lines)
    code, out, _ = say("logs", "ralph", "-n", "1000")
    assert code == 0 and not obeyed(out)
    assert "[bold red]CRITICAL[/]" in out, "markup is text"


def test_what_is_made_visible_keeps_its_words_and_its_lines() -> None:
    assert visible("plain – text\n\tindented é") == "plain – text\n\tindented é"
    assert visible("\x1b[31m\u202e\r") == r"\x1b[31m\u202e\r"
