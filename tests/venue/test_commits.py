"""Requests that arrive together share one commit, and nobody hears, sees or reads of them before it holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.clock import SystemClock
from execution.runtime.sqlite import DatabaseError
from execution.venue.accounts import Accounts, Balance
from execution.venue.auth import read_window
from execution.venue.back_office import BackOffice
from execution.venue.commits import Commits, Group
from execution.venue.engine import Outcome
from execution.venue.errors import ApiError
from execution.venue.exchange import Exchange
from execution.venue.store import Page, Store
from tests.venue.support import BUY, REST, Running, running

API = "/api/v3/"
TOO_MUCH = {**BUY, "quantity": "9000"}
OPEN: tuple[str, str, dict[str, Any]] = ("GET", "openOrders", {})
ALL_OF_THEM = Page(1000)


class Desk:
    """The requests of one account, and how often the store was asked to keep something; it refuses when told to."""

    def __init__(self, venue: Running) -> None:
        self.venue = venue
        self.exchange: Exchange = venue.server.exchange
        self.office: BackOffice = venue.server._rest._office
        self.saves = 0
        self.refuse = False

    async def ask(self, method: str, path: str, values: dict[str, Any]) -> Any:
        """What a door does for a request once it knows whose it is; a refusal is returned."""
        endpoint = self.venue.server._rest._endpoints[(method, API + path)]
        assert endpoint.signed is not None
        signed = {name: str(value) for name, value in values.items()} | {"timestamp": str(SystemClock().now_ms())}
        try:
            return await self.office.carry_out(endpoint.signed, "sandbox", signed, read_window(signed))
        except ApiError as refusal:
            return refusal

    async def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[Any]:
        """Requests that arrive at once, and their answers."""
        return await asyncio.gather(*(self.ask(*request) for request in requests))

    @contextmanager
    def watched(self) -> Iterator[None]:
        save = Store.save

        def counted(store: Store, *rows: Any, **more: Any) -> None:
            self.saves += 1
            if self.refuse:
                raise DatabaseError("database or disk is full")
            save(store, *rows, **more)

        Store.save = counted  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            Store.save = save  # type: ignore[method-assign]


@asynccontextmanager
async def a_desk(folder: Path) -> AsyncIterator[Desk]:
    async with running(folder, driven=False) as venue:
        desk = Desk(venue)
        with desk.watched():
            yield desk


def in_venue(folder: Path, scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        async with a_desk(folder) as desk:
            await scene(desk)

    asyncio.run(run())


def journal(folder: Path) -> list[dict[str, Any]]:
    rows = [orjson.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]
    return [row for row in rows if "verb" in row]


def test_what_arrives_together_is_stored_by_one_commit_and_answered_in_order(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        replies = await desk.together(*[("POST", "order", BUY | {"newClientOrderId": f"n{n}"}) for n in range(20)])
        assert desk.saves == 1
        assert [reply["status"] for reply in replies] == ["FILLED"] * 20
        assert [reply["orderId"] for reply in replies] == list(range(1, 21))
        assert [row["id"] for row in journal(tmp_path)] == [f"n{n}" for n in range(20)]

    in_venue(tmp_path, scene)


def test_a_lonely_order_is_a_commit_of_its_own(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        for number in range(3):
            await desk.together(("POST", "order", BUY))
            assert desk.saves == number + 1

    in_venue(tmp_path, scene)


def test_who_looks_sees_only_what_is_stored(tmp_path: Path) -> None:
    """A look that arrives with orders waits for their commit; so does the market's next step."""

    async def scene(desk: Desk) -> None:
        seen: list[tuple[int, int]] = []

        def books(_values: dict[str, str]) -> object:
            stored = len(desk.exchange.store.orders("sandbox", "BTCUSDT", ALL_OF_THEM))
            seen.append((desk.saves, stored))
            return None

        order = ("POST", "order", REST)
        replies = await asyncio.gather(
            desk.ask(*order),
            desk.office.look(books, {}),
            desk.ask(*OPEN),
            desk.ask(*order),
            desk.ask("GET", "account", {}),
        )
        assert seen == [(1, 2)]
        assert [order["orderId"] for order in replies[2]] == [1, 2], "as it is when the answer leaves"
        (dollars,) = [row for row in replies[4]["balances"] if row["asset"] == "USDT"]
        assert Decimal(dollars["locked"]) == 60
        asked = asyncio.ensure_future(desk.ask(*order))
        await asyncio.sleep(0)
        levels = [(ticks, 1000) for ticks in (1, 2)]
        desk.exchange.move("BTCUSDT", 5_000_000, 1, ([levels[0]], [(6_000_000, 1000)]), 5)
        assert len(desk.exchange.store.orders("sandbox", "BTCUSDT", ALL_OF_THEM)) == 3, "stored before it is shown"
        assert (await asked)["orderId"] == 3

    in_venue(tmp_path, scene)


def test_a_look_is_not_kept_waiting_by_a_flood_of_orders_and_sees_none_that_is_not_stored() -> None:
    async def scene() -> None:
        kept: list[Group] = []

        def keep(group: Group) -> bool:
            kept.append(group)
            return True

        commits = Commits(keep)
        commits.defer = asyncio.get_running_loop().call_soon
        added = 0

        async def flood() -> None:
            nonlocal added
            while added < 1000:
                added += 1
                commits.add([(Outcome("BTCUSDT", 1), {})], 1)
                await commits.stored()

        async def look() -> None:
            await commits.settled()
            assert sum(len(group.outcomes) for group in kept) == added < 100

        flooding = asyncio.ensure_future(flood())
        for turns in range(12):
            for _ in range(turns % 4):  # at another turn of the flood each time
                await asyncio.sleep(0)
            await look()
        flooding.cancel()

    asyncio.run(scene())


