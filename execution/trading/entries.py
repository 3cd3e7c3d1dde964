"""Entries: what was proposed on a closed bar is sent at once where the price allows, else by the first tick that does.

One at a time: a cycle's entries and those of ticks never overlap, and each shot is tried once. Which orders are made of
shots is risk management's; it only sees to when.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from execution.runtime.clock import Clock
from execution.runtime.settings import TradingConfig
from execution.trading import decisions
from execution.trading.assistants.order_execution import Executed, OrderExecutionAssistant
from execution.trading.assistants.risk_management import Assessment, RiskManagementAssistant
from execution.trading.bars import BarBook
from execution.trading.cycle import CycleRecord, order_line
from execution.trading.portfolio import Portfolio
from execution.trading.ports import Feed
from execution.trading.proposals import Proposal
from execution.trading.shots import Shot, obstacle, shot_numbers, shot_of
from execution.trading.sniper import Sniper
from execution.vocabulary.market import Quote
from execution.vocabulary.reasons import NoTradeReason

# may sell something weaker first: (proposals, what risk said, the account, correlation id) -> the sale's audit lines
MakeRoom = Callable[[list[Proposal], Assessment, Portfolio, str], Awaitable[list[dict[str, Any]] | None]]


class Write(Protocol):
    """A line for the audit trail."""

    def __call__(self, kind: str, correlation_id: str, fields: dict[str, Any], cause: str = "") -> None: ...


class Fallen(msgspec.Struct, frozen=True):
    """A shot that came to nothing, and why."""

    name: str
    why: str
    numbers: dict[str, Any]


class Tried(msgspec.Struct, frozen=True):
    """What came of one try: approved by risk, what was executed, and the sales that made room for it."""

    approved: int
    executed: list[Executed]
    refused: dict[str, str]
    numbers: dict[str, dict[str, Any]]
    given_up: list[dict[str, Any]]


class Entries:
    """Arms shots in the Sniper and takes them. `sent` hears of each entry that left."""

    def __init__(
        self,
        config: TradingConfig,
        risk: RiskManagementAssistant,
        execution: OrderExecutionAssistant,
        sniper: Sniper,
        *,
        feed: Feed,
        bars: BarBook,
        clock: Clock,
        write: Write,
        portfolio: Callable[[], Portfolio],
        entries_off: Callable[[], str],
        sent: Callable[[Executed], object],
        make_room: MakeRoom,
    ) -> None:
        self._config = config
        self._risk = risk
        self._execution = execution
        self._sniper = sniper
        self._feed = feed
        self._bars = bars
        self._clock = clock
        self._write = write
        self._portfolio = portfolio
        self._entries_off = entries_off
        self._sent = sent
        self._make_room = make_room
        self._alone = asyncio.Lock()
        self._fallen: list[Fallen] = []

    async def finished(self) -> None:
        """Return when none of its orders is on its way."""
        async with self._alone:
            return

    def wanted_by(self, quote: Quote) -> bool:
        """Does a shot wait for just this quote?"""
        return self._sniper.satisfied_by(quote)

    def drop_old(self, record: CycleRecord) -> None:
        """Drop the shots whose time is over; those that came to nothing since the last cycle are told in this one's."""
        for shot in self._sniper.fallen_shots(self._newest_ms):
            quote = self._feed.quote(shot.symbol)
            why = obstacle(shot, quote, self._clock.monotonic()) or self._entries_off() or "order_unsettled"
            self._fall(shot, f"shot_not_taken: {why}")
        fallen, self._fallen = self._fallen, []
        if fallen:
            record.dropped |= {row.name: row.why for row in fallen}
            record.numbers.setdefault("dropped", {}).update({row.name: row.numbers for row in fallen})

    async def take(self, proposals: Sequence[Proposal], record: CycleRecord) -> None:
        """Arm what a cycle proposes; what can be had at the quote of the moment leaves at once."""
        async with self._alone:
            now = self._clock.monotonic()
            for proposal in proposals:
                close = self._bars.series(proposal.symbol).candles[-1].close
                shot = shot_of(
                    proposal,
                    close,
                    self._config,
                    self._bars.step_ms,
                    now=now,
                    correlation_id=record.correlation_id,
                )
                self._sniper.aim(shot)
            ready = self._ready(proposal.symbol for proposal in proposals)
            if not ready:
                record.stay_out(NoTradeReason.WAITING_FOR_PRICE)
                record.shots = self._waiting(proposals)
                return
            tried = await self._try(ready, "the cycle")
            record.shots = self._waiting(proposals)
            record.take_attempt(tried.approved, tried.refused, tried.numbers)
            record.orders += [order_line(one) for one in tried.executed]
            record.exits += tried.given_up
            if not tried.approved:
                record.stay_out(NoTradeReason.BLOCKED_BY_RISK)
            elif not any(one.sent for one in tried.executed):
                dry = any(one.dry_run for one in tried.executed)
                record.stay_out(NoTradeReason.DRY_RUN if dry else NoTradeReason.NO_ORDERS)

    async def fire(self) -> None:
        """Take each shot that the quote of the moment satisfies; nothing happens while none does."""
        if not self._sniper.shots:
            return
        async with self._alone:
            if self._entries_off():
                return  # it may be over by the end of the shot's bar
            ready = self._ready(list(self._sniper.shots))
            if not ready:
                return
            tried = await self._try(ready, "a tick")
            came_to = {one.request.symbol: "" if one.sent else one.word for one in tried.executed}
            for shot in ready:
                why = tried.refused.get(shot.name) or came_to.get(shot.symbol, "")
                if why:
                    self._fall(shot, why)
            if tried.executed or tried.given_up:
                orders = {"entry_orders": [order_line(one) for one in tried.executed], "exit_orders": tried.given_up}
                self._write("shots", ready[0].correlation_id, orders)

    def _ready(self, symbols: Iterable[str]) -> list[Shot]:
        """The shots that can be taken now, weighed at the newest quote, best rank first."""
        now, blocked = self._clock.monotonic(), self._execution.blocked()
        found = []
        for symbol in symbols:
            shot, quote = self._sniper.shot(symbol, self._newest_ms(symbol)), self._feed.quote(symbol)
            if shot is None or quote is None or symbol in blocked or obstacle(shot, quote, now):
                continue
            found.append(shot.at(quote))
        return sorted(found, key=lambda shot: (-shot.proposal.rank, shot.symbol))

    async def _try(self, shots: list[Shot], by: str) -> Tried:
        """Size and send; spent, whatever comes of it."""
        held = self._portfolio()
        chosen = {shot.symbol: shot for shot in shots}
        correlation_id, now = shots[0].correlation_id, self._clock.monotonic()
        for symbol in chosen:
            self._sniper.spend(symbol)
        taken = {symbol for symbol, row in held.holdings.items() if not row.dust}
        refused = {shot.name: "position_held" for shot in shots if shot.symbol in taken}
        free = [shot.proposal for shot in shots if shot.symbol not in taken]
        assessment = self._risk.assess(free, held, correlation_id)
        sold = await self._make_room(free, assessment, held, correlation_id)
        if sold is not None:
            assessment = self._risk.assess(free, self._portfolio(), correlation_id)
        for request in assessment.approved:  # before it leaves: whoever is killed meanwhile has said why
            shot = chosen[request.symbol]
            line = decisions.entry(request, shot.proposal, assessment.numbers[shot.name], self._config)
            line["shot"] = shot_numbers(shot, shot.proposal.listing.quote, now) | {"by": by}
            self._write("decision", correlation_id, line, shot.name)
        executed = await self._execution.execute_all(assessment.approved) if assessment.approved else []
        for one in executed:
            checked = one.outcome.checked if one.outcome is not None else {}
            self._write(
                "order", correlation_id, order_line(one) | {"checked": checked}, chosen[one.request.symbol].name
            )
            if one.sent:
                self._sent(one)
        return Tried(len(assessment.approved), executed, refused | assessment.refused, assessment.numbers, sold or [])

    def _waiting(self, proposals: Iterable[Proposal]) -> list[dict[str, Any]]:
        """What is armed and couldn't be had yet, for the cycle's line."""
        now, told = self._clock.monotonic(), []
        for proposal in proposals:
            shot = self._sniper.shots.get(proposal.symbol)
            if shot is not None:
                quote = self._feed.quote(shot.symbol)
                why = obstacle(shot, quote, now) or "order_unsettled"
                told.append({"condition": shot.name, "waits_for": why} | shot_numbers(shot, quote, now))
        return told

    def _fall(self, shot: Shot, why: str) -> None:
        numbers = shot_numbers(shot, self._feed.quote(shot.symbol), self._clock.monotonic())
        self._fallen.append(Fallen(f"{shot.name} shot", why, numbers))
        self._sniper.dropped(shot, why)

    def _newest_ms(self, symbol: str) -> int:
        return self._bars.series(symbol).newest_ms
