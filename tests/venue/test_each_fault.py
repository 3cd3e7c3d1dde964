"""One table: every fault the venue has, as a real ccxt client sees it, and what is true at the venue afterwards. Each
is produced by command over the control port, by a script, and by chance and seed."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple

import aiohttp
import ccxt
import pytest

from execution.runtime.settings import VenueConfig
from execution.venue.control import ControlPort
from execution.venue.fault_kinds import AT_DOOR, INSIDE, STANDING, Fault
from execution.venue.fault_script import as_row, read_script
from execution.venue.faults import Faults, Rule
from execution.venue.latency import Distribution
from execution.venue.symbols import BREAK
from tests.support import eventually_async
from tests.venue import fault_scenes as scenes
from tests.venue.fault_scenes import SYMBOL, Scene, Strike
from tests.venue.support import SANDBOX, Running, ccxt_client, ccxt_options, point_at, running

FAST = VenueConfig(speed=600)
POST, READ = "POST /api/v3/order", "GET /api/v3/order"
QUOTES, REPORTS = "btcusdt@bookTicker", "sandbox executionReport"
TWO = ["NEW", "FILLED"]
ALWAYS = 3600.0
SEED = 5
Give = Callable[[Rule], Awaitable[None]]
Look = Callable[[Scene, Strike], Awaitable[object]]


class Row(NamedTuple):
    """A fault: what it befalls, what a client does meanwhile, what it sees with it and without; was the order
    executed? `shown` is the venue's own state while the fault holds, for kinds that take effect a moment later."""

    fault: Fault
    on: str
    look: Look
    seen: object
    calm: object
    executed: bool | None = None
    value: str | None = None
    for_s: float | None = None
    distribution: Distribution | None = None
    shown: Callable[[Running], bool] | None = None

    def rule(self, chance: float) -> Rule:
        value = None if self.value is None else Decimal(self.value)
        rule = Rule(self.fault, self.on, chance=chance, for_s=self.for_s, value=value)
        return dataclasses.replace(rule, distribution=self.distribution)


def order(
    fault: Fault, seen: str, executed: bool, *, on: str = POST, look: Look = scenes.buy, value: str | None = None
) -> Row:
    """A fault of a request that places an order."""
    return Row(fault, on, look, seen, "closed", executed, value)


def price(fault: Fault, seen: str) -> Row:
    """A fault of a stream of prices."""
    return Row(fault, QUOTES, scenes.quotes, seen, "right", for_s=ALWAYS)


def event(fault: Fault, seen: list[str], value: str | None = None) -> Row:
    """A fault of the user stream."""
    return Row(fault, REPORTS, scenes.order_events, seen, TWO, True, value)


def is_offline(venue: Running) -> bool:
    return venue.server._doors._site is None


def is_thin(venue: Running) -> bool:
    return sum(lots for _, lots in venue.server.exchange.engine.books[SYMBOL].asks()) < 500


def is_gone(venue: Running) -> bool:
    return SYMBOL not in venue.server.exchange.listed


def is_coarse(venue: Running) -> bool:
    symbol = venue.server.exchange.symbols[SYMBOL]
    return symbol.tick_size > 1 or symbol.step_size > 1


def is_dear(venue: Running) -> bool:
    return venue.server.exchange.symbols[SYMBOL].notional_min == 1000


