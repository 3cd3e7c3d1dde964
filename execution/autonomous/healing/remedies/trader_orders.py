"""Remedies that a trader carries out itself, at its healer's order: one table, a row each, from the gentlest on.

They ask again, or make risk smaller: no row can enlarge an order, lift a person's word, or keep an exit waiting. What a
row needs to know it takes from the issue's type and from the context that our own code gave, never from text. Each
order bears the fault's fingerprint: what was put for it, and nothing else, is taken back. Acts over the bus alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import BY_NAME

HOUR_S, DAY_S = 3600.0, 86_400.0
CLOCK_PAUSE_S = 600.0
SETTLE_S = 30.0  # a venue that wants silence says no to all for so long as it said
LINE_SETTLE_S = 8.0  # what is on its way on the old line ends by its time-out
STEP = "step"  # the operation, as traders tell it


@dataclass
class TraderOrder:
    """One row. `lasts`: it changes what outlives the order, and is kept before it is given. `anywhere`: it concerns the
    account, so that whoever of a pair of twins is active carries it out. `needs` says what an issue lacks for it."""

    name: str
    what: str
    fits: dict[IssueType, Terms]
    lasts: bool = False
    anywhere: bool = False
    needs: Callable[[Issue], str] = lambda issue: ""
    given: Callable[[Issue], dict[str, Any]] = field(default=lambda issue: {})

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """No trader, something isn't known, or the trader itself says no."""
        if issue.process not in BY_NAME or BY_NAME[issue.process].account is None:
            return f"{issue.process} is no trader"
        if lacking := self.needs(issue):
            return lacking
        try:
            told = await self._order(issue.process, hands, check=True, **self._arguments(issue))
        except CannotHeal as problem:
            return str(problem) or type(problem).__name__
        return str(told.get("obstacle", ""))

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """Give the order."""
        arguments = self._arguments(issue)
        undo = {"process": issue.process, "arguments": arguments} if self.lasts else {}
        if undo:
            hands.keep(undo)
        told = await self._order(issue.process, hands, **arguments)
        return undo | {"told": told} if undo else {"told": told, "left": "nothing to put back"}

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """Have it taken back, where something was left."""
        if "process" in undo:
            await self._order(str(undo["process"]), hands, undo=True, **undo["arguments"])

    def _arguments(self, issue: Issue) -> dict[str, Any]:
        reason = f"{issue.type} ({issue.exception or 'seen from outside'})"
        return {"what": self.name, "mark": issue.fingerprint, "reason": reason} | self.given(issue)

    async def _order(self, process: str, hands: Hands, **arguments: Any) -> dict[str, Any]:
        try:
            return await hands.ask(process, "heal", **arguments)
        except CannotHeal as problem:
            twin = BY_NAME[process].twin if process in BY_NAME else None
            if not self.anywhere or twin is None:
                raise
            try:
                return await hands.ask(twin, "heal", **arguments)
            except CannotHeal as other:
                raise CannotHeal(f"{process}: {problem}; {twin}: {other}") from other


def _needs(*names: str) -> Callable[[Issue], str]:
    def lacking(issue: Issue) -> str:
        missing = [name for name in names if not issue.context.get(name)]
        return f"it isn't known in which {' and '.join(missing)} it happens" if missing else ""

    return lacking


def _in_a_step(issue: Issue) -> str:
    """A strategy is to blame for what happens in its own step, not for what becomes of its orders."""
    if issue.context.get("operation") != STEP:
        return "it doesn't happen in a strategy's own step"
    return _needs("strategy")(issue)


def _in_a_symbol(issue: Issue) -> str:
    """Where a strategy is to blame, the symbol isn't."""
    if issue.context.get("operation") == STEP:
        return "it happens in a strategy's own step, whatever the symbol"
    return _needs("symbol")(issue)


def _taken_from(name: str) -> Callable[[Issue], dict[str, Any]]:
    return lambda issue: {name: issue.context[name]}


