"""What a real ccxt client does while a fault is there, and what it sees: an order by REST, a stream, an account. Each
look says in a word or two what was seen; the truth is asked of the venue itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import ccxt

from tests.support import eventually_async
from tests.venue.support import Running

PAIR, SYMBOL = "BTC/USDT", "BTCUSDT"
Strike = Callable[[], Awaitable[None]]


@dataclass
class Scene:
    """A venue, a client of each kind, and whether the fault is there."""

    venue: Running
    rest: Any  # ccxt, sync
    pro: Any  # ccxt.pro
    wanted: object = None
    patience_ms: int = 10_000
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """A call of the sync client, which mustn't hold up the venue."""
        self.rest.timeout = self.patience_ms
        return await asyncio.to_thread(getattr(self.rest, name), *arguments, **named)

    def owned(self) -> Any:
        """How much BTC there really is."""
        return self.venue.server.exchange.engine.accounts.balance("sandbox", "BTC").free

    async def price(self) -> float:
        """Of the last candle, which no leap gets into, once the market is back there."""
        usual = float((await self.call("fetch_ohlcv", PAIR, "1m", None, 2))[0][4])

        async def back() -> bool:
            return abs(float((await self.call("fetch_ticker", PAIR))["ask"]) / usual - 1) < 0.05

        await eventually_async(back, 30)
        return usual


async def soon(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, 30)


async def seen(awaitable: Awaitable[Any]) -> object:
    """The answer in a word; of an exception, its class."""
    try:
        placed = await awaitable
    except ccxt.BaseError as error:
        return type(error).__name__
    return placed["status"] if placed["id"] is not None else "an order without id"


def impatient(look: Callable[[Scene, Strike], Awaitable[object]], ms: int) -> Callable[..., Awaitable[object]]:
    """The same, by a client that waits no longer than this while the fault is there."""

    async def looked(scene: Scene, strike: Strike) -> object:
        scene.patience_ms = ms if scene.wanted == "RequestTimeout" else 10_000
        return await look(scene, strike)

    return looked


async def buy(scene: Scene, strike: Strike) -> object:
    await strike()
    return await seen(scene.call("create_order", PAIR, "market", "buy", 0.001))


async def buy_now_or_never(scene: Scene, strike: Strike) -> object:
    """An order that is good for a quarter of a second; without the fault, for as long as usual."""
    await strike()
    window = 250 if scene.wanted == "InvalidNonce" else 5000
    return await seen(scene.call("create_order", PAIR, "market", "buy", 0.001, None, {"recvWindow": window}))


async def buy_too_little(scene: Scene, strike: Strike) -> object:
    await strike()
    return await seen(scene.call("create_order", PAIR, "market", "buy", 0.00001))


async def buy_all_there_is(scene: Scene, strike: Strike) -> object:
    await strike()
    placed = await scene.call("create_order", PAIR, "market", "buy", 0.005)
    return "whole" if placed["filled"] == placed["amount"] else "partly"


async def buy_and_read(scene: Scene, strike: Strike) -> object:
    await strike()
    placed = await scene.call("create_order", PAIR, "market", "buy", 0.001)
    return await seen(scene.call("fetch_order", placed["id"], PAIR))


async def cancel_and_read(scene: Scene, strike: Strike) -> object:
    await strike()
    price = round(await scene.price() * 0.5, 2)
    placed = await scene.call("create_order", PAIR, "limit", "buy", 0.001, price)
    await scene.call("cancel_order", placed["id"], PAIR)
    return await seen(scene.call("fetch_order", placed["id"], PAIR))


async def rights(scene: Scene, strike: Strike) -> object:
    await strike()
    shown = await scene.call("sapi_get_account_apirestrictions")
    return "may withdraw" if shown["enableWithdrawals"] else "may not"


async def read_and_buy(scene: Scene, strike: Strike) -> object:
    """Reading works all the while."""
    await strike()
    assert (await scene.call("fetch_balance"))["USDT"]["free"] > 0
    may = (await scene.call("sapi_get_account_apirestrictions"))["enableSpotAndMarginTrading"]
    assert may is (scene.wanted == "closed")
    return await seen(scene.call("create_order", PAIR, "market", "buy", 0.001))


async def rest_far_away(scene: Scene, strike: Strike) -> object:
    """An order a tenth below the market."""
    price = round(await scene.price() * 0.9, 2)
    placed = await scene.call("create_order", PAIR, "limit", "buy", 0.001, price)
    await strike()

    async def filled() -> bool:
        return bool((await scene.call("fetch_order", placed["id"], PAIR))["status"] == "closed")

    if scene.wanted == "filled":
        await eventually_async(filled, 30)
        return "filled"
    bars = scene.venue.server.market.bars_closed
    await eventually_async(lambda: scene.venue.server.market.bars_closed > bars + 2, 30)
    stayed = not await filled()
    if stayed:
        await scene.call("cancel_order", placed["id"], PAIR)
    return "rests" if stayed else "filled"


