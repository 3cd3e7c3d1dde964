"""Money in another currency becomes the quote currency while the account trades, and nothing else is touched."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Collection, Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.reconciliation import reconcile
from execution.runtime.clock import SystemClock
from execution.runtime.settings import TradingConfig, VenueConfig
from execution.trading.conversion import BY, Converter, convertible, markets_of
from execution.trading.liquidation import Liquidated, Liquidation
from execution.trading.liquidation_plan import FIRST, SECOND
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.market import Quote
from execution.vocabulary.orders import Purpose
from tests.support import eventually_async
from tests.trading import venue as own_venue
from tests.trading.venue import KEY, SECRET, Trader
from tests.trading.world import World, rules_of

CONFIG = TradingConfig(convert=True)
RULES = {name: rules_of(name) for name in ("BTC/USDT", "ETH/USDT", "PUMP/BTC", "PUMP/ETH", "BNB/USDT", "LOST/EUR")}
NAMES = ("BTC", "ETH", "PUMP", "BNB", "LOST", "USDT")


def unquoted(_: str) -> Quote | None:
    return None


def found(amounts: dict[str, str], busy: Collection[str] = (), config: TradingConfig = CONFIG) -> list[str]:
    balances = {name: Decimal(amount) for name, amount in amounts.items()}
    return list(convertible(balances, busy, RULES, unquoted, config))


def test_all_but_the_quote_currency_what_is_to_be_kept_and_what_nobody_trades_is_convertible() -> None:
    assert found({"BTC": "1", "PUMP": "5", "USDT": "100", "BNB": "3", "LOST": "7", "ETH": "0"}) == ["BTC", "PUMP"]
    assert found({"BNB": "3"}, config=TradingConfig(convert=True, convert_keep=())) == ["BNB"]


def test_a_position_of_ours_and_an_order_under_way_are_left_alone() -> None:
    assert found({"BTC": "1", "ETH": "1"}, busy=["BTC/USDT"]) == ["ETH"]
    assert found({"BTC": "1", "PUMP": "1"}, busy=["PUMP/BTC"]) == []


def test_dust_on_a_market_that_is_quoted_is_not_even_tried() -> None:
    quote = Quote("BTC/USDT", Decimal(100), Decimal(101), 0.0)
    few, enough = {"BTC": Decimal("0.0499")}, {"BTC": Decimal("0.051")}
    assert convertible(few, (), RULES, lambda _: quote, CONFIG) == {}
    assert convertible(enough, (), RULES, lambda _: quote, CONFIG) == enough


def test_the_markets_of_a_currency_are_its_own_and_both_of_each_bridge() -> None:
    assert markets_of(["PUMP"], RULES, "USDT") == {"PUMP/BTC", "BTC/USDT", "PUMP/ETH", "ETH/USDT"}
    assert markets_of(["BTC"], RULES, "USDT") == {"BTC/USDT"}


@given(
    st.dictionaries(st.sampled_from(NAMES), st.decimals("0", "10", places=3)), st.sets(st.sampled_from(sorted(RULES)))
)
def test_whatever_is_held_nothing_that_is_busy_or_kept_is_sold(held: dict[str, Decimal], busy: set[str]) -> None:
    chosen = convertible(held, busy, RULES, unquoted, CONFIG)
    taken = {name for symbol in busy for name in symbol.split("/")}
    assert not chosen.keys() & {"USDT", "BNB", *taken}
    assert all(held[name] == amount > 0 for name, amount in chosen.items())


def test_what_could_not_be_sold_is_tried_again_only_when_there_is_more_of_it(tmp_path: Path) -> None:
    world, asked = World(tmp_path, config=CONFIG), list[list[str]]()
    told = Liquidated(left={"BTC": "dust"})

    async def convert(only: Collection[str], avoid: Collection[str]) -> Liquidated:
        asked.append(sorted(only))
        assert "BTC/USDT" in world.system.assistants.execution.blocked(), "nothing else is sent there meanwhile"
        return told

    parts = dataclasses.replace(world.system.parts, convert=convert)
    converter = Converter(CONFIG, parts, world.system.assistants.execution)

    async def look() -> None:
        await converter.look(RULES, unquoted)

    async def run() -> None:
        world.ledger.record_cash_flow("BTC", Decimal("0.01"), "deposit")
        await look()
        await look()
        assert asked == [["BTC"]]
        world.ledger.record_cash_flow("BTC", Decimal("0.01"), "deposit")
        told.problem = "the venue doesn't answer"
        await look()
        await look()
        assert asked == [["BTC"]] * 3, "what failed is tried again"
        assert world.system.assistants.execution.blocked() == frozenset()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def market(folder: Path) -> AsyncIterator[int]:
    config = VenueConfig(speed=60.0, symbols=("BTC/USDT", "ETH/USDT", "SOL/BTC"))
    server = VenueServer(config, folder / "venue", [ApiKey("sandbox", KEY, SECRET)], SystemClock())
    port = await server.start(0)
    running = asyncio.create_task(server.run_market())
    try:
        yield port
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


def with_conversion(trader: Trader) -> Trader:
    """Wired as the operation wires it."""
    gateway, parts = trader.gateway, trader.system.parts

    async def look(symbols: Iterable[str]) -> dict[str, Quote]:
        return await gateway.reader.fetch_quotes(sorted(symbols))

    async def convert(only: Collection[str], avoid: Collection[str]) -> Liquidated:
        saga = Liquidation(gateway, look, parts.audit, parts.clock, quote="USDT", only=only, avoid=avoid, by=BY)
        return await saga.run(parts.clock.monotonic() + 20)

    trader.system.converter._convert = convert
    return trader


async def given_sol(trader: Trader) -> None:
    """SOL that came from outside: bought before our books begin."""
    bought = {"symbol": "SOLBTC", "side": "BUY", "type": "MARKET", "quantity": "10"}
    await trader.client.call("privatePostOrder", bought)


async def all_sold(trader: Trader) -> None:
    """Nothing is left but the quote currency and dust, and the books agree."""
    await eventually_async(lambda: trader.ledger.balances().get("SOL") == 0, within_s=20)
    await eventually_async(lambda: trader.ledger.balances()["BTC"] < Decimal("0.0005"), within_s=20)
    assert not trader.ledger.positions() and trader.ledger.balances()["USDT"] > Decimal(14_000)
    assert (await reconcile(trader.gateway, trader.ledger)).differences == []
    assert {order.purpose for order in trader.ledger.orders(limit=50)} == {Purpose.LIQUIDATION}


def ways_of(trader: Trader) -> list[str]:
    return [order.reason.partition(":")[0] for order in trader.ledger.orders(limit=50) if order.filled][::-1]


@pytest.fixture(autouse=True)
def symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_venue, "SYMBOLS", ("BTC/USDT", "ETH/USDT", "SOL/BTC"))


def test_bitcoin_is_sold_at_once_and_what_has_no_market_of_its_own_in_two_sales(tmp_path: Path) -> None:
    async def run() -> None:
        async with market(tmp_path) as port:
            trader = with_conversion(Trader(tmp_path, port, config=CONFIG))
            await given_sol(trader)
            await trader.start()
            await all_sold(trader)
            assert set(ways_of(trader)) == {"direct", FIRST, SECOND}
            assert BY in (tmp_path / "audit.jsonl").read_text()
            assert trader.errors.rows() == []
            await trader.stop()

    asyncio.run(run())


def test_who_comes_after_a_kill_between_the_two_sales_makes_the_second_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with market(tmp_path) as port:
            first = with_conversion(Trader(tmp_path, port, config=CONFIG))
            await given_sol(first)
            with monkeypatch.context() as cut_off:
                cut_off.setattr(Liquidation, "_second", never)
                await first.start()
                await eventually_async(lambda: FIRST in ways_of(first), within_s=20)
                await first.vanish()
            second = with_conversion(Trader(tmp_path, port, config=CONFIG))
            await second.start()
            await all_sold(second)
            assert ways_of(second).count(FIRST) == ways_of(second).count(SECOND) == 1
            await second.stop()

    async def never(*_: object) -> bool:
        return False

    asyncio.run(run())
