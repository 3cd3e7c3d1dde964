"""The command line as a person meets it: words in; text, JSON and exit codes out. No operation runs here."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.autonomous.packages import Environment
from execution.console import cli
from execution.console.cli import run
from execution.console.operation_commands import typed
from execution.ledger.opening import open_ledger
from execution.ledger.rows import LedgerDamaged
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from tests.console.conftest import Say

COMMANDS = ["up", "down", "status", "doctor", "logs", "pause", "resume", "positions", "orders", "fills"]
MORE = [
    "start",
    "stop",
    "restart",
    "handover",
    "watch",
    "verify",
    "service",
    "venue",
    "why",
    "kill",
    "audit",
    "arm",
    "knowledge",
    "reconcile",
    "keys",
    "liquidate",
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("NAE_MARKET", "NAE_SPEED", "NAE_VOLUME_UNIT"):
        monkeypatch.delenv(name, raising=False)
    return Home.find()


@pytest.mark.parametrize("command", COMMANDS + MORE)
def test_every_command_explains_itself(say: Say, command: str) -> None:
    code, out, _ = say(command, "--help")
    assert code == ExitCode.OK
    assert f"nae {command}" in out


def test_help_names_every_command_and_the_exit_codes(say: Say) -> None:
    code, out, _ = say("--help")
    assert code == ExitCode.OK
    assert all(f" {command} " in out for command in COMMANDS + MORE)
    assert "Exit codes" in out


WRONG = [("dance",), ("status", "--jsn"), ("logs", "-n", "many"), ("fills", "-n", "0"), ("pause",), ("up", "a", "b")]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_a_usage_error_with_one_next_step(say: Say, words: tuple[str, ...]) -> None:
    code, out, err = say(*words)
    assert code == ExitCode.USAGE
    assert out == ""
    assert err.startswith("nae: ")
    command = words[0] if words[0] in COMMANDS else ""
    assert err.rstrip().endswith(f"({f'nae {command}'.strip()} --help lists what there is)")


def test_no_words_at_all_show_the_help_and_nothing_else(say: Say) -> None:
    code, out, err = say()
    assert (code, err) == (ExitCode.OK, "")
    assert all(f" {command} " in out for command in COMMANDS)


@pytest.mark.parametrize("group", ["service", "venue"])
def test_a_group_without_a_word_shows_its_help_and_nothing_else(say: Say, group: str) -> None:
    code, out, err = say(group)
    assert code == ExitCode.USAGE
    assert f"nae {group}" in out and err == ""


def test_status_of_an_operation_that_never_ran_says_how_to_start_it(say: Say) -> None:
    code, out, _ = say("status")
    assert code == ExitCode.UNAVAILABLE
    assert "not running; start it with" in out


def test_status_is_one_json_document_with_the_promised_words(say: Say) -> None:
    code, out, err = say("status", "--json")
    assert (code, err) == (ExitCode.UNAVAILABLE, "")
    document = json.loads(out)
    promised = {"running", "mode", "overall_status", "enhancements_applied", "error_rate", "learning_active"}
    assert set(document) >= promised | {"processes", "system_resources", "accounts"}
    assert document["running"] is False


def test_status_of_an_operation_whose_manager_doesnt_answer_is_critical(home: Home, say: Say) -> None:
    home.prepare()
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 1 mode sandbox")
    code, out, _ = say("status", "--json")
    lock.release()
    document = json.loads(out)
    assert code == ExitCode.OK
    assert (document["running"], document["overall_status"], document["mode"]) == (True, "CRITICAL", "sandbox")
    assert "continuous_operation isn't running" in document["note"]


def test_down_of_what_doesnt_run_is_done(say: Say) -> None:
    code, out, _ = say("down")
    assert (code, out) == (ExitCode.OK, "not running\n")


def test_down_never_touches_the_pid_that_a_dead_operation_left(home: Home, say: Say) -> None:
    home.prepare()
    home.operation_lock.write_text("pid 1 mode dual")
    home.pid_file.write_text("1")
    code, out, _ = say("down")
    assert (code, out) == (ExitCode.OK, "not running\n")


def test_an_unknown_mode_is_a_usage_error_that_names_the_right_ones(say: Say) -> None:
    code, _, err = say("up", "triple")
    assert code == ExitCode.USAGE
    assert "unknown mode 'triple'; one of sandbox, live, dual would be right" in err


def test_up_refuses_a_wrong_nae_toml_by_file_and_key(home: Home, say: Say) -> None:
    home.config_file.write_text("[venue]\nsped = 1\n")
    code, _, err = say("up")
    assert code == ExitCode.CONFIG
    assert f"{home.config_file}: unknown key venue.sped = 1; did you mean venue.speed?" in err
    assert not home.data.exists(), "a refused start leaves nothing behind"


def test_up_refuses_a_second_operation_and_names_the_first(home: Home, say: Say) -> None:
    home.prepare()
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 4711 mode dual")
    code, _, err = say("up")
    lock.release()
    assert code == ExitCode.BUSY
    assert "already running (pid 4711 mode dual); `scripts/nae down` stops it" in err


def test_up_refuses_ground_that_isnt_fit(home: Home, say: Say) -> None:
    home.data.write_text("a file where a folder should be")
    code, _, err = say("up")
    assert code == ExitCode.OS_ERROR
    assert f"can't write to {home.data}" in err


def test_doctor_finds_a_fresh_folder_well(say: Say) -> None:
    code, out, _ = say("doctor", "--json")
    findings = {row["check"]: row for row in json.loads(out)}
    ground = {"python", "packages", "folders", "disk", "nae.toml"}
    assert set(findings) == ground | {"adjustments", "supervisord", "user", "sleep", "service", "operation", "orders"}
    wrong = {name for name, row in findings.items() if not row["ok"]}
    assert wrong <= {"packages"}, "only the packages may differ from the lock on a developer's machine"
    assert code == (ExitCode.FAILED if wrong else ExitCode.OK)


def test_doctor_names_what_is_wrong_and_goes_on(home: Home, say: Say) -> None:
    home.config_file.write_text('[operation]\nlog_level = "LOUD"\n')
    home.logs.write_text("in the way")
    code, out, _ = say("doctor", "--json")
    findings = {row["check"]: row for row in json.loads(out)}
    assert code == ExitCode.FAILED
    assert not findings["nae.toml"]["ok"]
    assert "operation.log_level = 'LOUD' isn't known" in findings["nae.toml"]["finding"]
    assert f"can't write to {home.logs}" in findings["folders"]["finding"]
    assert findings["python"]["ok"]


def test_doctor_names_what_the_operation_has_adjusted_and_a_damaged_file_of_it(home: Home, say: Say) -> None:
    book = AdjustmentBook(home, SystemClock())
    added = book.add("operation.request_timeout_s", 4.5, "99 of 100 took 3.1 s")
    _, out, _ = say("doctor", "--json")
    finding = next(row for row in json.loads(out) if row["check"] == "adjustments")
    assert finding["finding"] == f"request_timeout_s = 4.5 instead of 4.0 ({added.id}: 99 of 100 took 3.1 s)"
    book.path.write_text("{}")
    _, out, _ = say("doctor", "--json")
    finding = next(row for row in json.loads(out) if row["check"] == "adjustments")
    assert not finding["ok"]
    assert "is refused: " in finding["finding"]


def test_doctor_deep_reads_every_file_of_every_package(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bool] = []

    def found(environment: Environment, deep: bool = True) -> dict[str, str]:
        looked.append(deep)
        return {"aiohttp": f"{environment.site}/aiohttp/web.py has other content"}

    monkeypatch.setattr("execution.console.doctor.damage", found)
    code, out, _ = say("doctor", "--deep", "--json")
    finding = next(row for row in json.loads(out) if row["check"] == "packages")
    assert (code, looked, finding["ok"]) == (ExitCode.FAILED, [True], False)
    assert "aiohttp: " in finding["finding"]
    assert "web.py has other content" in finding["finding"]


def test_doctor_says_when_a_port_is_taken(home: Home, say: Say) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        home.config_file.write_text(f"[venue]\nport = {taken.getsockname()[1]}\n")
        code, out, _ = say("doctor")
    assert code == ExitCode.FAILED
    assert "use a free port" in " ".join(out.split())


def test_doctor_removes_no_stale_pid_file_but_names_it(home: Home, say: Say) -> None:
    home.prepare()
    home.pid_file.write_text("1")
    _, out, _ = say("doctor", "--json")
    finding = next(row["finding"] for row in json.loads(out) if row["check"] == "operation")
    assert finding == f"not running; stale pid file {home.pid_file}"
    assert home.pid_file.exists()


LOG = "2026-11-21T08:15:00.123Z {}   nae.venue: number {} [bold]of[/] [/many]\n"


def test_logs_shows_the_last_lines_of_each_under_its_name(home: Home, say: Say) -> None:
    home.prepare()
    home.log_file("venue").write_text("".join(LOG.format("INFO ", n) for n in range(20)))
    home.log_file("ralph").write_text(LOG.format("ERROR", 1))
    code, out, _ = say("logs", "-n", "2")
    assert code == ExitCode.OK
    assert [line.split()[0] for line in out.splitlines()] == ["ralph", "venue", "venue"]
    assert "number 19 [bold]of[/] [/many]" in out, "what a log says is never read as markup"


def test_logs_of_one_level_and_one_process(home: Home, say: Say) -> None:
    home.prepare()
    home.log_file("venue").write_text(LOG.format("INFO ", 1) + LOG.format("ERROR", 2) + LOG.format("INFO ", 3))
    home.log_file("ralph").write_text(LOG.format("ERROR", 4))
    _, out, _ = say("logs", "venue", "--level", "error")
    assert "number 2" in out
    assert len(out.splitlines()) == 1


def test_logs_of_an_unknown_process_names_the_known_ones(home: Home, say: Say) -> None:
    home.prepare()
    home.log_file("venue").write_text("")
    code, _, err = say("logs", "venu")
    assert code == ExitCode.USAGE
    assert f"no log of 'venu' in {home.logs}; there are: venue" in err


def test_logs_before_the_first_start_says_when_there_will_be_some(home: Home, say: Say) -> None:
    code, out, err = say("logs")
    assert (code, out) == (ExitCode.UNAVAILABLE, "")
    assert f"no logs in {home.logs} yet; they appear with the first start: scripts/nae up" in err


def test_the_last_lines_of_a_level_are_found_behind_many_others(home: Home, say: Say) -> None:
    home.prepare()
    noise = "".join(LOG.format("INFO ", n) for n in range(500))
    home.log_file("venue").write_text("".join(LOG.format("ERROR", n) for n in (1, 2, 3)) + noise)
    _, out, _ = say("logs", "--level", "ERROR", "-n", "2")
    assert [line.split("number ")[1].split()[0] for line in out.splitlines()] == ["2", "3"]


def test_an_unknown_level_is_a_usage_error(home: Home, say: Say) -> None:
    home.prepare()
    home.log_file("venue").write_text(LOG.format("INFO ", 1))
    code, out, err = say("logs", "--level", "loud")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "unknown level 'loud'; one of DEBUG, INFO, WARNING, ERROR, CRITICAL would be right" in err


def test_a_pause_without_a_reason_is_a_usage_error(say: Say) -> None:
    code, _, err = say("pause", " ")
    assert code == ExitCode.USAGE
    assert "a pause needs a reason" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_home_that_is_a_file_is_said_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say, command: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "file"))
    code, _, err = say(command, *(["news"] if command == "pause" else []))
    assert code == ExitCode.CONFIG
    assert f"NAE_HOME = {tmp_path / 'file'} is no folder" in err


def test_doctor_makes_no_home_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "not" / "yet"))
    _, out, _ = say("doctor", "--json")
    findings = {row["check"]: row for row in json.loads(out)}
    assert findings["folders"]["finding"] == f"{tmp_path / 'not' / 'yet'} doesn't exist yet; the first start makes it"
    assert all(findings[name]["ok"] for name in ("folders", "disk", "operation"))
    assert not (tmp_path / "not").exists()


def test_the_next_commands_after_a_start_can_be_typed_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.find(tmp_path)
    assert typed(home.logs) == "logs"
    assert typed(Home.find(tmp_path / "a b").logs) == "'a b/logs'"
    monkeypatch.chdir("/")
    assert typed(tmp_path.resolve()) == str(tmp_path.resolve()).removeprefix("/")


@pytest.mark.parametrize("command", [("positions",), ("orders",), ("fills",), ("pause", "news"), ("resume",)])
def test_without_an_account_yet_a_command_says_when_there_will_be_one(say: Say, command: tuple[str, ...]) -> None:
    code, _, err = say(*command)
    assert code == ExitCode.UNAVAILABLE
    assert "no trading account here yet; it appears with the first start: scripts/nae up" in err


def test_a_damaged_ledger_is_named_and_the_other_account_is_shown_and_paused_all_the_same(home: Home, say: Say) -> None:
    for account in ("sandbox", "live"):
        home.account(account).mkdir(parents=True)
        open_ledger(home.ledger(account), account, SystemClock()).close()
    home.ledger("sandbox").write_bytes(b"no database at all" * 1000)
    for command in ("positions", "orders", "fills"):
        code, out, err = say(command, "--json")
        assert (code, json.loads(out)) == (ExitCode.FAILED, [])
        assert f"sandbox: {home.ledger('sandbox')} can't be read" in err and "live" not in err
    code, out, err = say("pause", "news")
    assert code == ExitCode.CONFIG
    assert "live: paused" in out and "the ledger can't be trusted" in err


def test_an_unknown_account_is_a_usage_error(say: Say) -> None:
    code, _, err = say("fills", "--account", "savings")
    assert code == ExitCode.USAGE
    assert "unknown account 'savings'; one of sandbox, live would be right" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.CONFIG),
        (BusyError("x"), ExitCode.BUSY),
        (LedgerDamaged("fill 3 doesn't match its hash"), ExitCode.FAILED),
        (DatabaseError("file is not a database"), ExitCode.FAILED),
        (PermissionError(13, "Permission denied", "/home/x"), ExitCode.OS_ERROR),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def raising(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(cli, "app", raising)
    assert run([]) == code
