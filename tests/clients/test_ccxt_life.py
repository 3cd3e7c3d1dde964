"""An order's whole life as ccxt leads it, by each of its forms: the same calls, the same answers."""

import asyncio
import time
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.clients.ccxt_clients import FORMS, ccxt_of
from tests.venue.support import LIVE, running

PAIR = "BTC/USDT"
pytestmark = pytest.mark.parametrize("form", FORMS)


async def price_of(client: Any, share: float) -> float:
    """A share of the market's price, on a tick."""
    return float(round((await client.fetch_ticker(PAIR))["last"] * share, 2))


def test_the_market_is_read(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of(form, venue.port) as client:
            assert client.market(PAIR)["limits"]["cost"]["min"] == 5
            assert abs(await client.fetch_time() - time.time() * 1000) < 5_000
            assert (await client.fetch_status())["status"] == "ok"
            ticker = await client.fetch_ticker(PAIR)
            assert ticker["bid"] < ticker["ask"]
            book = await client.fetch_order_book(PAIR, 5)
            assert book["bids"][0][0] == ticker["bid"]
            assert len(await client.fetch_ohlcv(PAIR, "1m", limit=100)) == 100
            assert len(await client.fetch_bids_asks([PAIR, "ETH/USDT"])) == 2
            assert (await client.fetch_trading_fee(PAIR))["taker"] == 0.001
            assert set(await client.fetch_last_prices([PAIR, "ETH/USDT"])) == {PAIR, "ETH/USDT"}

    asyncio.run(scene())


def test_an_order_is_filled_in_parts_by_another_account_and_the_rest_is_cancelled(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with (
            running(tmp_path, driven=False) as venue,
            ccxt_of(form, venue.port) as ann,
            ccxt_of(form, venue.port, LIVE) as bob,
        ):
            await bob.create_order(PAIR, "market", "buy", 0.01)
            price = await price_of(ann, 1)  # between the best bid and the best ask
            placed = await ann.create_order(PAIR, "limit", "buy", 0.005, price, {"clientOrderId": "in-parts"})
            assert (placed["status"], placed["filled"]) == ("open", 0)
            await bob.create_order(PAIR, "limit", "sell", 0.002, price, {"timeInForce": "IOC"})
            part = await ann.fetch_order(placed["id"], PAIR)
            assert (part["status"], part["filled"], part["remaining"]) == ("open", 0.002, 0.003)
            assert part["average"] == price
            held = await ann.fetch_balance()
            assert held["USDT"]["used"] == pytest.approx(price * 0.003)
            assert held["BTC"]["free"] == pytest.approx(0.002 * 0.999)
            assert [order["id"] for order in await ann.fetch_open_orders(PAIR)] == [placed["id"]]
            gone = await ann.cancel_order(placed["id"], PAIR)
            assert (gone["status"], gone["filled"]) == ("canceled", 0.002)
            (trade,) = await ann.fetch_my_trades(PAIR)
            assert (trade["order"], trade["takerOrMaker"], trade["price"]) == (placed["id"], "maker", price)
            assert trade["fee"] == {"currency": "BTC", "cost": 0.000002}
            assert [order["status"] for order in await ann.fetch_orders(PAIR)] == ["canceled"]
            assert (await ann.fetch_balance())["USDT"]["used"] == 0

    asyncio.run(scene())


def test_a_stop_rests_and_goes_and_a_pair_is_one_cancels_the_other(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of(form, venue.port) as client:
            bought = await client.create_order(PAIR, "market", "buy", 0.01)
            assert (bought["status"], bought["filled"]) == ("closed", 0.01)
            low, lower, high = [await price_of(client, share) for share in (0.95, 0.949, 1.05)]
            stop = await client.create_order(PAIR, "limit", "sell", 0.004, lower, {"stopLossPrice": low})
            seen = await client.fetch_order(stop["id"], PAIR)
            assert (seen["status"], seen["triggerPrice"], seen["price"]) == ("open", low, lower)
            bare = await client.create_order(PAIR, "market", "sell", 0.001, None, {"stopLossPrice": low})
            assert len(await client.fetch_open_orders(PAIR)) == 2
            for order in (stop, bare):
                assert (await client.cancel_order(order["id"], PAIR))["status"] == "canceled"
            pair = await client.private_post_orderlist_oco(
                {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.004", "aboveType": "LIMIT_MAKER"}
                | {"abovePrice": str(high), "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": str(low)}
                | {"belowPrice": str(lower), "belowTimeInForce": "GTC"}
            )
            legs = {str(order["orderId"]) for order in pair["orders"]}
            assert {order["id"] for order in await client.fetch_open_orders(PAIR)} == legs
            await client.cancel_order(legs.pop(), PAIR)
            assert await client.fetch_open_orders(PAIR) == [], "one cancels the other"

    asyncio.run(scene())


def test_an_order_is_replaced(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of(form, venue.port) as client:
            price = await price_of(client, 0.9)
            placed = await client.create_order(PAIR, "limit", "buy", 0.001, price)
            better = await client.edit_order(placed["id"], PAIR, "limit", "buy", 0.002, price + 1)
            assert (better["amount"], better["price"], better["status"]) == (0.002, price + 1, "open")
            assert (await client.fetch_order(placed["id"], PAIR))["status"] == "canceled"
            assert len(await client.cancel_all_orders(PAIR)) == 1

    asyncio.run(scene())


def test_each_refusal_comes_as_the_error_that_clients_decide_by(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of(form, venue.port) as client:
            order, low = client.create_order, await price_of(client, 0.9)
            await order(PAIR, "limit", "buy", 0.001, low, {"clientOrderId": "mine"})
            refusals = {
                ccxt.InsufficientFunds: (PAIR, "market", "buy", 5),
                ccxt.InvalidOrder: (PAIR, "limit", "buy", 0.001, low, {"clientOrderId": "mine"}),
                ccxt.BadRequest: (PAIR, "limit", "buy", 0.00001, low),
                ccxt.OrderImmediatelyFillable: (PAIR, "limit", "buy", 0.001, low * 1.5, {"postOnly": True}),
            }
            for refusal, terms in refusals.items():
                with pytest.raises(refusal):
                    await order(*terms)
            with pytest.raises(ccxt.InvalidOrder, match="PERCENT_PRICE_BY_SIDE"):
                await order(PAIR, "limit", "buy", 0.001, round(low * 0.1, 2))
            for missing in (client.cancel_order, client.fetch_order):
                with pytest.raises(ccxt.OrderNotFound):
                    await missing("987654", PAIR)
            with pytest.raises(ccxt.BadSymbol):
                await client.public_get_ticker_price({"symbol": "NOSUCH"})
            assert len(await client.fetch_open_orders(PAIR)) == 1, "no refusal left anything behind"

    asyncio.run(scene())


def test_a_wrong_signature_and_a_wrong_clock_are_told_apart(tmp_path: Path, form: str) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, ccxt_of(form, venue.port) as client:
            bare = client.client if form == "blocking" else client
            clock = bare.milliseconds
            bare.nonce = lambda: clock() - 60_000
            with pytest.raises(ccxt.InvalidNonce):
                await client.fetch_balance()
            bare.nonce = lambda: clock() + 60_000
            with pytest.raises(ccxt.InvalidNonce):
                await client.fetch_balance()
            bare.nonce = clock
            bare.secret = "somebody else's"
            with pytest.raises(ccxt.AuthenticationError):
                await client.fetch_balance()

    asyncio.run(scene())
