"""The kinds of invented market: which spells they are made of, how far levels wander, when they crash. Numbers only;
synthetic.py makes candles of them. `usual` has something of everything; of each other kind it is known beforehand what
a trader should do in it, which is what it is for.
"""

from dataclasses import dataclass

from execution.vocabulary.exit_codes import ConfigError

SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Spell:
    """One stretch of market. Per candle: noise, drift, pull to the centre, chance of a jump. The drift's sign is drawn
    unless `sign` says it; `least` to `most` candles long."""

    name: str
    noise: float
    drift: float = 0.0
    pull: float = 0.0
    echo: float = 0.0  # share of a candle's noise that repeats in the next one
    jump: float = 0.0
    sign: int = 0
    least: int = 50
    most: int = 300


@dataclass(frozen=True)
class Kind:
    """A market. Its spells are drawn by weight, or follow each other in their order where there are no weights."""

    name: str
    spells: tuple[Spell, ...]
    weights: tuple[int, ...] = ()
    level_spread: float = 0.0  # how far block levels lie apart, as a logarithm
    crash_chance: float = 0.0  # per block
    crash_depth: tuple[float, float] = (0.04, 0.12)  # of the price, from its beginning to its lowest
    crash_from: tuple[int, int] | None = None  # between which candles of its block it begins; None: anywhere


CRASH = Spell("crash", 0.0050)  # comes by itself, to all symbols
USUAL = Kind(
    "usual",
    (
        Spell("trend", 0.0016, drift=0.0009, echo=0.15),
        Spell("range", 0.0030, pull=0.14),
        Spell("volatile", 0.0034, jump=0.01),
        Spell("quiet", 0.0015),
    ),
    (32, 50, 8, 10),
    level_spread=0.12,
    crash_chance=0.3,
)
# a rest, a breakout, a run on upwards of more than any cost, and slowly back: research can find it, a trader earn it
EDGE = (
    Spell("rest", 0.0006, pull=0.2, least=25, most=45),
    Spell("breakout", 0.0003, drift=0.0025, sign=1, least=2, most=2),
    Spell("run", 0.0004, drift=0.001, sign=1, least=34, most=38),
    Spell("back", 0.0004, drift=0.0007, sign=-1, least=58, most=62),
)
KINDS = {
    kind.name: kind
    for kind in (
        USUAL,
        Kind("trend", (Spell("trend", 0.0010, drift=0.0010, echo=0.1),), (1,), level_spread=0.12),
        Kind("range", (Spell("range", 0.0030, pull=0.14),), (1,)),
        Kind("crash", USUAL.spells, USUAL.weights, 0.12, 1.0, crash_depth=(0.12, 0.18), crash_from=(60, 120)),
        Kind("quiet", (Spell("quiet", 0.00015, pull=0.05),), (1,)),
        Kind("edge", EDGE),
        Kind("random", (Spell("random", 0.0016),), (1,)),  # a walk without memory: nothing can be earned in it
    )
}


def kind_of(market: str) -> Kind:
    """Which kind `synthetic` or `synthetic:KIND` names. Raises ConfigError."""
    name = market.removeprefix(SYNTHETIC).removeprefix(":") or USUAL.name
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise ConfigError(f"venue.market = {market!r} isn't known; after {SYNTHETIC}: there may be one of {known}")
    return KINDS[name]
