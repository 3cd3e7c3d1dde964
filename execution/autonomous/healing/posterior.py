"""How likely it is that something helps, from how often it did: a Beta distribution. Pure."""

import math
from dataclasses import dataclass

STEPS_MAX = 200
TINY = 1e-30
CLOSE = 1e-12
HALVINGS = 40


@dataclass(frozen=True)
class Beta:
    """`a` and `b`: successes and failures, those of the prior included; both above zero."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """The expected share of successes."""
        return self.a / (self.a + self.b)

    def after(self, successes: float, failures: float) -> "Beta":
        """What is believed once so many more have been seen."""
        return Beta(self.a + successes, self.b + failures)

    def as_prior(self, strength: float) -> "Beta":
        """The same expectation, worth no more than `strength` observations."""
        worth = min(strength, self.a + self.b)
        return Beta(self.mean * worth, (1 - self.mean) * worth)

    def below(self, share: float) -> float:
        """The probability that the true share is at most `share`."""
        if share <= 0:
            return 0.0
        if share >= 1:
            return 1.0
        scale = math.exp(
            math.lgamma(self.a + self.b)
            - math.lgamma(self.a)
            - math.lgamma(self.b)
            + self.a * math.log(share)
            + self.b * math.log1p(-share)
        )
        if share < (self.a + 1) / (self.a + self.b + 2):
            return scale * _fraction(self.a, self.b, share) / self.a
        return 1 - scale * _fraction(self.b, self.a, 1 - share) / self.b

    def quantile(self, probability: float) -> float:
        """The share that the true one is below with this probability."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < probability else (low, middle)
        return (low + high) / 2

    def interval(self, share: float = 0.9) -> tuple[float, float]:
        """Where the true share lies with this probability, the same left out on both sides."""
        rest = (1 - share) / 2
        return self.quantile(rest), self.quantile(1 - rest)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for step in range(1, STEPS_MAX):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d, c = 1 / _not_zero(1 + term * d), _not_zero(1 + term / c)
            value *= d * c
        if abs(d * c - 1) < CLOSE:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
