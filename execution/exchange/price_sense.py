"""Is a price one that can be true? Nought, no number, a crossed book and a leap of five times are mistakes of whoever
sends them, on trades, quotes and candles alike.

No I/O. A real leap gets through: when the venue, asked by another door, says so twice with time between.
"""

from decimal import Decimal

from execution.vocabulary.money import ZERO

SPIKE = Decimal(5)  # a price this many times the last good one, or one over it, is a mistake: ten times too much isn't
# taken for true because the market moved a little meanwhile
AGREES = Decimal(2)  # what the venue says twice must be this near to each other, and to what was refused
CALM = (Decimal("0.9"), Decimal("1.1"))
CONFIRMED_AFTER_S = 1.0


class PriceSense:
    """What one symbol's price was last, and what it may have leapt to."""

    def __init__(self) -> None:
        self.last: Decimal | None = None
        self._lowest = self._highest = ZERO  # what may come next
        self._calm = (ZERO, ZERO)  # where `last` may move without these two moving along
        self.doubted: Decimal | None = None  # the last price that was refused for its distance
        self.leaps = 0
        self._answered: tuple[Decimal, float] | None = None

    def accepts(self, price: Decimal) -> bool:
        """May this price of a stream be true?"""
        if not self.fits(price):
            return False
        self._take(price)
        return True

    def _take(self, price: Decimal) -> None:
        if not self._calm[0] < price < self._calm[1]:
            self._lowest, self._highest = price / SPIKE, price * SPIKE
            self._calm = price * CALM[0], price * CALM[1]
        self.last = price
        self.doubted = self._answered = None

    def fits(self, *prices: Decimal) -> bool:
        """Are these near enough to the last good price? One that isn't, but could be a leap, is doubted."""
        for price in prices:
            if not price.is_finite() or price <= 0:
                return False
            if self.last is not None and not self._lowest < price < self._highest:
                self.doubted = price
                return False
        return True

    def answered(self, price: Decimal, now: float) -> bool:
        """May this price, which the venue gave when asked, be true? A leap may when it was said long enough before."""
        doubted = self.doubted
        if self.fits(price):
            return self.accepts(price)
        self.doubted = doubted
        before = self._answered
        if before is None or not _near(before[0], price):
            self._answered = (price, now)
            return False
        if now - before[1] < CONFIRMED_AFTER_S:
            return False
        self._take(price)
        self.leaps += 1
        return True


def _near(one: Decimal, other: Decimal) -> bool:
    return one < other * AGREES and other < one * AGREES