def _pause_for(issue: Issue) -> dict[str, Any]:
    """A clock is right again by itself, or isn't; a key is a person's matter."""
    return {"for_s": CLOCK_PAUSE_S} if issue.type is IssueType.CLOCK else {}


def _own_fault(after: int) -> Terms:
    return Terms(after=after, budget=3, window_s=DAY_S, cool_down_s=60.0, quiet_for_s=120.0)


TRADER_ORDERS: tuple[TraderOrder, ...] = (
    TraderOrder(
        "reload_markets",
        "loads the venue's rules anew: steps, least sizes and listings may have changed",
        {
            IssueType.MINIMUM_SIZE: Terms(budget=3, cool_down_s=60.0),
            IssueType.INSUFFICIENT_FUNDS: Terms(budget=1, window_s=DAY_S),
        },
    ),
    TraderOrder(
        "resync_clock",
        "forgets what it knew of the venue's clock and measures it anew",
        {IssueType.CLOCK: Terms(budget=4, cool_down_s=20.0)},
    ),
    TraderOrder(
        "back_off",
        "asks the venue less for ten minutes: comparisons, rules and conversions that can wait",
        {IssueType.RATE_LIMIT: Terms(budget=3, cool_down_s=60.0, quiet_for_s=120.0, settle_s=SETTLE_S)},
        lasts=True,
    ),
    TraderOrder(
        "reconnect",
        "drops the market's and the account's streams and opens them anew",
        {
            IssueType.CONNECTION: Terms(after=2, budget=4, cool_down_s=30.0, settle_s=LINE_SETTLE_S),
            IssueType.TIMEOUT: Terms(after=3, budget=3, cool_down_s=60.0, settle_s=LINE_SETTLE_S),
        },
    ),
    TraderOrder(
        "new_client",
        "gives the trader new connections to the venue, for requests and streams",
        {
            IssueType.CONNECTION: Terms(after=3, budget=2, cool_down_s=60.0, settle_s=LINE_SETTLE_S),
            IssueType.TIMEOUT: Terms(after=4, budget=2, cool_down_s=60.0, settle_s=LINE_SETTLE_S),
        },
    ),
    TraderOrder(
        "reduce_size",
        "lets entries have half of their usual size for a day",
        {IssueType.INSUFFICIENT_FUNDS: Terms(after=2, budget=2, window_s=DAY_S, cool_down_s=120.0)},
        lasts=True,
        anywhere=True,
    ),
    TraderOrder(
        "quarantine_strategy",
        "opens nothing by the strategy in which the fault happens, for six hours; what is held goes on as it was",
        {IssueType.KEY: _own_fault(2), IssueType.ATTRIBUTE: _own_fault(2), IssueType.UNKNOWN: _own_fault(2)},
        lasts=True,
        anywhere=True,
        needs=_in_a_step,
        given=_taken_from("strategy"),
    ),
    TraderOrder(
        "quarantine_symbol",
        "opens nothing in the symbol in which the fault happens, for six hours; what is held is still sold",
        {
            IssueType.MINIMUM_SIZE: Terms(after=3, budget=3, window_s=DAY_S),
            IssueType.INSUFFICIENT_FUNDS: Terms(after=4, budget=3, window_s=DAY_S),
            IssueType.KEY: _own_fault(3),
            IssueType.ATTRIBUTE: _own_fault(3),
            IssueType.UNKNOWN: _own_fault(3),
        },
        lasts=True,
        anywhere=True,
        needs=_in_a_symbol,
        given=_taken_from("symbol"),
    ),
    TraderOrder(
        "pause",
        "opens nothing on the account: ten minutes for a clock, for a key until it is taken back or a person resumes",
        {
            IssueType.CLOCK: Terms(after=4, budget=3, cool_down_s=CLOCK_PAUSE_S),
            IssueType.AUTH: Terms(budget=1, window_s=DAY_S, reverted_when_useless=False),
        },
        lasts=True,
        anywhere=True,
        given=_pause_for,
    ),
)
