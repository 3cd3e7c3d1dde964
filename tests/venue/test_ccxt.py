"""The real ccxt, REST and WebSocket, against the real server: it must work unchanged but for its URLs."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.settings import VenueConfig
from tests.support import eventually_async
from tests.venue.support import LIVE, Running, ccxt_client, running

PAIR = "BTC/USDT"


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, 10)


def test_markets_and_candles_are_read(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            assert set(client.markets) == {"BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"}
            market = client.market(PAIR)
            assert market["active"]
            assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
            assert market["limits"]["cost"]["min"] == 5
            candles = await client.fetch_ohlcv(PAIR, "1m", limit=1000)
            assert len(candles) == 1000, "all the history there is"
            source, symbol = venue.server.market, client.market_id(PAIR)
            bar = source.candles.select(symbol, 60_000, None, None, 1)[0].bar
            assert candles[-1][4] == float(venue.server.exchange.symbols[symbol].price(bar.close))
            assert all(later[0] - sooner[0] == 60_000 for sooner, later in pairwise(candles))
            assert len(await client.fetch_ohlcv(PAIR, "5m", since=candles[0][0], limit=10)) == 10
            ticker = await client.fetch_ticker(PAIR)
            assert ticker["bid"] < ticker["last"] < ticker["ask"]
            assert ticker["ask"] / ticker["bid"] - 1 < 0.0006
            assert set(await client.fetch_tickers()) == set(client.markets)
            assert len((await client.fetch_order_book(PAIR))["bids"]) == 10
            with pytest.raises(ccxt.BadRequest):
                await client.fetch_ohlcv(PAIR, "1w")

    asyncio.run(scene())


def test_a_market_order_buys_and_sells_and_pays_its_fee_from_what_it_gets(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            assert (await client.fetch_balance())["USDT"]["free"] == 10_000
            bought = await client.create_order(PAIR, "market", "buy", 0.01, params={"clientOrderId": "one"})
            assert (bought["status"], bought["filled"], bought["clientOrderId"]) == ("closed", 0.01, "one")
            assert bought["fee"] == {"currency": "BTC", "cost": 0.00001}
            assert (await client.fetch_balance())["BTC"]["free"] == 0.00999
            sold = await client.create_order(PAIR, "market", "sell", 0.005)
            assert sold["fee"]["currency"] == "USDT"
            spent = await client.create_market_buy_order_with_cost(PAIR, 500)
            assert 499 < spent["cost"] <= 500
            trades = await client.fetch_my_trades(PAIR)
            assert [trade["order"] for trade in trades] == [bought["id"], sold["id"], spent["id"]]
            assert trades[0]["side"] == "buy"
            assert trades[0]["takerOrMaker"] == "taker"
            assert [t["id"] for t in await client.fetch_order_trades(sold["id"], PAIR)] == [trades[1]["id"]]
            assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(
                sum((t["amount"] - t["fee"]["cost"]) if t["side"] == "buy" else -t["amount"] for t in trades)
            )

    asyncio.run(scene())


def test_a_limit_order_rests_is_found_by_either_id_and_is_cancelled(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            price = round((await client.fetch_ticker(PAIR))["bid"] * 0.9, 2)
            placed = await client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "rest-1"})
            assert placed["status"] == "open"
            assert (await client.fetch_balance())["USDT"]["used"] == pytest.approx(price * 0.01)
            found = await client.fetch_order(None, PAIR, {"origClientOrderId": "rest-1"})
            assert found["id"] == placed["id"]
            assert [o["id"] for o in await client.fetch_open_orders(PAIR)] == [placed["id"]]
            with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
                await client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "rest-1"})
            assert (await client.cancel_order(placed["id"], PAIR))["status"] == "canceled"
            assert (await client.fetch_order(placed["id"], PAIR))["status"] == "canceled"
            assert (await client.fetch_balance())["USDT"]["used"] == 0
            again = await client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": "rest-1"})
            assert again["id"] != placed["id"], "the id of a closed order is free again"
            assert (await client.fetch_order(None, PAIR, {"origClientOrderId": "rest-1"}))["id"] == again["id"]
            assert len(await client.cancel_all_orders(PAIR)) == 1
            assert len(await client.fetch_orders(PAIR)) == 2

    asyncio.run(scene())


def test_refusals_come_as_the_errors_ccxt_knows(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            order = client.create_order
            with pytest.raises(ccxt.InsufficientFunds):
                await order(PAIR, "market", "buy", 1)
            with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
                await order(PAIR, "limit", "buy", 0.00001, 50_000)
            with pytest.raises(ccxt.InvalidOrder, match="PERCENT_PRICE_BY_SIDE"):
                await order(PAIR, "limit", "sell", 1, 900_000)
            with pytest.raises(ccxt.OrderImmediatelyFillable):
                await order(PAIR, "limit", "buy", 0.001, 150_000, {"postOnly": True})
            with pytest.raises(ccxt.OrderNotFound):
                await client.cancel_order("12345", PAIR)
            with pytest.raises(ccxt.OrderNotFound):
                await client.fetch_order("12345", PAIR)
            client.secret = "wrong"
            with pytest.raises(ccxt.AuthenticationError):
                await client.fetch_balance()
            client.apiKey = "nobodys"
            with pytest.raises((ccxt.AuthenticationError, ccxt.DDoSProtection)):
                await client.fetch_balance()

    asyncio.run(scene())


def test_two_accounts_trade_with_each_other_and_see_only_their_own(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            ccxt_client(venue.port) as ann,
            ccxt_client(venue.port, LIVE) as bob,
        ):
            await ann.create_order(PAIR, "market", "buy", 0.01)
            price = round((await ann.fetch_ticker(PAIR))["last"], 2)
            resting = await ann.create_order(PAIR, "limit", "sell", 0.005, price)
            taken = await bob.create_order(PAIR, "limit", "buy", 0.005, price)
            assert (taken["status"], taken["average"]) == ("closed", price)
            assert (await ann.fetch_order(resting["id"], PAIR))["status"] == "closed"
            assert (await ann.fetch_my_trades(PAIR))[-1]["takerOrMaker"] == "maker"
            assert len(await bob.fetch_my_trades(PAIR)) == 1
            with pytest.raises(ccxt.OrderNotFound):
                await bob.fetch_order(resting["id"], PAIR)
            accounts = venue.server.exchange.engine.accounts
            assert accounts.total("BTC") == 0
            assert accounts.total("USDT") == Decimal(20_000)

    asyncio.run(scene())


def fast(venue_speed: float = 600) -> VenueConfig:
    return VenueConfig(speed=venue_speed)


def test_quotes_candles_books_and_trades_are_watched(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, fast()) as venue, ccxt_client(venue.port) as client:
            first = (await soon(client.watch_bids_asks([PAIR, "ETH/USDT"])))[PAIR]
            assert first["bid"] < first["ask"]
            candle = (await soon(client.watch_ohlcv(PAIR, "1m")))[-1]
            while (latest := (await soon(client.watch_ohlcv(PAIR, "1m")))[-1])[0] == candle[0]:
                pass
            assert latest[0] == candle[0] + 60_000
            for _ in range(5):
                book = await soon(client.watch_order_book(PAIR))
            assert book["bids"][0][0] < book["asks"][0][0]
            assert len(book["bids"]) == 10
            assert (await soon(client.watch_trades(PAIR)))[-1]["amount"] > 0
            assert (await soon(client.watch_ticker(PAIR)))["last"] > 0

    asyncio.run(scene())


def test_orders_and_balances_are_watched(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            orders = asyncio.create_task(client.watch_orders())
            balance = asyncio.create_task(client.watch_balance())
            await subscribed(venue)
            await client.create_order(PAIR, "market", "buy", 0.01, params={"clientOrderId": "seen"})
            (order,) = await soon(orders)
            while order["status"] != "closed":
                (order,) = await soon(client.watch_orders())
            assert (order["clientOrderId"], order["filled"]) == ("seen", 0.01)
            assert order["fee"] == {"currency": "BTC", "cost": 0.00001}
            assert (await soon(balance))["BTC"]["free"] == 0.00999

    asyncio.run(scene())


async def subscribed(venue: Running) -> None:
    """Until the user stream has a listener."""
    await eventually_async(lambda: venue.server.users.listeners("sandbox"))


def test_an_order_is_placed_and_cancelled_by_web_socket(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_client(venue.port) as client:
            price = round((await client.fetch_ticker(PAIR))["bid"] * 0.9, 2)
            placed = await soon(client.create_order_ws(PAIR, "limit", "buy", 0.01, price))
            assert placed["status"] == "open"
            assert (await soon(client.cancel_order_ws(placed["id"], PAIR)))["status"] == "canceled"
            (dollars,) = (await soon(client.fetch_balance_ws()))["info"]["balances"]
            assert dollars == {"asset": "USDT", "free": "10000.00000000", "locked": "0.00000000"}
            with pytest.raises(ccxt.InsufficientFunds):
                await soon(client.create_order_ws(PAIR, "market", "buy", 1))

    asyncio.run(scene())