def test_listeners_hear_of_each_outcome_after_the_commit_with_the_balances_right_after_it(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        heard: list[tuple[int, Decimal, int]] = []

        def listen(outcome: Outcome, balances: dict[str, dict[str, Balance]]) -> None:
            last = outcome.reports[-1].order
            heard.append((last.id, balances["sandbox"]["USDT"].locked, desk.saves))
            assert desk.exchange.store.order("sandbox", "BTCUSDT", last.id, None) is not None

        desk.exchange.listeners.append(listen)
        await desk.together(("POST", "order", REST), ("POST", "order", REST), ("POST", "order", REST))
        assert heard == [(1, Decimal(30), 1), (2, Decimal(60), 1), (3, Decimal(90), 1)]

    in_venue(tmp_path, scene)


def test_a_commit_that_fails_is_told_to_all_who_shared_it_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        heard: list[Outcome] = []
        desk.exchange.listeners.append(lambda outcome, _balances: heard.append(outcome))
        await desk.together(("POST", "order", REST | {"newClientOrderId": "kept"}))
        heard.clear()
        desk.refuse = True
        asked = asyncio.ensure_future(
            desk.together(
                ("POST", "order", REST | {"newClientOrderId": "lost"}),
                ("DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "kept"}),
                ("POST", "order", REST | {"newClientOrderId": "lost"}),  # refused, because of what isn't stored
                ("POST", "order/test", TOO_MUCH),
                OPEN,
            )
        )
        with _store_mended(desk):
            *changes, look = await asked
        assert [change.code for change in changes] == [-1006] * 4, "nobody is told what may not be so"
        assert [order["clientOrderId"] for order in look] == ["kept"]
        assert heard == [] and [row["code"] for row in journal(tmp_path)[1:]] == [-1006] * 4
        assert same(desk.exchange)

    in_venue(tmp_path, scene)


def test_a_store_that_can_be_neither_written_nor_read_ends_the_venue(tmp_path: Path) -> None:
    """Memory would hold what was never stored, and nobody may be served from it."""

    async def scene(desk: Desk) -> None:
        def gone(_store: Store) -> Any:
            raise DatabaseError("disk I/O error")

        balances, desk.refuse = Store.balances, True
        Store.balances = gone  # type: ignore[method-assign,assignment]
        try:
            await desk.together(("POST", "order", BUY))
        finally:
            Store.balances, desk.refuse = balances, False  # type: ignore[method-assign]

    with pytest.raises(SystemExit, match="the venue's store can't be read: disk I/O error"):
        in_venue(tmp_path, scene)


@contextmanager
def _store_mended(desk: Desk) -> Iterator[None]:
    """The store refuses once."""
    load = desk.exchange._load

    def mended(now_ms: int) -> None:
        desk.refuse = False
        load(now_ms)

    desk.exchange._load = mended  # type: ignore[method-assign]
    try:
        yield
    finally:
        desk.exchange._load = load  # type: ignore[method-assign]


def same(exchange: Exchange) -> bool:
    """Is memory what is stored?"""
    there = Accounts()
    for account, asset, free, locked in exchange.store.balances():
        there.restore(account, asset, free, locked)
    held = exchange.engine.accounts
    names = [*exchange.accounts, "@fees", "@market"]
    assert {name: held.balances(name) for name in names} == {name: there.balances(name) for name in names}
    stored = [(one.id, one.status, one.filled) for one in exchange.store.open_orders()]
    mine = [exchange.record(order) for name in exchange.accounts for order in exchange.engine.open_orders(name)]
    assert sorted((one.id, one.status, one.filled) for one in mine) == stored
    return True


REQUESTS = st.one_of(
    st.just(("POST", "order", BUY)),
    st.just(("POST", "order", {**BUY, "side": "SELL"})),
    st.just(("POST", "order", REST)),
    st.just(("POST", "order", TOO_MUCH)),
    st.just(("POST", "order", {**REST, "newClientOrderId": "one"})),
    st.just(("DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "one"})),
    st.just(("DELETE", "openOrders", {"symbol": "BTCUSDT"})),
    st.just(OPEN),
)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.tuples(st.booleans(), st.lists(REQUESTS, min_size=1, max_size=6)), min_size=1, max_size=8))
def test_whatever_arrives_together_and_whichever_commits_fail_memory_is_what_is_stored(
    tmp_path_factory: pytest.TempPathFactory, batches: Sequence[tuple[bool, list[tuple[str, str, dict[str, Any]]]]]
) -> None:
    async def scene(desk: Desk) -> None:
        heard: list[int] = []
        desk.exchange.listeners.append(lambda out, _held: heard.extend(one.order.id for one in out.reports))
        for fails, requests in batches:
            desk.refuse, before = fails, desk.saves
            with _store_mended(desk):
                replies = await desk.together(*requests)
            desk.refuse = False
            failed = fails and desk.saves > before
            assert same(desk.exchange)
            kept = {one.id for one in desk.exchange.store.orders("sandbox", "BTCUSDT", ALL_OF_THEM)}
            assert kept.issuperset(heard), "nobody heard of what isn't stored"
            for (method, path, _), reply in zip(requests, replies, strict=True):
                if method == "POST" and isinstance(reply, dict):
                    assert reply["orderId"] in kept and not failed
                assert path != "openOrders" or method != "GET" or {one["orderId"] for one in reply} <= kept
            assert desk.saves - before <= 3

    in_venue(tmp_path_factory.mktemp("venue"), scene)
