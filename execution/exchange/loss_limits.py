"""What the account may lose: in a day, in a week, and from its best moment on. Pure.

Counted is what trading alone brought, open positions at the price of the moment included: money that comes or goes
moves no limit. Days and weeks are UTC's, by the venue's clock; they only ever go forward.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from execution.runtime.settings import RiskConfig
from execution.vocabulary.money import ZERO
from execution.vocabulary.performance import ClosedTrade

DAY_MS = 86_400_000
MONDAY = 3  # the first day of 1970 was a Thursday


class LossMarks(msgspec.Struct, frozen=True):
    """What trading had brought at its best, when the day began, when the week began, and at the last look. In the quote
    currency. Of a day on which nobody looked yet, the last look before it is the beginning."""

    best: Decimal = ZERO
    last: Decimal = ZERO
    day: int = -1
    day_began: Decimal = ZERO
    week: int = -1
    week_began: Decimal = ZERO


def advanced(marks: LossMarks | None, profit: Decimal, now_ms: int) -> LossMarks:
    """The marks after one look."""
    day = now_ms // DAY_MS
    week = (day + MONDAY) // 7
    if marks is None:
        return LossMarks(profit, profit, day, profit, week, profit)
    return LossMarks(
        best=max(marks.best, profit),
        last=profit,
        day=max(day, marks.day),
        day_began=marks.last if day > marks.day else marks.day_began,
        week=max(week, marks.week),
        week_began=marks.last if week > marks.week else marks.week_began,
    )


def begun_anew(marks: LossMarks) -> LossMarks:
    """A person has looked at the loss and wants to go on: everything counts from here."""
    return LossMarks(marks.last, marks.last, marks.day, marks.last, marks.week, marks.last)


def breach(marks: LossMarks, capital: Decimal, limits: RiskConfig) -> str:
    """Which limit the account has reached, for people; "" when none. `capital`: what was paid in, less what was taken
    out, at the prices of the moment."""
    for began, limit, key, since in (
        (marks.day_began, limits.daily_loss_max, "daily_loss_max", "today"),
        (marks.week_began, limits.weekly_loss_max, "weekly_loss_max", "this week"),
        (marks.best, limits.drawdown_max, "drawdown_max", "since its best"),
    ):
        lost, had = began - marks.last, capital + began
        if lost > 0 and lost >= limit * had:
            share = "all" if had <= 0 else f"{lost / had:.2%}"
            return f"the account lost {share} {since}: risk.{key} is {limit:.2%}"
    return ""


def losses_in_row(trades: Iterable[ClosedTrade], symbol: str) -> tuple[int, int]:
    """How many of a symbol's last trades lost, one after the other, and when the last of them ended (0: none did).
    `trades`: the newest first."""
    count, ended_ms = 0, 0
    for trade in trades:
        if trade.symbol != symbol:
            continue
        if trade.pnl_quote >= 0:
            break
        count, ended_ms = count + 1, max(ended_ms, trade.closed_ms)
    return count, ended_ms
