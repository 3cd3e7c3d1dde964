"""nae venue serve: the exchange by itself, as a real process, met by a real client."""

import asyncio
import json
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ccxt
import pytest

from execution.console.cli import run
from execution.venue.server import ApiKey
from tests.support import child, line_of
from tests.venue.support import ccxt_client

COMMAND = "import sys; from execution.console.cli import run; sys.exit(run(sys.argv[1:]))"


@contextmanager
def serving(folder: Path, *options: str) -> "Iterator[tuple[subprocess.Popen[str], dict[str, str]]]":
    """A venue by itself, and what it said of where it is: heading -> text."""
    words = ("venue", "serve", "--folder", str(folder), "--speed", "600", *options)
    with child(COMMAND, *words, NAE_HOME=str(folder.parent)) as process:
        said: dict[str, str] = {}
        while "Ctrl-C" not in (line := line_of(process)):
            assert line, "it ended before it listened"
            heading, _, text = line.partition(" ")
            said[heading] = text.strip()
        yield process, said


def test_a_venue_by_itself_serves_a_ccxt_client_and_ends_cleanly_when_told(tmp_path: Path) -> None:
    folder = tmp_path / "alone"

    async def trade(port: int, key: ApiKey) -> None:
        async with ccxt_client(port, key) as client:
            assert set(client.markets) == {"BTC/USDT", "DOGE/USDT"}
            assert (await client.create_order("BTC/USDT", "market", "buy", 0.01))["status"] == "closed"

    with serving(folder, "--symbols", "BTC/USDT,DOGE/USDT") as (process, said):
        port = int(said["REST"].removesuffix("/api/v3").rpartition(":")[2])
        file = Path(said["key"].removeprefix("trader: "))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key = json.loads(file.read_text())
        assert key["secret"] not in str(said), "a secret is never printed"
        asyncio.run(trade(port, ApiKey("trader", key["key"], key["secret"])))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with serving(folder, "--symbols", "BTC/USDT,DOGE/USDT") as (process, said):
        assert Path(said["key"].removeprefix("trader: ")).read_text() == json.dumps(key, separators=(",", ":"))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_one_folder_serves_one_venue_and_one_port_one_of_them(tmp_path: Path) -> None:
    with serving(tmp_path / "alone") as (_, said):
        port = said["REST"].removesuffix("/api/v3").rpartition(":")[2]
        for options, code, reason in (
            (("--folder", str(tmp_path / "alone")), 75, "is held by nae venue serve"),
            (("--folder", str(tmp_path / "other"), "--port", port), 78, f"--port {port} is in use"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, "venue", "serve", *options],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert done.returncode == code
            assert reason in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--speed", "0"), 78, "--speed: venue.speed = 0.0 is out of range"),
        (("--market", "mirror"), 78, "isn't known"),
        (("--market", "mirror:x"), 78, "mirror:binance would be right"),
        (("--market", "replay:none.csv", "--symbols", "BTC/USDT"), 78, "none.csv: can't be read"),
        (("--symbols", "BTC"), 78, 'write it like "BTC/USDT"'),
        (("--market", "mirror:binance", "--speed", "2"), 64, "--speed 2: a mirror goes as fast as its exchange"),
        (("--account", "no spaces"), 64, "small letters"),
        (("--account", "a", "--account", "a"), 64, "each name once"),
        (("--seed", "x"), 64, "--seed"),
    ],
)
def test_a_venue_that_cannot_be_says_why(
    tmp_path: Path,
    options: tuple[str, ...],
    code: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    assert run(["venue", "serve", "--folder", str(tmp_path / "alone"), *options]) == code
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(("words", "count"), [(("serve",), 6), (("fault",), 6)])
def test_each_example_of_the_help_is_a_line_that_can_be_copied_whole(
    words: tuple[str, ...], count: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["venue", *words, "--help"]) == 0
    told = capsys.readouterr().out
    lines = told[told.index("Examples:") : told.index("Exit codes:")].splitlines()
    examples = [line.strip() for line in lines if "nae venue" in line]
    assert len(examples) == count
    for example in examples:
        assert example.startswith(f"nae venue {words[0]}") and "·" not in example
        shlex.split(example)  # no quote is left open by a line that was broken
        assert all(option in told[told.index("Exit codes:") :] for option in example.split() if option[:2] == "--")


def test_a_script_for_an_account_that_isn_t_served_is_refused_before_anything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    script = tmp_path / "drill.json"
    script.write_text('[{"fault": "offline"}, {"fault": "balance", "on": "bob/USDT", "value": 5}]')
    assert run(["venue", "serve", "--folder", str(tmp_path / "alone"), "--faults", str(script)]) == 78
    assert "rule 2: on = 'bob/USDT' isn't there; trader/USDT would be right" in capsys.readouterr().err


def test_a_fault_is_given_by_command_befalls_a_client_and_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, script = tmp_path / "alone", tmp_path / "drill.json"
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    script.write_text('[{"fault": "refuse_504", "on": "POST /api/v3/order"}]')

    def say(*words: str) -> tuple[int, str, str]:
        code = run(["venue", *words, "--folder", str(folder)])
        told = capsys.readouterr()
        return code, told.out, told.err

    async def trade(port: int, key: ApiKey) -> None:
        async with ccxt_client(port, key) as client:
            for _ in range(2):
                with pytest.raises(ccxt.RequestTimeout):
                    await client.create_order("BTC/USDT", "market", "buy", 0.01)
            assert len(await client.fetch_my_trades("BTC/USDT")) == 1, "the second one was executed"

    code, _, told = say("fault", "cut")
    assert code == 69
    assert "no venue is served in" in told
    with serving(folder, "--faults", str(script)) as (_, said):
        assert said["faults"].startswith("1 now")
        assert say("fault", "execute_504", "--on", "POST /api/v3/order")[0] == 0
        assert say("fault", "latency", "--value", "0.01", "--distribution", "pareto")[0] == 0
        key = json.loads(Path(said["key"].removeprefix("trader: ")).read_text())
        port = int(said["REST"].removesuffix("/api/v3").rpartition(":")[2])
        asyncio.run(trade(port, ApiKey("trader", key["key"], key["secret"])))
        listed = json.loads(say("faults", "--json")[1])
        assert [(row["number"], row["fault"], row["distribution"]) for row in listed["faults"]] == [
            (3, "latency", "pareto")
        ], "the others are over"
        code, _, told = say("fault", "latncy")
        assert code == 78
        assert "KIND = 'latncy'; latency would be right" in told and "request" not in told and "rule" not in told
        for words, right in (
            (("maintenance", "--on", "BTC/USDT"), "--on = 'BTC/USDT' isn't there; BTCUSDT or"),
            (("latency", "--value", "61"), "--value = '61'; seconds from 0 to 60"),
            (("cut", "--for", "-1"), "--for = '-1.0'; a number from 0"),
            (("cut", "--after", "-1"), "--after = '-1.0'; a number from 0"),
            (("cut", "--times", "0"), "--times = '0'; a whole number"),
            (("balance", "--on", "trader/USDT"), "--value is missing; balance needs the amount"),
            (("latency", "--distribution", "gauss"), "--distribution = 'gauss'; one of constant, uniform"),
        ):
            code, _, told = say("fault", *words)
            assert code == 78 and right in told and "request" not in told, told
        assert "taken back" in say("faults", "--clear")[1]
        assert "nothing goes wrong" in say("faults")[1]
    kinds = say("faults", "--kinds")[1]
    assert "execute_504" in kinds and "exponential (usual)" in " ".join(kinds.split())
