"""What a regime means to a position: which strategies may enter in it, and when it is one to leave in.

The backtest's loop reads it as numbers, by code; the traders ask the same functions. It classifies by regime.py's rule.
"""

from collections.abc import Collection, Sequence

from execution.research.regime import Regime, classify

REGIME_BARS = 240  # what a regime is judged by
CODES = {regime: code for code, regime in enumerate(Regime, 1)}  # 0: not known
KINDS = len(CODES) + 1


def manners(enter_in: Collection[Regime], leave_in: Sequence[Regime]) -> list[float]:
    """A strategy's manners, by code: whether it may enter (1 or 0), then how much a regime asks to leave."""
    enter = [float(regime in enter_in) for regime in Regime]
    leave = [float(severity(regime, leave_in)) for regime in Regime]
    return [1.0, *enter, 0.0, *leave]


def severity(regime: Regime, leave_in: Sequence[Regime]) -> int:
    """0 where a position may stay, else the place in `leave_in`: who entered in one of them leaves only in a later."""
    return leave_in.index(regime) + 1 if regime in leave_in else 0


def regime_of(rows: Sequence[Sequence[float]]) -> Regime:
    """The regime after the last of these bars, judged by no more than REGIME_BARS of them."""
    last = rows[-REGIME_BARS:]
    return classify([row[1] for row in last], [row[2] for row in last], [row[3] for row in last])


def regime_codes(rows: Sequence[Sequence[float]]) -> list[int]:
    """The code of the regime after each bar, as a trader sees it who knows the bars up to there."""
    return [CODES[regime_of(rows[max(0, at - REGIME_BARS) : at])] for at in range(1, len(rows) + 1)]
