"""An account doesn't trade with itself: in each mode, what each order loses, what is written down of it, told and kept,
and that no money comes or goes. Beside it what else an order may be asked for: its fees beforehand, its strategy."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from execution.venue import book
from execution.venue.store import Store
from tests.support import eventually_async
from tests.venue.support import Raw, Running, ccxt_client, running
from tests.venue.test_order_kinds import BTC, D, holding

LIMIT = BTC | {"type": "LIMIT", "timeInForce": "GTC", "newOrderRespType": "FULL"}


async def inside(raw: Raw) -> str:
    """A price between bid and ask, at which only our own orders meet."""
    return str(D((await raw.public("ticker/bookTicker", **BTC)).body["askPrice"]) - D("0.01"))


async def state(raw: Raw, order_id: object) -> Any:
    return (await raw.signed("GET", "order", **BTC, orderId=order_id)).body


def matches(venue: Running, order_id: int) -> list[Any]:
    return venue.server.exchange.store.prevented.find("sandbox", "BTCUSDT", None, order_id, limit=10)


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("EXPIRE_MAKER", ("EXPIRED_IN_MATCH", "0.02000000"), ("NEW", None)),
        ("EXPIRE_TAKER", ("NEW", None), ("EXPIRED_IN_MATCH", "0.01000000")),
        ("EXPIRE_BOTH", ("EXPIRED_IN_MATCH", "0.02000000"), ("EXPIRED_IN_MATCH", "0.01000000")),
        ("DECREMENT", ("NEW", "0.01000000"), ("EXPIRED_IN_MATCH", "0.01000000")),
    ],
)
def test_each_mode_takes_from_whom_it_says_and_the_record_outlives_a_restart(
    tmp_path: Path, mode: str, maker: tuple[str, str | None], taker: tuple[str, str | None]
) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            accounts = venue.server.exchange.engine.accounts
            totals = {asset: accounts.total(asset) for asset in ("BTC", "USDT")}
            price = await inside(raw)
            resting = (await raw.signed("POST", "order", **LIMIT, side="SELL", quantity="0.02", price=price)).body
            reply = await raw.signed(
                "POST", "order", **LIMIT, side="BUY", quantity="0.01", price=price, selfTradePreventionMode=mode
            )
            shown = [await state(raw, one["orderId"]) for one in (resting, reply.body)]
            assert [(one["status"], one.get("preventedQuantity")) for one in shown] == [maker, taker]
            assert {one.get("preventedMatchId", 1) for one in shown} == {1}
            (told,) = reply.body["preventedMatches"]
            parts = ("takerPreventedQuantity", taker[1]), ("makerPreventedQuantity", maker[1])
            assert [told.get(name) for name, _ in parts] == [quantity for _, quantity in parts]
            assert (told["makerOrderId"], D(told["price"])) == (resting["orderId"], D(price))
            assert {asset: accounts.total(asset) for asset in totals} == totals
            await raw.signed("DELETE", "openOrders", **BTC)
            rows = (await raw.signed("GET", "account")).body["balances"]
            assert {row["locked"] for row in rows} == {"0.00000000"}, "what isn't traded is free again"
            (match,) = matches(venue, reply.body["orderId"])
            assert matches(venue, resting["orderId"]) == [match]
            assert (match.mode, match.taker_id, match.maker_id) == (mode, reply.body["orderId"], resting["orderId"])
        async with running(tmp_path, driven=False) as venue:
            assert matches(venue, match.maker_id) == [match]
            assert venue.server.exchange.engine.next_match_id == match.id + 1

    asyncio.run(scene())


def test_what_decrement_left_of_an_order_fills_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            price = await inside(raw)
            mine = (await raw.signed("POST", "order", **LIMIT, side="SELL", quantity="0.05", price=price)).body
            buy = LIMIT | {"side": "BUY", "price": price, "selfTradePreventionMode": "DECREMENT"}
            for number in (1, 2):
                await raw.signed("POST", "order", **buy, quantity="0.01")
                assert (await state(raw, mine["orderId"]))["preventedQuantity"] == f"0.0{number}000000"
            assert len(matches(venue, mine["orderId"])) == 2
            locked = venue.server.exchange.engine.accounts.balance("sandbox", "BTC").locked
            assert locked == D("0.03")
        async with running(tmp_path, driven=False) as venue:
            (order,) = venue.server.exchange.engine.open_orders("sandbox")
            assert (order.left, order.prevented_lots) == (3000, 2000)
            assert venue.server.exchange.engine.accounts.balance("sandbox", "BTC").locked == D("0.03")

    asyncio.run(scene())


@pytest.mark.parametrize("mode", book.PREVENTION_MODES)
def test_a_market_order_in_money_and_an_all_or_nothing_order_meet_their_own_account(tmp_path: Path, mode: str) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (venue, raw):
            accounts = venue.server.exchange.engine.accounts
            totals = {asset: accounts.total(asset) for asset in ("BTC", "USDT")}
            price = await inside(raw)
            for kind in (
                {"type": "MARKET", "quoteOrderQty": "90"},
                {"type": "MARKET", "quantity": "0.0015"},
                {"type": "LIMIT", "timeInForce": "FOK", "quantity": "0.0015", "price": str(D(price) * 2)},
                {"type": "LIMIT", "timeInForce": "IOC", "quantity": "0.0015", "price": str(D(price) * 2)},
            ):
                await raw.signed("POST", "order", **LIMIT, side="SELL", quantity="0.0005", price=price)
                reply = await raw.signed("POST", "order", **BTC, **kind, side="BUY", selfTradePreventionMode=mode)
                assert reply.status == 200, reply
                assert reply.body["status"] in ("FILLED", "EXPIRED", "EXPIRED_IN_MATCH")
                await raw.signed("DELETE", "openOrders", **BTC)
                rows = (await raw.signed("GET", "account")).body["balances"]
                assert {row["locked"] for row in rows} == {"0.00000000"}
                assert {asset: accounts.total(asset) for asset in totals} == totals

    asyncio.run(scene())


def test_ccxt_hears_of_a_prevented_trade_on_the_user_stream(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            heard: list[dict[str, Any]] = []
            original = client.handle_order

            def keep(socket: Any, message: dict[str, Any]) -> None:
                heard.append(message)
                original(socket, message)

            client.handle_order = keep
            watching = asyncio.create_task(client.watch_orders())
            await eventually_async(lambda: venue.server.users.listeners("sandbox"), 30)
            price = round((await client.fetch_ticker("BTC/USDT"))["ask"] - 0.01, 2)
            await client.create_order("BTC/USDT", "market", "buy", 0.02)
            await client.create_order("BTC/USDT", "limit", "sell", 0.01, price)
            mode = {"selfTradePreventionMode": "EXPIRE_BOTH"}
            await client.create_order("BTC/USDT", "limit", "buy", 0.004, price, mode)
            await eventually_async(lambda: len(heard) >= 6, 30)
            ends = [event for event in heard if event["x"] == "TRADE_PREVENTION"]
            assert [(event["A"], event["B"], event["v"]) for event in ends] == [
                ("0.01000000", "0.01000000", 1),
                ("0.00400000", "0.00400000", 1),
            ]
            assert [event["U"] for event in ends] == [ends[1]["i"], ends[0]["i"]]
            watching.cancel()

    asyncio.run(scene())


def test_a_test_order_says_what_it_would_cost_and_a_real_one_isn_t_asked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with holding(tmp_path) as (_venue, raw):
            order = BTC | {"side": "BUY", "type": "MARKET", "quantity": "0.001"}
            assert (await raw.signed("POST", "order/test", **order)).body == {}
            told = (await raw.signed("POST", "order/test", **order, computeCommissionRates="true")).body
            assert told["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}
            assert (told["discount"]["enabledForAccount"], told["discount"]["discount"]) == (False, "0.25000000")
            assert (await raw.signed("POST", "order", **order, computeCommissionRates="true")).code == -1104

    asyncio.run(scene())


def test_a_strategy_is_shown_with_the_order_it_belongs_to_and_never_dropped(tmp_path: Path) -> None:
    async def scene() -> None:
        strategy = {"strategyId": 7, "strategyType": 1_000_001}
        async with holding(tmp_path) as (venue, raw):
            low = str((D(await inside(raw)) * D("0.9")).quantize(D("0.01")))
            order = LIMIT | {"side": "BUY", "quantity": "0.01", "price": low}
            assert (await raw.signed("POST", "order", **order, strategyType=999)).code == -1134
            placed = (await raw.signed("POST", "order", **order, **strategy)).body
            assert {name: placed[name] for name in strategy} == strategy
            plain = (await raw.signed("POST", "order", **order)).body
            assert "strategyId" not in await state(raw, plain["orderId"])
        async with running(tmp_path, driven=False) as venue:
            mine, _ = venue.server.exchange.engine.open_orders("sandbox")
            assert (mine.strategy_id, mine.strategy_type) == (7, 1_000_001)

    asyncio.run(scene())


def test_a_store_from_before_prevention_was_written_down_is_taken_up(tmp_path: Path) -> None:
    from execution.runtime.sqlite import open_writer

    before = open_writer(
        tmp_path / "venue.db",
        "CREATE TABLE order_terms(id INTEGER PRIMARY KEY, stop_price TEXT NOT NULL, waiting INTEGER NOT NULL, "
        "working_ms INTEGER NOT NULL, prevention TEXT NOT NULL, list_id INTEGER NOT NULL);"
        "INSERT INTO order_terms VALUES(1, '5', 1, -1, 'NONE', -1);",
    )
    before.close()
    for _ in range(2):
        store = Store(tmp_path / "venue.db")
        assert store.prevented.last_id() == 0
        assert store.open_orders() == []
        store.close()
