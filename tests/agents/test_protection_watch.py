"""The master sees at the venue itself whether what is held is protected, whatever the trader says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from agents.embedded import key_file, write_port
from agents.process import Context
from agents.protection_watch import ProtectionWatch
from execution.exchange.account_watch import StandingStop, stops_of, unprotected
from execution.exchange.classify import BadReply
from execution.exchange.credentials import Credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import MASTER
from tests.support import eventually_async
from tests.trading.test_protection import BTC, HOLDS_ON, assert_protected, buy
from tests.trading.venue import KEY, SECRET, Trader, running_venue
from tests.trading.world import rules_of

RULES = {BTC: rules_of(stop_type="stop_loss"), "ETH/USDT": rules_of("ETH/USDT")}


def test_what_no_stop_covers_is_unprotected_and_less_than_a_lot_isnt() -> None:
    stop = StandingStop("BTCUSDT", Decimal("0.3"))
    assert unprotected({"BTC": Decimal("0.300009")}, [stop], RULES, "USDT") == {}
    assert unprotected({"BTC": Decimal("0.5"), "USDT": Decimal(9)}, [stop], RULES, "USDT") == {BTC: Decimal("0.2")}
    assert unprotected({"ETH": Decimal(5)}, [], RULES, "USDT") == {}, "a venue without stops there"


lots = some.integers(0, 10**6).map(lambda number: Decimal(number) * Decimal("0.00001"))


@given(lots, some.lists(lots, max_size=4))
def test_covered_and_bare_add_up_to_what_is_held(held: Decimal, covers: list[Decimal]) -> None:
    bare = unprotected({"BTC": held}, [StandingStop("BTCUSDT", part) for part in covers], RULES, "USDT")
    assert bare.get(BTC, Decimal(0)) == max(Decimal(0), held - sum(covers))


@pytest.mark.parametrize("reply", [None, {}, "<html>", [{}], [None], [{"side": "SELL", "type": "STOP_LOSS"}]])
def test_an_answer_that_cant_be_read_is_never_taken_for_no_orders(reply: object) -> None:
    with pytest.raises(BadReply):
        stops_of(reply)


@asynccontextmanager
async def watched_trader(root: Path) -> AsyncIterator[tuple[Trader, ProtectionWatch]]:
    """A trader that holds something, and the master's look at its account; both at their work."""
    home = Home.find(root)
    home.prepare()
    folder = home.account(Account.SANDBOX)
    folder.mkdir(parents=True)
    key_file(home, Account.SANDBOX).touch(0o600)
    key_file(home, Account.SANDBOX).write_bytes(msgspec.json.encode(Credentials(KEY, SECRET)))
    clock = SystemClock()
    context = Context(MASTER, home, Config(trading=HOLDS_ON), clock, Bus(home.run, MASTER, clock), ErrorBook(clock))
    async with running_venue(folder) as port:
        write_port(home, port)
        trader = Trader(folder, port, config=HOLDS_ON)
        await trader.start()
        watch = ProtectionWatch(context, Account.SANDBOX)
        running = [asyncio.create_task(watch.run()), asyncio.create_task(context.runner.run(watch.tasks()))]
        try:
            await eventually_async(lambda: watch.get_health().status == "healthy")
            await buy(trader)
            yield trader, watch
        finally:
            context.runner.stop()
            running[0].cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await trader.stop()


def test_a_trader_that_protects_raises_no_alert_and_one_that_doesnt_is_found_out_within_seconds(tmp_path: Path) -> None:
    async def run() -> None:
        async with watched_trader(tmp_path) as (trader, watch):
            stop = await assert_protected(trader)
            await eventually_async(lambda: watch.get_health().metrics["stops"] == 1)
            assert watch.alerts() == {}
            trader.runner.stop()  # it protects nothing any more, and says nothing either
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": stop.client_order_id}
            await trader.client.call("privateDeleteOrder", parameters)
            alerts = await eventually_async(watch.alerts, within_s=6)
            assert "held without a stop at the venue" in alerts[f"sandbox {BTC}"]
            assert watch.get_health().status == "degraded"
            await trader.system.protector.look(
                trader.system.manager.portfolio(), trader.system.recovery.rules, trader.system.parts.feed.quote
            )
            await eventually_async(lambda: not watch.alerts())

    asyncio.run(run())


def test_the_masters_client_cant_send_an_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_venue(tmp_path) as port:
            endpoint = Endpoint("binance", f"http://127.0.0.1:{port}")
            client = build_client(endpoint, Credentials(KEY, SECRET), SystemClock(), reads_only=True).renewed()
            try:
                with pytest.raises(PermissionError, match="may only read"):
                    await client.call("privatePostOrder", {"symbol": "BTCUSDT", "side": "BUY"})
                with pytest.raises(PermissionError, match="may only read"):
                    await client.call("privateDeleteOrder", {"symbol": "BTCUSDT", "orderId": 1})
            finally:
                await client.close()

    asyncio.run(run())
