"""nae start, stop, restart and handover: a real bus, a real ledger and real locks; who answers there only pretends."""

import asyncio
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from execution.console.cli import run
from execution.console.drain import DRAINING, Exposure, NotDrained, drain, exposure_of, holder_now, lift, seconds_of
from execution.ledger.account_lock import account_lock
from execution.ledger.opening import open_ledger
from execution.ledger.queries import account_report
from execution.ledger.store import Ledger
from execution.runtime.bus import Bus, Refused
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.messages import Command
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Side
from tests.console.conftest import Say
from tests.ledger.builders import fill, request

CLOCK = SystemClock()
NAMES = ("venue", "live_optimus", "live_optimus_standby", "ralph", "continuous_operation")


@dataclass
class Manager:
    """Answers as the manager does, and does at once what it is told."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: str = ""
    on_handover: Callable[[], None] = lambda: None
    on_stop: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        for pid, name in enumerate(NAMES, 100):
            self.rows[name] = {"state": "running", "pid": pid, "tasks": [], "facts": {}, "causes": []}

    async def __call__(self, command: Command) -> dict[str, Any]:
        if command.verb == "status":
            return {"running": True, "mode": "dual", "overall_status": "HEALTHY", "processes": self.rows}
        self.told.append((command.verb, dict(command.arguments)))
        if self.refuses:
            raise Refused(self.refuses)
        if command.verb == "handover":
            self.on_handover()
            return {}
        if command.verb in ("stop", "restart"):
            self.on_stop()
        row = self.rows[command.arguments["name"]]
        row |= {"state": "stopped", "pid": None} if command.verb == "stop" else {"state": "running", "pid": 900}
        return {}


class Trader:
    """Holds the live account, and knows what a trader is told around a stop."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.told: list[str] = []
        self.on_reduce_only: Callable[[], None] = lambda: None

    async def __call__(self, command: Command) -> dict[str, Any]:
        self.told.append(command.verb)
        if command.verb == "reduce_only":
            self.ledger.set_trading_state(TradingState.REDUCE_ONLY, str(command.arguments["reason"]), "test")
            self.on_reduce_only()
        if command.verb == "resume":
            self.ledger.set_trading_state(TradingState.ACTIVE, "resumed", "test")
        return {}


