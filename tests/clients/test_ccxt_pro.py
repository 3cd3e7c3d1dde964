"""ccxt.pro over its sockets: public streams, the user stream, and an order's life without a REST request."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

from execution.runtime.settings import VenueConfig
from tests.clients.ccxt_clients import ccxt_of, soon
from tests.support import eventually_async
from tests.venue.support import LIVE, running

PAIR, OTHER = "BTC/USDT", "ETH/USDT"


async def until(watch: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Watch until what comes is what is waited for."""
    for _ in range(200):
        if holds(seen := await soon(watch())):
            return seen
    raise AssertionError(f"it never came; last {seen!r}")


class Told:
    """What the user stream has said of orders, from now on."""

    def __init__(self, client: Any) -> None:
        self.steps: list[tuple[str, str, float]] = []
        self._listening = asyncio.create_task(self._listen(client))

    async def _listen(self, client: Any) -> None:
        while True:
            self.steps += [(order["id"], order["status"], order["filled"]) for order in await client.watch_orders()]

    async def of(self, order: str, status: str, filled: float) -> None:
        """Wait until it was said that an order is so."""
        await eventually_async(lambda: (order, status, filled) in self.steps)

    def stop(self) -> None:
        """Listen no longer."""
        self._listening.cancel()


def test_every_public_stream_speaks_of_the_same_market(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, VenueConfig(speed=600)) as venue, ccxt_of("pro", venue.port) as client:
            quotes, tickers, candles, book, trades = await asyncio.gather(
                soon(client.watch_bids_asks([PAIR, OTHER])),
                soon(client.watch_tickers([PAIR, OTHER])),
                soon(client.watch_ohlcv_for_symbols([[PAIR, "1m"], [OTHER, "1m"]])),
                soon(client.watch_order_book(PAIR)),
                soon(client.watch_trades_for_symbols([PAIR, OTHER])),
            )
            assert all((quotes, tickers, candles, book, trades))
            price = (await client.fetch_ticker(PAIR))["last"]
            seen = await until(lambda: client.watch_bids_asks([PAIR]), lambda quotes: PAIR in quotes)
            assert seen[PAIR]["bid"] == pytest.approx(price, rel=0.05)
            assert book["asks"][0][0] == pytest.approx(price, rel=0.05)

    asyncio.run(scene())


def test_an_order_lives_and_dies_over_sockets_alone_and_the_user_stream_tells_each_step(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            ccxt_of("pro", venue.port) as ann,
            ccxt_of("pro", venue.port, LIVE) as bob,
        ):
            await bob.create_order(PAIR, "market", "buy", 0.01)
            told = Told(ann)
            trades, balance = asyncio.create_task(ann.watch_my_trades()), asyncio.create_task(ann.watch_balance())
            await eventually_async(lambda: venue.server.users.listeners("sandbox"))
            price = round((await ann.fetch_ticker(PAIR))["last"], 2)
            wish = {"newClientOrderId": "by-wire"}
            first = (await soon(ann.create_order_ws(PAIR, "limit", "buy", 0.005, price, wish)))["id"]
            await told.of(first, "open", 0)
            assert (await soon(ann.fetch_order_ws(first, PAIR)))["clientOrderId"] == "by-wire"
            assert [order["id"] for order in await soon(ann.fetch_open_orders_ws(PAIR))] == [first]
            await bob.create_order(PAIR, "limit", "sell", 0.002, price, {"timeInForce": "IOC"})
            await told.of(first, "open", 0.002)
            (trade,) = await soon(trades)
            assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (first, 0.002, "maker")
            second = (await soon(ann.edit_order_ws(first, PAIR, "limit", "buy", 0.004, price - 1)))["id"]
            await told.of(first, "canceled", 0.002)
            await told.of(second, "open", 0)
            assert (await soon(ann.cancel_order_ws(second, PAIR)))["status"] == "canceled"
            await told.of(second, "canceled", 0)
            assert (await soon(ann.fetch_my_trades_ws(PAIR)))[0]["id"] == trade["id"]
            await soon(balance)
            assert ann.balance["spot"]["BTC"]["free"] == pytest.approx(0.002 * 0.999)
            told.stop()

    asyncio.run(scene())


def test_refusals_over_the_socket_are_the_same_errors(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of("pro", venue.port) as client:
            low = round((await client.fetch_ticker(PAIR))["last"] * 0.9, 2)
            await soon(client.create_order_ws(PAIR, "limit", "buy", 0.001, low, {"newClientOrderId": "mine"}))
            refusals: dict[type[Exception], tuple[object, ...]] = {
                ccxt.InsufficientFunds: (PAIR, "market", "buy", 5),
                ccxt.InvalidOrder: (PAIR, "limit", "buy", 0.001, low, {"newClientOrderId": "mine"}),
                ccxt.BadRequest: (PAIR, "limit", "buy", 0.00001, low),
                ccxt.OrderImmediatelyFillable: (PAIR, "LIMIT_MAKER", "buy", 0.001, round(low * 1.5, 2)),
            }
            for refusal, terms in refusals.items():
                with pytest.raises(refusal):
                    await soon(client.create_order_ws(*terms))
            for missing in (client.cancel_order_ws, client.fetch_order_ws):
                with pytest.raises(ccxt.OrderNotFound):
                    await soon(missing("987654", PAIR))
            clock = client.milliseconds
            client.nonce = lambda: clock() - 60_000
            with pytest.raises(ccxt.InvalidNonce):
                await soon(client.fetch_balance_ws())
            client.nonce = clock
            client.secret = "somebody else's"
            with pytest.raises(ccxt.AuthenticationError):
                await soon(client.fetch_balance_ws())

    asyncio.run(scene())
