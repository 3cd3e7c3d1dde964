"""The waiting half of a trader with a twin: everything the active one has but the account. Connected, warm, following
the ledger, ready to be the other half within milliseconds. It trades nothing and writes nothing."""

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from agents.optimus_parts import MarketSide, reach_market
from agents.process import Context
from agents.venue_rules import RulesNote
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.client import VenueClient
from execution.exchange.venue_reader import VenueReader
from execution.ledger.account_lock import holder_of
from execution.ledger.following import LedgerFollower
from execution.runtime.backoff import Backoff
from execution.runtime.tasks import Task
from execution.trading.bars import BARS_KEPT
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import STALE_FEED_S
from execution.vocabulary.messages import Heartbeat
from execution.vocabulary.modes import Account

log = logging.getLogger("nae.standby")
FOLLOW_PERIOD_S = 1.0
STREAMS_PERIOD_S = 1.0
WARM_PERIOD_S = 10.0  # shorter than an idle connection is kept
RULES_PERIOD_S = 60.0
FOLLOWED_WITHIN_S = 5.0
TWIN_HEARD_WITHIN_S = 2.0
FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0
LOOK_AGAIN_S = 0.5


class Twin:
    """What is known of the other process of the pair, from its heartbeats alone."""

    def __init__(self, name: str, context: Context) -> None:
        self.name = name
        self._clock = context.clock
        self._beat: Heartbeat | None = None
        self._heard_at = 0.0

    def hear(self, beat: Heartbeat) -> None:
        """It says how it is."""
        self._beat, self._heard_at = beat, self._clock.monotonic()

    @property
    def last_facts(self) -> dict[str, Any]:
        """What it said last, however long ago."""
        return self._beat.facts if self._beat is not None else {}

    @property
    def ready(self) -> bool:
        """Would it take the account over at once?"""
        heard = self._clock.monotonic() - self._heard_at <= TWIN_HEARD_WITHIN_S
        facts = self.last_facts
        waits = facts.get("role") == "standby" and facts.get("standby_ready") is True
        return heard and waits and self._beat is not None and _lives(self._beat.pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, sends nothing
    except ProcessLookupError:
        return False
    return True


class Standby:
    """One account's trader in waiting."""

    def __init__(self, context: Context, account: Account) -> None:
        self._context = context
        self._account = account
        self._follower = LedgerFollower(context.home.ledger(account))
        self._looking = asyncio.Lock()
        self._followed_at: float | None = None
        self._rules_at = context.clock.monotonic()
        self._over = False
        self._side: MarketSide | None = None

    async def prepare(self) -> None:
        """Reach the venue, warm up, run the feed; as long as that takes. ConfigError when a person must change
        something."""
        await self._follow()
        self._side = await reach_market(self._context, self._account, self._concerned(), self._until_spare)
        self._rules_at = self._context.clock.monotonic()
        await self._patiently(self._warm)
        self._keep_streams()
        gc.collect()
        gc.freeze()  # all this stays: no collection shall walk through it in the middle of a takeover

    async def _until_spare(self, client: VenueClient) -> None:
        """The rest of a minute's requests is for whoever trades: one who only waits gets ready in the next, unless
        nobody trades any more."""
        await self._patiently(client.synchronise_clock)
        if not client.spare():
            log.warning("getting ready waits for the next minute", extra={"fields": {"used": client.used_weight()}})
        while not client.spare() and holder_of(self._context.home, self._account):
            await self._context.clock.sleep(LOOK_AGAIN_S)

    async def _warm(self) -> None:
        await self.side.feed.warm(BARS_KEPT)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Through a venue that is away for a moment, or asks us to be quiet: dying of it would only ask it for more."""
        backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
        while True:
            try:
                return await work()
            except (VenueError, BadReply) as error:
                log.warning("getting ready takes longer", extra={"fields": {"error": error}})
                await self._context.clock.sleep(backoff.next_s())

    @property
    def side(self) -> MarketSide:
        """Its side of the market, once prepared."""
        assert self._side is not None, "prepare() first"
        return self._side

    async def hand_over(self) -> LedgerFollower:
        """The ledger as followed, to be opened with; nothing looks at it any more."""
        async with self._looking:
            self._over = True
            return self._follower

    def tasks(self) -> list[Task]:
        """What it does while it waits."""

        async def streams() -> None:
            self._keep_streams()

        return [
            Task("follow", FOLLOW_PERIOD_S, self._follow),
            Task("streams", STREAMS_PERIOD_S, streams),
            Task("keep_warm", WARM_PERIOD_S, self._keep_warm),
            Task("rules", RULES_PERIOD_S, self._load_rules),
        ]

    async def _follow(self) -> None:
        async with self._looking:
            if self._over:
                return
            await asyncio.to_thread(self._follower.catch_up)
        self._followed_at = self._context.clock.monotonic()
        if self._side is not None:
            await self._side.feed.follow([name for name in self._concerned() if name in self._side.rules], BARS_KEPT)

    def _concerned(self) -> Iterable[str]:
        """Symbols that the account holds or has an order in."""
        return sorted({*self._follower.positions(), *(order.symbol for order in self._follower.unsettled)})

    def _keep_streams(self) -> None:
        self.side.streams.keep("feed", self.side.feed.run)

    async def _keep_warm(self) -> None:
        """Two requests at once, as a takeover sends them: both connections stay open, and the venue's clock known."""
        client = self.side.client
        await asyncio.gather(client.synchronise_clock(), client.synchronise_clock())

    async def _load_rules(self) -> None:
        clock, side = self._context.clock, self.side
        old = clock.monotonic() - self._rules_at > RULES_PERIOD_S / 2  # not again right after the start
        if old and side.client.spare():
            load = VenueReader(side.client).load_rules
            side.rules = await RulesNote(self._context.home, self._account).renew(load, clock.now_ms)
            self._rules_at = clock.monotonic()

    def not_ready(self) -> str:
        """Why a takeover now would not be a matter of milliseconds, or ''."""
        now, side = self._context.clock.monotonic(), self._side
        if side is None or not side.bars.newest():
            return "not warm yet"
        if side.feed.stale_for_s() > STALE_FEED_S:
            return f"the market hasn't been heard for {side.feed.stale_for_s():.1f} s"
        if self._followed_at is None or now - self._followed_at > FOLLOWED_WITHIN_S:
            return "the ledger isn't followed"
        return ""

    def holds(self) -> list[str]:
        """Symbols the account held when last looked at."""
        return sorted(self._follower.positions())

    def components(self) -> dict[str, ComponentHealth]:
        """get_health() of what it has."""
        why = self.not_ready()
        status = ComponentStatus.DEGRADED if why else ComponentStatus.HEALTHY
        return {
            "standby": ComponentHealth(status, metrics={"not_ready": why}),
            "feed": self.side.feed.get_health(),
            "audit": self.side.audit.get_health(),
        }

    async def stop(self) -> None:
        """Give everything back, unless a trading system has it by now."""
        if self._side is not None:
            await self._side.streams.stop()
            self._side.audit.close()
            await self._side.client.close()
        self._follower.close()
