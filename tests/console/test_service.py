"""nae service as a person meets it: what it shows, what it refuses, and with which exit code."""

import json
import os
import pwd
from pathlib import Path

import pytest

from execution.console.cli import run
from execution.vocabulary.exit_codes import ExitCode
from tests.console.conftest import Say

SOMEBODY = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HOME", str(tmp_path))

    def command(*words: str) -> tuple[int, str, str]:
        code = run(["service", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.mark.parametrize("command", ["print", "install", "uninstall", "status"])
def test_every_command_of_it_explains_itself(say: Say, command: str) -> None:
    code, out, _ = say(command, "--help")
    assert code == ExitCode.OK
    assert f"nae service {command}" in out
    assert "Exit codes" in out


@pytest.mark.parametrize("kind", ["launchd", "systemd", "systemd-user"])
def test_printing_needs_no_rights_and_makes_nothing(say: Say, tmp_path: Path, kind: str) -> None:
    code, out, _ = say("print", "--kind", kind, "--mode", "live", "--user", SOMEBODY)
    assert code == ExitCode.OK
    assert str((tmp_path / "home").resolve()) in out
    assert "live" in out
    assert not (tmp_path / "home").exists()


def test_printing_for_a_program_is_one_document_with_the_place_of_the_file(say: Say) -> None:
    _, out, _ = say("print", "--kind", "systemd", "--user", SOMEBODY, "--json")
    document = json.loads(out)
    assert document["file"] == "/etc/systemd/system/nae.service"
    assert document["text"].startswith("# Made by")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("print", "--kind", "cron"), "unknown kind 'cron'; one of launchd, systemd, systemd-user would be right"),
        (("print", "--kind", "systemd", "--mode", "moon"), "unknown mode 'moon'"),
        (("dance",), "nae service --help lists what there is"),
    ],
)
def test_wrong_words_are_a_usage_error(say: Say, words: tuple[str, ...], told: str) -> None:
    code, out, err = say(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert told in err


def test_a_user_that_cant_be_is_a_configuration_error(say: Say) -> None:
    code, _, err = say("print", "--kind", "systemd", "--user", "root")
    assert code == ExitCode.CONFIG
    assert "never trades as root" in err


def test_without_a_service_the_status_says_how_to_get_one(say: Say) -> None:
    code, out, _ = say("status")
    assert code == ExitCode.UNAVAILABLE
    assert "no service installed; scripts/nae service install" in out
    code, out, _ = say("status", "--json")
    assert (code, json.loads(out)["installed"]) == (ExitCode.UNAVAILABLE, False)
