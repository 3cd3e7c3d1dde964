"""`nae keys`: put in from a pipe, never shown; checked against what the exchange says."""

import io
import json
import sys
from pathlib import Path

import pytest

from execution.console.cli import run
from execution.console.venue_control import ask_control
from execution.exchange.embedded_access import port_file
from execution.exchange.key_provider import own_file
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from tests.chaos.family import CONFIG, family_in
from tests.console.conftest import Say
from tests.support import eventually

KEY, SECRET = "key-0123456789abcdef", "secret-0123456789abcdef"
DRILLS = CONFIG.replace("[venue]\n", "[venue]\ndrills = true\n")


class Pipe(io.TextIOWrapper):
    def isatty(self) -> bool:
        return False


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "250")

    def command(*words: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", Pipe(io.BytesIO(given.encode())))
        code = run(["keys", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.mark.parametrize("given", [json.dumps({"key": KEY, "secret": SECRET}), f"{KEY}\n{SECRET}\n"])
def test_a_key_from_a_pipe_is_kept_and_not_shown(say: Say, given: str) -> None:
    code, out, err = say("set", "live", given=given)
    assert code == ExitCode.OK and "nae keys check live" in out
    assert json.loads(own_file(Home.find(), "live").read_text()) == {"key": KEY, "secret": SECRET}
    assert KEY not in out + err and SECRET not in out + err
    code, out, err = say("set", "live", given=given)
    assert code == ExitCode.CONFIG and "--replace" in err


def test_what_is_no_key_or_for_no_account_of_yours_is_refused_without_being_quoted(say: Say) -> None:
    for given in ("", SECRET, '{"key": "x"}', f"{KEY} {SECRET} more"):
        code, out, err = say("set", "live", given=given)
        assert code == ExitCode.CONFIG and SECRET not in out + err
    assert say("set", "sandbox")[0] == ExitCode.USAGE
    assert say("check", "moon")[0] == ExitCode.USAGE
    code, out, _ = say("check")
    assert code == ExitCode.CONFIG and "no such key file" in " ".join(out.split()), "a long path is folded"


def test_the_exchange_is_asked_and_a_key_that_may_withdraw_starts_no_trader(say: Say, tmp_path: Path) -> None:
    with family_in(tmp_path / "home", config=DRILLS) as family:
        family.start("venue")
        eventually(port_file(family.home).exists)
        eventually(lambda: say("check")[0] == ExitCode.OK)
        _, out, _ = say("check", "--json")
        assert [row["may_withdraw"] for row in json.loads(out)] == [False, False]
        ask_control(family.home.data / "venue", "POST", "/faults", {"fault": "withdraw_right"})
        code, out, _ = say("check", "live")
        assert code == ExitCode.CONFIG and "withdraw" in out
        family.start("sandbox_optimus")
        eventually(lambda: family.process("sandbox_optimus").poll() is not None, within_s=15)
        assert family.process("sandbox_optimus").returncode == ExitCode.CONFIG
        assert "may withdraw" in family.home.refusal("sandbox_optimus").read_text()
        family.kill("venue")
        assert say("check", "live")[0] == ExitCode.UNAVAILABLE
