"""The sandbox beside live: what their closed trades made, and what differs where both acted on the same signal.

It describes and says it in words; it promotes nothing and changes nothing.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from execution.research.statistics import paired_difference
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.performance import ClosedTrade

PAIRS_LEAST = 20  # fewer say nothing either way
SAID_DECIMALS = 8  # in words; the sides keep every digit
T_CLEAR = 2.0  # a difference this many standard errors wide is called clear

Signal = tuple[str, str, int]


class Side(msgspec.Struct, frozen=True):
    """One account's closed trades. Money is in the quote currency, after fees."""

    trades: int
    wins: int
    win_rate: float
    net_pnl: Decimal
    fees: Decimal


class Comparison(msgspec.Struct, frozen=True):
    """Both sides, and sandbox less live over the signals both traded: mean return share per trade and its t."""

    sandbox: Side
    live: Side
    pairs: int
    mean_difference: float
    standard_error: float
    t_statistic: float
    sandbox_only: int  # signals live didn't trade
    live_only: int
    verdict: str


def compare(sandbox: Sequence[ClosedTrade], live: Sequence[ClosedTrade]) -> Comparison:
    """Compare two accounts' closed trades. Signals are the same when symbol, strategy and bar are."""
    ours, theirs = _returns_by_signal(sandbox), _returns_by_signal(live)
    shared = sorted(ours.keys() & theirs.keys())
    difference = paired_difference([ours[key] for key in shared], [theirs[key] for key in shared])
    left, right = _side(sandbox), _side(live)
    return Comparison(
        sandbox=left,
        live=right,
        pairs=difference.pairs,
        mean_difference=difference.mean,
        standard_error=difference.standard_error,
        t_statistic=difference.t,
        sandbox_only=len(ours.keys() - theirs.keys()),
        live_only=len(theirs.keys() - ours.keys()),
        verdict=_verdict(left, right, difference.pairs, difference.mean, difference.t),
    )


def _returns_by_signal(trades: Sequence[ClosedTrade]) -> dict[Signal, float]:
    """The net return share per signal; a position closed in several parts counts as one."""
    found: dict[Signal, tuple[Decimal, Decimal]] = {}
    for trade in trades:
        signal = (trade.symbol, trade.strategy, trade.signal_bar_ms)
        gained, invested = found.get(signal, (ZERO, ZERO))
        found[signal] = (gained + trade.pnl_quote, invested + trade.entry_price * trade.quantity)
    return {signal: float(gained / invested) for signal, (gained, invested) in found.items() if invested > 0}


def _side(trades: Sequence[ClosedTrade]) -> Side:
    wins = sum(trade.pnl_quote > 0 for trade in trades)
    return Side(
        trades=len(trades),
        wins=wins,
        win_rate=wins / len(trades) if trades else 0.0,
        net_pnl=sum((trade.pnl_quote for trade in trades), ZERO),
        fees=sum((trade.fees_quote for trade in trades), ZERO),
    )


def _verdict(sandbox: Side, live: Side, pairs: int, mean: float, t: float) -> str:
    if not sandbox.trades and not live.trades:
        return "no closed trades yet"
    totals = (
        f"sandbox {text(round(sandbox.net_pnl, SAID_DECIMALS))} net in {_counted(sandbox.trades)}, "
        f"live {text(round(live.net_pnl, SAID_DECIMALS))} net in {_counted(live.trades)}"
    )
    if pairs < PAIRS_LEAST:
        return f"{totals}; {pairs} shared signals, too few to tell (at least {PAIRS_LEAST})"
    if abs(t) < T_CLEAR:
        return f"{totals}; no clear difference over {pairs} shared signals (t = {t:.2f})"
    better = "sandbox" if mean > 0 else "live"
    return f"{totals}; {better} is better by {abs(mean) * 100:.3f} % a trade over {pairs} shared signals (t = {t:.2f})"


def _counted(trades: int) -> str:
    return "1 trade" if trades == 1 else f"{trades} trades"
