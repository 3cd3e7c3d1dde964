"""A shot: an entry that was decided on a closed bar and waits for the price. Pure.

It is good until the end of the next bar, for no more than its limit; a quote satisfies it, or says why not yet.
"""

from decimal import Decimal
from typing import Any

import msgspec

from execution.runtime.settings import TradingConfig
from execution.trading.entry_rules import quote_problem
from execution.trading.proposals import Proposal
from execution.vocabulary.market import Quote
from execution.vocabulary.money import ZERO, text

SHOT_BARS = 1  # how many bars after its signal's a shot is good for
SHOWN = 8  # decimals of what is told


class Shot(msgspec.Struct, frozen=True):
    """`limit`: the worst price still worth it. `floor`: a price below it is another market's, or a mistake.
    `until_ms`: it is over when the bar that opened then has closed."""

    proposal: Proposal
    limit: Decimal
    spread_max: Decimal
    until_ms: int
    armed_at: float
    correlation_id: str
    floor: Decimal = ZERO

    @property
    def symbol(self) -> str:
        """What to buy."""
        return self.proposal.symbol

    @property
    def name(self) -> str:
        """The condition behind it."""
        return self.proposal.condition.id

    def at(self, quote: Quote) -> "Shot":
        """The same, to be weighed at the quote of the moment."""
        listing = msgspec.structs.replace(self.proposal.listing, quote=quote)
        return msgspec.structs.replace(self, proposal=msgspec.structs.replace(self.proposal, listing=listing))


def shot_of(
    proposal: Proposal, close: Decimal, config: TradingConfig, step_ms: int, *, now: float, correlation_id: str
) -> Shot:
    """Armed at the `close` of its signal's bar: a price further above it than a spread may be isn't the signal's, and
    further below it than the stop the position would be over already; bought at a price that is a mistake, it would be
    as much too large as the price is too low."""
    return Shot(
        proposal=proposal,
        limit=close * (1 + config.spread_max),
        spread_max=config.spread_max,
        until_ms=proposal.bar_ms + SHOT_BARS * step_ms,
        armed_at=now,
        correlation_id=correlation_id,
        floor=close * (1 - config.stop_loss),
    )


def obstacle(shot: Shot, quote: Quote | None, now: float) -> str:
    """Why a shot waits at this quote; '' when it is satisfied."""
    if quote is None:
        return "old_quote"
    if unfit := quote_problem(quote, now - quote.received, shot.spread_max):
        return unfit
    if quote.ask < shot.floor:
        return "price_fell_away"
    return "price_above_limit" if quote.ask > shot.limit else ""


def over(shot: Shot, newest_ms: int) -> bool:
    """Has its last bar closed? Counted in bars, so that any speed gives the same answer."""
    return newest_ms >= shot.until_ms


def shot_numbers(shot: Shot, quote: Quote | None, now: float) -> dict[str, Any]:
    """What a shot is judged by, for the audit trail."""
    told = {
        "symbol": shot.symbol,
        "strategy": shot.proposal.condition.strategy,
        "limit": text(round(shot.limit, SHOWN)),
        "waited_s": round(now - shot.armed_at, 3),
    }
    if quote is not None and quote.bid > ZERO:
        told |= {"ask": text(quote.ask), "spread": text(round(quote.spread_share, SHOWN))}
    return told
