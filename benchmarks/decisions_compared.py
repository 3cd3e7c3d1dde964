"""A trader's journal held against what research decides on the same bars: each decision the same, or different for a
cause that has a name. Pure: bars and journal in, findings out.

The bars are walked as the backtest walks them, with the very same step function and exit rule, one position at a time.
An exit is asked for from the price that was really paid; after a difference the journal is followed, so that one
difference isn't counted again in all that comes after it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from execution.research.exits import EXIT_REASONS, HOLD, Exits, exit_step
from execution.research.regime_rules import KINDS
from execution.research.strategies import Strategy
from execution.vocabulary.reasons import ExitReason

# why an exit differs though both are right by their own lights
WITHIN_THE_BAR = "the bar touched more than one level: research takes the stop, the trader saw which came first"
BID_ALONE = "the bid reached the stop, and lies half a spread below the trades that make the bar"
TARGET_GONE = "the bar touched the target, and by the time of the sale no profit was left to take"
AT_THE_VENUE = "the stop at the venue sold it first"
RUN_OVER = "the run was over"
UNEXPLAINED = "unexplained"

SPREAD_MOST = 0.0005  # so far beyond the trades of a bar a quote may be


class Entered(NamedTuple):
    """A purchase in the journal, and how it ended; bars by their index. `left` None: by no decision of the trader's.
    `told`: the sale's numbers."""

    signal: int
    paid: float
    left: int | None
    reason: str
    told: Mapping[str, Any]

    @property
    def by_a_bar(self) -> bool:
        """Was it a closed bar that decided?"""
        return self.told.get("by") == "a closed bar"


class Compared(NamedTuple):
    """How many decisions were made by either, how many the same, and what differs: (bar, words, cause)."""

    decisions: int
    same: int
    differences: list[tuple[int, str, str]]

    @property
    def causes(self) -> Counter[str]:
        """How often each cause."""
        return Counter(cause for _, _, cause in self.differences)


@dataclass(frozen=True)
class Rules:
    """What both sides go by: bars, the regime after each (by code), the strategy and its manners, the exits."""

    rows: Sequence[Sequence[float]]
    regimes: Sequence[int]
    strategy: Strategy
    manners: Sequence[float]
    exits: Exits

    def asks_to_leave(self, index: int) -> float:
        """How much the regime after a bar does."""
        return self.manners[KINDS + self.regimes[index]]


def compare(rules: Rules, first: int, journal: Mapping[int, Entered], refused: Mapping[int, str]) -> Compared:
    """Bars are oldest first; decisions count from `first` on. `refused`: by signal bar, why the trader let a signal
    pass."""
    params, state = rules.strategy.vector(), rules.strategy.fresh_state()
    held: Entered | None = None
    same, found = 0, list[tuple[int, str, str]]()
    for index, row in enumerate(rules.rows):
        if held is not None and _left(rules, held) <= index:
            cause = exit_cause(rules, held)
            same += not cause
            found += [(index, f"left by {held.reason}", cause)] if cause else []
            held = None
        wanted = rules.strategy.step(state, row, params) * rules.manners[rules.regimes[index]] > 0.0  # type: ignore[arg-type]
        if index < first or held is not None:
            continue
        bought = journal.get(index)
        if bought is not None and wanted:
            same, held = same + 1, bought
        elif bought is not None:
            found, held = [*found, (index, "bought without a signal", UNEXPLAINED)], bought
        elif wanted:
            found.append((index, "not bought", refused.get(index, UNEXPLAINED)))
    return Compared(same + len(found), same, found)