class Served:
    """One loop in one thread, in which everybody who answers lives."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loop = asyncio.new_event_loop()
        self._buses: list[Bus] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, act: Callable[[], Any]) -> Any:
        """Run `act` where the ledger was opened."""

        async def done() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(10)

    def answer(self, process: str, answer: Any) -> None:
        async def opened() -> None:
            bus = Bus(self._home.run, process, CLOCK)
            bus.open(f"{process} pid 1")
            self._buses.append(bus)
            self._serving = asyncio.ensure_future(bus.serve(answer))

        asyncio.run_coroutine_threadsafe(opened(), self._loop).result(10)

    def close(self) -> None:
        async def closed() -> None:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            for bus in self._buses:
                bus.close()

        asyncio.run_coroutine_threadsafe(closed(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@dataclass
class Scene:
    """An operation whose manager and live trader pretend."""

    home: Home
    served: Served
    manager: Manager
    trader: Trader
    lease: FileLock

    def buys(self) -> None:
        """The live account gets a position."""
        self.served.do(lambda: self.traded(1, Side.BUY))

    def sells(self) -> None:
        self.traded(2, Side.SELL)

    def traded(self, trade: int, side: Side) -> None:
        order_id = self.trader.ledger.record_intent(request(side))
        self.trader.ledger.mark(order_id, OrderEvent.SENT)
        self.trader.ledger.record_fill(fill(trade, order_id, side))

    def state(self) -> TradingState:
        return account_report(self.home.ledger("live")).trading_state


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="nae-"))
    monkeypatch.setenv("NAE_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    home = Home.find()
    home.prepare()
    operation = FileLock(home.operation_lock)
    operation.acquire("pid 1 mode dual")
    lease = account_lock(home, "live")
    lease.acquire("live_optimus pid 1")
    served = Served(home)
    ledger: Ledger = served.do(lambda: open_ledger(home.ledger("live"), "live", CLOCK))
    made = Scene(home, served, Manager(), Trader(ledger), lease)
    served.answer("continuous_operation", made.manager)
    served.answer("live_optimus", made.trader)
    yield made
    served.do(ledger.close)
    served.close()
    lease.release()
    operation.release()
    shutil.rmtree(folder)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def command(*words: str) -> tuple[int, str, str]:
        code = run(list(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_the_manager_stops_and_starts_what_it_is_told(scene: Scene, say: Say) -> None:
    assert say("stop", "ralph")[:2] == (ExitCode.OK, "ralph stopped\n")
    assert say("start", "ralph")[:2] == (ExitCode.OK, "ralph started, pid 900\n")
    code, out, _ = say("restart", "venue", "--json")
    assert (code, json.loads(out)) == (
        ExitCode.OK,
        {"ok": True, "process": "venue", "action": "restarted", "pid": 900, "by": "continuous_operation"},
    )
    assert scene.manager.told == [
        ("stop", {"name": "ralph"}),
        ("start", {"name": "ralph"}),
        ("restart", {"name": "venue"}),
    ]


def test_what_the_manager_refuses_is_said_in_its_words(scene: Scene, say: Say) -> None:
    scene.manager.refuses = "it is needed"
    code, _, err = say("stop", "ralph")
    assert (code, "ralph: it is needed" in err) == (ExitCode.FAILED, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("start", "ralf"), "unknown process 'ralf'; did you mean ralph?"),
        (("stop", "sandbox_optimus"), "sandbox_optimus isn't part of this operation (mode dual); there are: venue, "),
        (("handover", " "), "a handover needs a reason"),
        (("stop",), "nae stop --help"),
    ],
)
def test_wrong_words_are_a_usage_error(scene: Scene, say: Say, words: tuple[str, ...], told: str) -> None:
    code, out, err = say(*words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert told in err
    assert scene.manager.told == []


def test_without_an_operation_there_is_nothing_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    for words in (("start", "ralph"), ("stop", "ralph"), ("restart", "ralph"), ("handover", "why")):
        code, _, err = say(*words)
        assert (code, "not running" in err) == (ExitCode.UNAVAILABLE, True)


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_live_account_with_exposure_is_not_left_alone(scene: Scene, say: Say, verb: str) -> None:
    scene.buys()
    code, _, err = say(verb, "live_optimus")
    assert code == ExitCode.FAILED
    assert "holds the live account with 1 position (BTC/USDT)" in err
    assert f"nae {verb} live_optimus --drain" in err
    assert scene.manager.told == []


def test_who_only_stands_by_or_holds_nothing_can_be_stopped(scene: Scene, say: Say) -> None:
    assert say("restart", "live_optimus")[0] == ExitCode.OK, "a flat account is left by nobody"
    scene.buys()
    scene.lease.release()
    assert say("stop", "live_optimus")[0] == ExitCode.OK


def test_an_order_that_is_open_or_of_unknown_fate_is_exposure_too(scene: Scene) -> None:
    assert exposure_of(scene.home, "live").flat
    scene.served.do(lambda: scene.trader.ledger.record_intent(request()))
    assert str(exposure_of(scene.home, "live")) == "1 open order"
    assert str(Exposure(("A", "B"), 2, 1)) == "2 positions (A, B), 2 open orders, 1 order of unknown fate"
    assert exposure_of(scene.home, "sandbox").flat, "an account that never traded"


def test_a_drained_stop_waits_until_flat_and_the_next_start_trades_as_before(scene: Scene, say: Say) -> None:
    def gone() -> None:
        scene.trader.ledger.close()
        scene.lease.release()

    scene.buys()
    scene.trader.on_reduce_only, scene.manager.on_stop = scene.sells, gone
    code, _, err = say("stop", "live_optimus", "--drain", "--within", "20s")
    assert code == ExitCode.OK, err
    assert scene.trader.told == ["reduce_only"]
    assert scene.state() is TradingState.ACTIVE


def test_after_a_drained_stop_the_standby_that_has_taken_over_says_how_to_go_on(scene: Scene, say: Say) -> None:
    scene.buys()
    scene.trader.on_reduce_only = scene.sells
    code, out, _ = say("stop", "live_optimus", "--drain")
    assert code == ExitCode.OK
    assert "stays reduce_only: nae resume --account live" in out
    assert scene.state() is TradingState.REDUCE_ONLY


def test_a_drain_that_was_cut_off_says_what_lifts_it_and_the_next_one_ends_it(scene: Scene) -> None:
    scene.trader.ledger.set_trading_state(TradingState.REDUCE_ONLY, DRAINING, "operator")  # and its command was killed
    assert "nae resume lifts it" in account_report(scene.home.ledger("live")).reason
    assert drain(scene.home, "live", 1.0, CLOCK, lambda _: None), "to be lifted by whoever drains now"


def test_a_drained_restart_trades_on_as_before(scene: Scene, say: Say) -> None:
    scene.buys()
    scene.trader.on_reduce_only = scene.sells
    assert say("restart", "live_optimus", "--drain")[0] == ExitCode.OK
    assert scene.trader.told == ["reduce_only", "resume"]
    assert scene.state() is TradingState.ACTIVE


def test_what_isnt_flat_in_time_is_not_stopped_and_trades_on(scene: Scene, say: Say) -> None:
    scene.buys()
    code, _, err = say("stop", "live_optimus", "--drain", "--within", "0.2s")
    assert code == ExitCode.FAILED
    assert "live still has 1 position (BTC/USDT) after 0.2 s" in err
    assert scene.manager.told == []
    assert scene.trader.told == ["reduce_only", "resume"]
    assert scene.state() is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("state", "told"), [(TradingState.PAUSED, "still has"), (TradingState.HALTED, "until a person re-arms it")]
)
def test_an_account_that_isnt_active_is_drained_as_it_is(scene: Scene, state: TradingState, told: str) -> None:
    scene.buys()
    scene.served.do(lambda: scene.trader.ledger.set_trading_state(state, "news", "test"))
    with pytest.raises(NotDrained, match=told):
        drain(scene.home, "live", 0.1, CLOCK, lambda _: None)
    assert scene.trader.told == []
    assert scene.state() is state


def test_a_restart_of_the_holder_with_a_standby_ready_is_a_handover(scene: Scene, say: Say) -> None:
    scene.buys()
    scene.manager.rows["live_optimus_standby"]["facts"] = {"standby_ready": True}

    def handed_over() -> None:
        scene.manager.rows["live_optimus"]["pid"] = 901

    scene.manager.on_handover = handed_over
    code, out, err = say("restart", "live_optimus")
    assert (code, out) == (ExitCode.OK, "live_optimus handed over and restarted, pid 901\n"), err
    assert scene.manager.told == [("handover", {"reason": "nae restart live_optimus"})]


def test_a_handover_says_from_whom_to_whom(scene: Scene, say: Say) -> None:
    taken = account_lock(scene.home, "live")

    def handed_over() -> None:
        scene.lease.release()
        taken.acquire("live_optimus_standby pid 2")

    scene.manager.on_handover = handed_over
    code, out, err = say("handover", "its memory grows")
    assert (code, out) == (ExitCode.OK, "live: live_optimus → live_optimus_standby\n"), err
    assert scene.manager.told == [("handover", {"reason": "its memory grows"})]
    taken.release()
    assert holder_now(scene.home, "live") is None


def test_a_handover_without_a_standby_is_refused_in_its_words(scene: Scene, say: Say) -> None:
    scene.manager.refuses = "no standby is ready"
    code, _, err = say("handover", "why")
    assert (code, "no standby is ready" in err) == (ExitCode.FAILED, True)


def test_a_state_is_lifted_as_soon_as_somebody_holds_the_account_again(scene: Scene) -> None:
    scene.lease.release()
    again = threading.Timer(0.3, lambda: scene.lease.acquire("live_optimus pid 1"))
    again.start()
    lift(scene.home, "live", CLOCK, within_s=10)
    again.join()
    assert scene.trader.told == ["resume"]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("45", 45), ("0.5s", 0.5)])
def test_how_long_to_wait_is_read_in_seconds_minutes_and_hours(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1h", "0", "9999h", "nan"])
def test_a_wait_that_cant_be_is_refused_with_what_could(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end:
        seconds_of(text)
    assert end.value.exit_code == ExitCode.USAGE and "such as 90s, 30m or 1h" in capsys.readouterr().err