NOTHING_KNOWN = "an order without id"
TABLE = (
    order(Fault.REFUSE_504, "RequestTimeout", executed=False),
    order(Fault.EXECUTE_504, "RequestTimeout", executed=True),
    order(Fault.CUT, "NetworkError", executed=False),
    order(Fault.EXECUTE_CUT, "NetworkError", executed=True),
    order(Fault.DELAY, "InvalidNonce", executed=False, look=scenes.buy_now_or_never, value="0.3"),
    order(Fault.LATE_REPLY, "RequestTimeout", executed=True, look=scenes.impatient(scenes.buy, 400), value="1"),
    Row(
        *(Fault.LATENCY, POST, scenes.impatient(scenes.buy, 100), "RequestTimeout", "closed"),
        executed=False,
        value="2",
        distribution=Distribution.CONSTANT,
    ),
    order(Fault.SERVER_BUSY, "ExchangeError", executed=False),
    order(Fault.UNEXPECTED_RESPONSE, "OperationFailed", executed=True),
    order(Fault.INTERNAL_ERROR, "OperationFailed", executed=False),
    order(Fault.UNKNOWN_ERROR, "OperationFailed", executed=True),
    order(Fault.TOO_MANY_REQUESTS, "DDoSProtection", executed=False),
    order(Fault.BANNED, "DDoSProtection", executed=False),
    order(Fault.HTML_502, "ExchangeNotAvailable", executed=False),
    order(Fault.HTML_REPLY, NOTHING_KNOWN, executed=True),
    order(Fault.EMPTY_REPLY, NOTHING_KNOWN, executed=True),
    order(Fault.ENDPOINT_GONE, "BadRequest", executed=False),
    order(Fault.CLOCK_OFFSET, "InvalidNonce", executed=False, on="*", value="30"),
    order(Fault.REVOKED_KEY, "DDoSProtection", executed=False, on="sandbox"),
    order(Fault.READ_ONLY_KEY, "DDoSProtection", executed=False, on="sandbox", look=scenes.read_and_buy),
    order(Fault.READ_LAG, "OrderNotFound", executed=True, on=READ, look=scenes.buy_and_read, value="60"),
    Row(Fault.OFFLINE, "*", scenes.buy, "NetworkError", "closed", executed=False, shown=is_offline),
    Row(
        *(Fault.MAINTENANCE, SYMBOL, scenes.buy, "MarketClosed", "closed"),
        executed=False,
        shown=lambda venue: venue.server.exchange.symbols[SYMBOL].status == BREAK,
    ),
    Row(
        *(Fault.DRIBBLE, SYMBOL, scenes.buy_all_there_is, "partly", "whole"),
        value="0.00001",
        shown=is_thin,
    ),
    Row(Fault.ERROR_CODE, POST, scenes.buy_too_little, "ExchangeError", "BadRequest", executed=False),
    Row(Fault.ARCHIVE, READ, scenes.cancel_and_read, "ExchangeError", "canceled", executed=False, value="0"),
    Row(Fault.WITHDRAW_RIGHT, "sandbox", scenes.rights, "may withdraw", "may not"),
    Row(Fault.SPIKE, SYMBOL, scenes.rest_far_away, "filled", "rests", value="-0.2"),
    Row(Fault.GAP, SYMBOL, scenes.rest_far_away, "filled", "rests", value="-0.2"),
    Row(Fault.DELIST, SYMBOL, scenes.buy_what_was_listed, "BadSymbol", "closed", executed=False, shown=is_gone),
    Row(Fault.LIST, SYMBOL, scenes.buy_what_was_delisted, "closed", "BadSymbol", executed=True),
    Row(Fault.STEP_SIZE, SYMBOL, scenes.buy, "InvalidOrder", "closed", executed=False, value="0.01", shown=is_coarse),
    Row(
        Fault.TICK_SIZE,
        SYMBOL,
        scenes.rest_off_ten,
        "InvalidOrder",
        "open",
        executed=False,
        value="10",
        shown=is_coarse,
    ),
    Row(Fault.MIN_NOTIONAL, SYMBOL, scenes.buy, "BadRequest", "closed", executed=False, value="1000", shown=is_dear),
    Row(Fault.BALANCE, "sandbox/ETH", scenes.balance, "more than before", "as before", value="0.5"),
    Row(Fault.END_USER_STREAM, "sandbox", scenes.end_of_events, "eventStreamTerminated", "goes on"),
    event(Fault.DROP_EVENT, ["FILLED"]),
    event(Fault.DUPLICATE_EVENT, ["NEW", "NEW", "FILLED"]),
    event(Fault.SWAP_EVENTS, ["FILLED", "NEW"]),
    event(Fault.DELAY_EVENT, ["FILLED", "NEW"], value="0.05"),
    price(Fault.ZERO_PRICE, "no price"),
    price(Fault.NAN_PRICE, "no price"),
    price(Fault.PRICE_TIMES, "ten times"),
    price(Fault.CROSSED_BOOK, "crossed"),
    Row(Fault.DISCONNECT, "streams", scenes.quotes, "NetworkError", "right"),
    Row(Fault.SHORT_LIFE, "streams", scenes.quotes, "NetworkError", "right", value="0.3"),
)


