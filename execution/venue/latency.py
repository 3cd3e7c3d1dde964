"""How long an answer is held up: a time drawn by a named distribution, all with the mean that is given. Pure; whether
anything is held up at all is decided in faults.py."""

import math
from enum import StrEnum
from random import Random

SIGMA = 1.0  # of the lognormal: one answer in 400 takes ten times the mean
ALPHA = 1.5  # of the Pareto: a mean, but no variance; one answer in 160 takes ten times the mean
LONGEST_S = 3600.0  # a heavy tail has no end; no client waits longer


class Distribution(StrEnum):
    """Uniform is from 0 to twice the mean; Pareto's least time is a third of it."""

    CONSTANT = "constant"
    UNIFORM = "uniform"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"
    PARETO = "pareto"


USUAL = Distribution.EXPONENTIAL


def draw(distribution: Distribution, mean_s: float, random: Random) -> float:
    """Seconds, from 0 to LONGEST_S."""
    if mean_s <= 0:
        return 0.0
    match distribution:
        case Distribution.CONSTANT:
            drawn = mean_s
        case Distribution.UNIFORM:
            drawn = random.uniform(0, 2 * mean_s)
        case Distribution.EXPONENTIAL:
            drawn = random.expovariate(1 / mean_s)
        case Distribution.LOGNORMAL:
            drawn = random.lognormvariate(math.log(mean_s) - SIGMA**2 / 2, SIGMA)
        case Distribution.PARETO:
            drawn = mean_s * (ALPHA - 1) / ALPHA * random.paretovariate(ALPHA)
    return min(drawn, LONGEST_S)
