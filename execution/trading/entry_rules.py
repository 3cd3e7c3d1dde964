"""When no position may be opened, whatever the market offers. Exits are never asked here: they always go on.

Pure: one table, first hit wins.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.market import Quote
from execution.vocabulary.money import ZERO
from execution.vocabulary.reasons import NoTradeReason

STATE_REASONS = {
    TradingState.HALTED: NoTradeReason.TRADING_HALTED,
    TradingState.PAUSED: NoTradeReason.TRADING_PAUSED,
    TradingState.REDUCE_ONLY: NoTradeReason.REDUCE_ONLY,
}


def entries_off(
    state: TradingState, stopping: bool, stale_for_s: float, reconciled: bool, builds_differ: bool = False
) -> str:
    """Why entries are off now, or ''. NaN staleness counts as stale. `builds_differ`: the operation's processes don't
    all run the same code (an upgrade under way, or one that was cut off), and this account heeds it."""
    if state is not TradingState.ACTIVE:
        return STATE_REASONS[state]
    if stopping:
        return NoTradeReason.TRADING_PAUSED
    if builds_differ:
        return NoTradeReason.BUILDS_DIFFER
    if not stale_for_s <= ENTRIES_OFF_AFTER_S:
        return NoTradeReason.STALE_DATA
    return "" if reconciled else NoTradeReason.NOT_RECONCILED


def off_numbers(
    state: TradingState, why: str, stale_for_s: float, differences: Sequence[str], builds_differ: bool
) -> dict[str, Any]:
    """What entries_off was judged by, for the audit trail."""
    return {
        "trading_state": state.value,
        "why": why,
        "market_silent_for_s": round(stale_for_s, 3) if math.isfinite(stale_for_s) else None,
        "market_silent_max_s": ENTRIES_OFF_AFTER_S,
        "differences": list(differences),
        "builds_differ": builds_differ,
    }


def quote_problem(quote: Quote, age_s: float, spread_max: Decimal) -> str:
    """Why nothing may be bought at this quote; '' when something may. The first that holds."""
    if not age_s <= ENTRIES_OFF_AFTER_S:
        return "old_quote"
    if not ZERO < quote.bid <= quote.ask:
        return "bad_quote"
    return "wide_spread" if quote.spread_share > spread_max else ""