def exit_cause(rules: Rules, held: Entered) -> str:
    """'' when research leaves on the same bar for the same reason; else why not."""
    wanted, reason = leaving(rules, held)
    if held.left is None:
        return AT_THE_VENUE if reason == ExitReason.STOP_LOSS else UNEXPLAINED
    if held.reason == ExitReason.EMERGENCY:
        return RUN_OVER if wanted is None or wanted >= held.left else UNEXPLAINED
    if (wanted, reason) == (held.left, held.reason):
        return ""
    if wanted is not None and wanted < held.left:
        return TARGET_GONE if reason == ExitReason.PROFIT_TARGET else UNEXPLAINED
    if held.by_a_bar or not _price_asked(held) or not _price_was_there(rules, held, held.left):
        return UNEXPLAINED
    if wanted == held.left:
        return WITHIN_THE_BAR
    return UNEXPLAINED if held.reason == ExitReason.PROFIT_TARGET else BID_ALONE


def _price_asked(held: Entered) -> bool:
    """Did a price that was seen reach the level of the reason, by the sale's own numbers?"""
    told = held.told
    lowest, highest = (float(told.get(name) or told["bid"]) for name in ("lowest", "highest"))
    if held.reason == ExitReason.PROFIT_TARGET:
        return highest >= float(told["target"])
    level = {ExitReason.STOP_LOSS.value: "stop", ExitReason.TRAILING_STOP.value: "trailing_stop"}.get(held.reason)
    return level is not None and lowest <= float(told[level])


def _price_was_there(rules: Rules, held: Entered, left: int) -> bool:
    """Were the prices that the sale was judged by those of the bars since the purchase, and not of before it?"""
    trailing = held.reason == ExitReason.TRAILING_STOP  # raised by a closed bar: only the bar after it can touch it
    rows, told = rules.rows[left if trailing else held.signal + 1 : left + 1], held.told
    lowest, highest = (float(told.get(name) or told["bid"]) for name in ("lowest", "highest"))
    if trailing:
        highest = lowest
    low, high = min(row[2] for row in rows), max(row[1] for row in rows)
    return low * (1 - SPREAD_MOST) <= lowest and highest <= high * (1 + SPREAD_MOST)


def _left(rules: Rules, held: Entered) -> int:
    """On which bar it was left; when the stop at the venue did it, about when research would have stopped."""
    if held.left is not None:
        return held.left
    wanted, _ = leaving(rules, held)
    return len(rules.rows) if wanted is None else wanted


def leaving(rules: Rules, held: Entered) -> tuple[int | None, str]:
    """The bar on which research leaves, and why; None while it would still hold."""
    vector, peak, entered_in = rules.exits.vector(), held.paid, rules.asks_to_leave(held.signal)
    for bars, index in enumerate(range(held.signal + 1, len(rules.rows)), start=1):
        row, worse = rules.rows[index], rules.asks_to_leave(index) > entered_in
        code, _ = exit_step(held.paid, peak, row, bars, worse, vector)  # type: ignore[arg-type]
        if code != HOLD:
            return index, EXIT_REASONS[code].value
        peak = max(peak, row[1])
    return None, ""


def journal_of(decisions: Sequence[Mapping[str, Any]], index_of: Mapping[int, int]) -> dict[int, Entered]:
    """The purchases among a trader's decision lines, by the bar of their signal. `index_of`: bars by their time."""
    sales = {str(row.get("cause")): row for row in decisions if row["side"] == "sell"}
    found = {}
    for row in decisions:
        if row["side"] == "buy" and row["signal"]["bar_ms"] in index_of:
            signal = index_of[row["signal"]["bar_ms"]]
            sale = sales.get(f"{row['signal']['strategy']}@{row['signal']['bar_ms']}")
            found[signal] = _entered(signal, row, sale)
    return found


def _entered(signal: int, row: Mapping[str, Any], sale: Mapping[str, Any] | None) -> Entered:
    if sale is None:
        return Entered(signal, float(row["weighed"]["ask"]), None, "", {})
    told = sale["exit"]
    left = signal + int(told["bars_held"]) + (told["by"] != "a closed bar")
    return Entered(signal, float(told["price_paid"]), left, str(sale["reason"]), told)