def test_the_table_has_every_kind_of_fault() -> None:
    assert {row.fault for row in TABLE} == set(Fault)


class Ways:
    """The three ways to produce a fault."""

    def __init__(self, faults: Faults, folder: Path, session: aiohttp.ClientSession, control: ControlPort) -> None:
        self._faults = faults
        self._script = folder / "drill.json"
        self._session = session
        self._control = control

    async def command(self, rule: Rule) -> None:
        where = json.loads(self._control.file.read_text())
        token = {"Authorization": f"Bearer {where['token']}"}
        url = f"http://127.0.0.1:{where['port']}/faults"
        async with self._session.post(url, headers=token, json=as_row(rule)) as reply:
            assert reply.status == 200, await reply.text()

    async def script(self, rule: Rule) -> None:
        self._script.write_text(json.dumps([as_row(rule)]))
        for one in read_script(self._script):
            self._faults.add(one)

    async def chance(self, rule: Rule, wanted: bool) -> None:
        """One chance in two, at the first number for which the seed says what is wanted."""
        number = self._faults.add(Rule(Fault.CUT, "nobody"))
        while (Random(f"{SEED}/{number + 1}").random() < 0.5) != wanted:
            number = self._faults.add(Rule(Fault.CUT, "nobody"))
        self._faults.add(dataclasses.replace(rule, chance=0.5))


@asynccontextmanager
async def scene_of(folder: Path, faults: Faults) -> AsyncIterator[tuple[Scene, Ways]]:
    """A driven venue with a control port, a sync ccxt client and ccxt.pro."""
    control = ControlPort(faults, folder)
    async with (
        running(folder, FAST, faults=faults) as venue,
        ccxt_client(venue.port) as pro,
        aiohttp.ClientSession() as session,
    ):
        rest = point_at(ccxt.binance(ccxt_options(venue.port, SANDBOX)), venue.port)
        rest.set_markets(pro.markets)
        await control.start()
        try:
            yield Scene(venue, rest, pro), Ways(faults, folder, session, control)
        finally:
            faults.remove()
            await control.stop()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row.fault))
def test_a_ccxt_client_sees_each_fault_however_it_is_produced_and_the_venue_knows_the_truth(
    tmp_path: Path, row: Row
) -> None:
    async def look(scene: Scene, faults: Faults, give: Give | None, wanted: object) -> None:
        struck = wanted == row.seen

        async def strike() -> None:
            if give is not None:
                await give(row.rule(1.0))
            shown = row.shown
            if shown is not None:
                await eventually_async(lambda: shown(scene.venue) == struck, 30)

        scene.wanted, scene.patience_ms = wanted, 10_000
        before = scene.owned()
        assert await row.look(scene, strike) == wanted
        if row.executed is not None:
            executed = row.executed if struck else row.calm in ("closed", TWO)
            await eventually_async(lambda: (scene.owned() > before) == executed, 30)
        faults.remove()

    async def play() -> None:
        faults = Faults(SEED)
        async with scene_of(tmp_path, faults) as (scene, ways):
            await look(scene, faults, None, row.calm)
            await look(scene, faults, ways.command, row.seen)
            await look(scene, faults, None, row.calm)
            await look(scene, faults, ways.script, row.seen)
            await look(scene, faults, lambda rule: ways.chance(rule, wanted=True), row.seen)
            if row.fault in INSIDE | AT_DOOR | STANDING:
                await look(scene, faults, lambda rule: ways.chance(rule, wanted=False), row.calm)

    asyncio.run(play())
