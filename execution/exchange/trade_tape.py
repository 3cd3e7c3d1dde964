"""Which of a symbol's trades are known, by their numbers: the venue counts them without a gap, so a missing one shows.

No I/O. Trades may come twice, late and out of order; what was missed is told as gaps until it is filled or given up.
"""

from dataclasses import dataclass
from enum import StrEnum

GAPS_MAX = 100  # of one symbol at a time; the oldest is given up for a new one
ANEW_AFTER = 200  # so many known numbers, each higher than the one before: the venue counts anew


class Seen(StrEnum):
    """What a number says of its trade."""

    NEW = "new"
    LATE = "late"  # it was missing
    KNOWN = "known"


@dataclass
class Gap:
    """Numbers that weren't heard, since when (our clock), and the market times of the trades before and after them."""

    first: int
    last: int
    since: float
    from_ms: int
    until_ms: int

    @property
    def count(self) -> int:
        """How many trades are missing."""
        return self.last - self.first + 1


class TradeTape:
    """The numbers of one symbol's trades."""

    def __init__(self) -> None:
        self.newest: int | None = None
        self.newest_ms = 0
        self.gaps: list[Gap] = []
        self.missed = 0
        self.found = 0
        self.lost = 0
        self.unused = 0  # numbers that the venue says it never gave to a trade
        self.duplicates = 0
        self._climbing = (0, 0)

    def note(self, number: int, trade_ms: int, now: float) -> Seen:
        """One trade from the stream."""
        if self.newest is not None and number <= self.newest and not self._counts_anew(number):
            if self.take(number, number):
                return Seen.LATE
            self.duplicates += 1
            return Seen.KNOWN
        if self.newest is not None and number > self.newest + 1:
            from_ms, until_ms = sorted((self.newest_ms, trade_ms))
            self._miss(Gap(self.newest + 1, number - 1, now, from_ms, until_ms))
        self.newest, self.newest_ms, self._climbing = number, trade_ms, (0, 0)
        return Seen.NEW

    def _miss(self, gap: Gap) -> None:
        self.missed += gap.count
        before = self.gaps[-1] if self.gaps else None
        if before is not None and before.last + 1 == gap.first:
            before.last, before.until_ms = gap.last, gap.until_ms
            return
        if len(self.gaps) >= GAPS_MAX:
            self.give_up(self.gaps[0])
        self.gaps.append(gap)

    def _counts_anew(self, number: int) -> bool:
        """Long after the last new number only low ones come, and they climb: it is another tape."""
        last, count = self._climbing
        self._climbing = (number, count + 1 if number > last else 1)
        if self._climbing[1] < ANEW_AFTER:
            return False
        for gap in list(self.gaps):
            self.give_up(gap)
        self.newest = None
        return True

    def take(self, first: int, last: int) -> int:
        """These are known now; how many of them were missing."""
        taken, left = 0, []
        for gap in self.gaps:
            low, high = max(first, gap.first), min(last, gap.last)
            if low > high:
                left.append(gap)
                continue
            taken += high - low + 1
            if gap.first < low:
                left.append(Gap(gap.first, low - 1, gap.since, gap.from_ms, gap.until_ms))
            if high < gap.last:
                left.append(Gap(high + 1, gap.last, gap.since, gap.from_ms, gap.until_ms))
        self.gaps = left
        self.found += taken
        return taken

    def missing(self, first: int, last: int) -> int:
        """How many of these numbers are missing."""
        return sum(max(0, min(last, gap.last) - max(first, gap.first) + 1) for gap in self.gaps)

    def give_up(self, gap: Gap) -> None:
        """Nobody has these any more."""
        self.lost += gap.count
        self.gaps.remove(gap)

    def strike(self, gap: Gap) -> None:
        """The venue has shown all trades around there: it never gave these numbers to one."""
        self.unused += gap.count
        self.gaps.remove(gap)
