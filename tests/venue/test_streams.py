"""Market streams beyond those that ccxt watches: partial books, all tickers, averages, and the combined property."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp

from execution.runtime.clock import SystemClock
from execution.runtime.settings import VenueConfig
from execution.venue.book import Order
from execution.venue.connection import Connection
from execution.venue.streams import Subscriber
from tests.venue.support import SANDBOX, raw_client, running, signed

FAST = VenueConfig(speed=600)


def test_partial_books_averages_and_all_tickers_come_as_binance_sends_them(tmp_path: Path) -> None:
    async def scene() -> None:
        names = ["btcusdt@depth5", "btcusdt@depth20@100ms", "btcusdt@avgPrice", "!miniTicker@arr", "!ticker@arr"]
        async with (
            running(tmp_path, FAST) as venue,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/stream?streams={'/'.join(names)}") as socket,
        ):
            seen: dict[str, Any] = {}
            while len(seen) < len(names):
                message = await socket.receive_json(timeout=30)
                seen[message["stream"]] = message["data"]
            assert [len(seen["btcusdt@depth5"][side]) for side in ("bids", "asks")] == [5, 5]
            assert len(seen["btcusdt@depth20@100ms"]["bids"]) == 10, "all there are"
            assert set(seen["btcusdt@depth5"]) == {"lastUpdateId", "bids", "asks"}
            assert set(seen["btcusdt@avgPrice"]) == {"e", "E", "s", "i", "w", "T"}
            symbols = list(venue.server.exchange.symbols)
            assert [row["s"] for row in seen["!miniTicker@arr"]] == symbols
            assert {row["e"] for row in seen["!ticker@arr"]} == {"24hrTicker"}

    asyncio.run(scene())


def test_events_come_wrapped_or_not_as_the_property_says(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, FAST) as venue,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/ws") as socket,
        ):

            async def ask(method: str, *params: object) -> Any:
                await socket.send_json({"method": method, "params": list(params), "id": 9})
                while (message := await socket.receive_json(timeout=30)).get("id") != 9:
                    pass
                return message.get("result", message.get("error"))

            assert await ask("GET_PROPERTY", "combined") is False
            assert await ask("SET_PROPERTY", "combined", True) is None
            assert await ask("GET_PROPERTY", "combined") is True
            for wrong in (("combined",), ("combined", 1), ("other", True), ()):
                assert "msg" in await ask("SET_PROPERTY", *wrong)
            assert await ask("SUBSCRIBE", "btcusdt@bookTicker") is None
            assert (await socket.receive_json(timeout=30))["stream"] == "btcusdt@bookTicker"
            assert await ask("UNSUBSCRIBE", "btcusdt@bookTicker", "!ticker@arr") is None
            assert await ask("LIST_SUBSCRIPTIONS") == []

    asyncio.run(scene())


def test_what_clients_ask_beside_the_spot_market_is_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            assert (await raw.ask("GET", "/sapi/v1/system/status")).body == {"status": 0, "msg": "normal"}
            assert (await raw.ask("GET", "/sapi/v1/margin/allPairs")).body == []
            assert len((await raw.public("uiKlines", symbol="BTCUSDT", interval="1m", limit=3)).body) == 3
            assert (await raw.public("historicalTrades", symbol="BTCUSDT", fromId=1)).body == []
            hour = (await raw.public("ticker", symbol="BTCUSDT", windowSize="1h")).body
            assert hour["closeTime"] - hour["openTime"] == 3_600_000
            assert float(hour["lowPrice"]) <= float(hour["openPrice"]) <= float(hour["highPrice"])
            day = (await raw.public("ticker/tradingDay", symbols='["BTCUSDT","ETHUSDT"]')).body
            assert [row["openTime"] % 86_400_000 for row in day] == [0, 0]
            assert (await raw.public("ticker", symbol="BTCUSDT", windowSize="60m")).code == -1100
            assert (await raw.public("ticker")).code == -1102
            assert (await raw.signed("GET", "myAllocations", symbol="BTCUSDT")).body == []
            rates = (await raw.signed("GET", "account/commission", symbol="BTCUSDT")).body
            assert rates["standardCommission"]["taker"] == "0.00100000"
            query = signed({}, SystemClock().now_ms())
            coins = (await raw.ask("GET", "/sapi/v1/capital/config/getall", query, key=SANDBOX.key)).body
            assert {row["coin"]: row["free"] for row in coins}["USDT"] == "10000.00000000"

    asyncio.run(scene())


def test_pairs_of_orders_and_replacements_are_reached_by_rest_and_by_web_socket_names(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
            first = (await raw.signed("POST", "order", **order, price="40000")).body
            change = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": first["orderId"]}
            replaced = (await raw.signed("POST", "order/cancelReplace", **order, price="41000", **change)).body
            assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
            assert (await raw.signed("GET", "openOrderList")).body == []
            assert (await raw.signed("GET", "orderList", orderListId=1)).code == -2018
            assert (await raw.signed("POST", "orderList/oco", symbol="BTCUSDT")).code == -1102

    asyncio.run(scene())


def test_what_changes_in_the_book_within_its_period_goes_out_in_one_message_without_a_gap(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            raw_client(venue) as raw,
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.url}/ws/btcusdt@depth@100ms") as socket,
        ):
            at = (await raw.public("depth", symbol="BTCUSDT")).body["lastUpdateId"]
            limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001"}
            for number in range(30):
                assert (await raw.signed("POST", "order", **limit, price=str(30_000 + number))).status == 200
            last_ms = 0
            while at < venue.server.exchange.engine.books["BTCUSDT"].version:
                event = await socket.receive_json(timeout=5)
                assert event["U"] == at + 1, "no gap"
                assert event["E"] - last_ms >= 98, (
                    "a tenth of a second lies between two messages, in whole milliseconds"
                )
                at, last_ms = event["u"], event["E"]

    asyncio.run(scene())


def test_a_message_that_had_to_wait_holds_nothing_that_is_not_stored(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue:
            exchange, streams = venue.server.exchange, venue.server._sockets._streams
            seen: list[bool] = []
            streams.deliver = lambda _connection, _name, _message: seen.append(exchange.commits._group.is_empty)
            streams.subscribe(Subscriber(cast(Connection, None), combined=False), ["btcusdt@depth@100ms"])
            order = Order(0, "sandbox", "BTCUSDT", "", "BUY", "LIMIT", "GTC", 3_000_000, 100, 1)
            began, number = time.monotonic(), 0
            while time.monotonic() < began + 0.6 or len(seen) < 4:
                exchange.place(replace(order, client_id=f"n{number}"), 1, lambda: None)
                assert not exchange.commits._group.is_empty
                await asyncio.sleep(0)  # whoever is due now finds an open group
                exchange.cancel([exchange.engine.open.of("sandbox")[0]], 1)
                await asyncio.sleep(0)
                number += 1
            assert all(seen)

    asyncio.run(scene())


def test_the_trades_of_each_market_are_numbered_without_a_gap_of_their_own(tmp_path: Path) -> None:
    async def scene() -> None:
        names = ["btcusdt@trade", "ethusdt@trade"]
        async with (
            running(tmp_path, FAST) as venue,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{venue.url}/stream?streams={'/'.join(names)}") as socket,
        ):
            seen: dict[str, list[int]] = {name: [] for name in names}
            while min(map(len, seen.values())) < 20:
                message = await socket.receive_json(timeout=30)
                seen[message["stream"]].append(message["data"]["t"])
            for ids in seen.values():
                assert ids == list(range(ids[0], ids[0] + len(ids)))

    asyncio.run(scene())