async def rest_off_ten(scene: Scene, strike: Strike) -> object:
    """A price that is no multiple of ten."""
    price = round(await scene.price() * 0.9) // 10 * 10 + 5.5
    await strike()
    placed = await seen(scene.call("create_order", PAIR, "limit", "buy", 0.001, price))
    if placed == "open":
        await scene.call("cancel_all_orders", PAIR)
    return placed


async def buy_what_was_listed(scene: Scene, strike: Strike) -> object:
    """A market that is listed, and is afterwards."""
    await strike()
    bought = await seen(scene.call("create_order", PAIR, "market", "buy", 0.001))
    await listed_again(scene)
    return bought


async def buy_what_was_delisted(scene: Scene, strike: Strike) -> object:
    """A market that isn't listed, and is afterwards."""
    exchange = scene.venue.server.exchange
    exchange.show(SYMBOL, False, 1)
    await strike()
    if scene.wanted == "closed":
        await eventually_async(exchange.engine.books[SYMBOL].best_ask, 30)
    bought = await seen(scene.call("create_order", PAIR, "market", "buy", 0.001))
    await listed_again(scene)
    return bought


async def listed_again(scene: Scene) -> None:
    """The market is listed, and quoted."""
    exchange = scene.venue.server.exchange
    exchange.show(SYMBOL, True, 1)
    await eventually_async(exchange.engine.books[SYMBOL].best_ask, 30)


async def balance(scene: Scene, strike: Strike) -> object:
    async def held() -> float:
        return float((await scene.call("fetch_balance")).get("ETH", {"free": 0})["free"])

    before = await held()
    await strike()

    async def more() -> bool:
        return await held() > before

    if scene.wanted == "more than before":
        await eventually_async(more, 30)
    return "more than before" if await more() else "as before"


# streams


async def listening(scene: Scene) -> None:
    """ccxt.pro hears of the account's orders; every raw event is kept."""
    if not scene.heard and not hasattr(scene.pro, "kept"):
        original = scene.pro.handle_order

        def keep(socket: Any, message: dict[str, Any]) -> None:
            scene.heard.append(message)
            original(socket, message)

        scene.pro.handle_order, scene.pro.kept = keep, True
    if not scene.venue.server.users.listeners("sandbox"):
        scene.pro.kept = asyncio.ensure_future(scene.pro.watch_orders())
        await eventually_async(lambda: scene.venue.server.users.listeners("sandbox"), 30)


async def order_events(scene: Scene, strike: Strike) -> object:
    """The statuses that are heard of one order."""
    await listening(scene)
    scene.heard.clear()
    await strike()
    await scene.call("create_order", PAIR, "market", "buy", 0.001)
    assert isinstance(scene.wanted, list)
    expected = len(scene.wanted)
    await eventually_async(lambda: len(scene.heard) >= expected, 30)
    return [event["X"] for event in scene.heard]


async def end_of_events(scene: Scene, strike: Strike) -> object:
    """Is the user stream there after all, by what ccxt is told?"""
    told: list[str] = []
    original = scene.pro.handle_event_stream_terminated

    def keep(socket: Any, message: dict[str, Any]) -> None:
        told.append(message["e"])
        original(socket, message)

    scene.pro.handle_event_stream_terminated = keep
    await listening(scene)
    await strike()
    if scene.wanted == "eventStreamTerminated":
        await eventually_async(lambda: told, 30)
        return told[0]
    return told or "goes on"


async def quotes(scene: Scene, strike: Strike) -> object:
    """What ccxt.pro makes of the best bid and ask; it reads on until it sees what is awaited."""
    await soon(scene.pro.watch_bids_asks([PAIR]))
    await strike()

    async def watch() -> object:
        while (kind := _judged(scene, (await scene.pro.watch_bids_asks([PAIR]))[PAIR])) != scene.wanted:
            pass
        return kind

    try:
        return await soon(watch())
    except TimeoutError:
        return f"never {scene.wanted}"
    except ccxt.BaseError as error:
        return type(error).__name__


def _judged(scene: Scene, ticker: dict[str, Any]) -> str:
    bid, ask = ticker["bid"], ticker["ask"]
    true = float(scene.venue.server.exchange.engine.last_ticks[SYMBOL]) / 100
    if not bid or bid != bid:
        return "no price"
    if bid > ask:
        return "crossed"
    return "ten times" if bid > 5 * true else "right"
