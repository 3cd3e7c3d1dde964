"""When money or room is used up and a clearly better entry comes: which position is given up for it, if any.

Pure rule, told in numbers: the weakest position goes, and only for an entry that is better by a margin and by what
leaving costs; none that was opened a moment ago, and only so many in an hour of market time. Off unless
`[trading] reallocate` is on. It sells nothing itself.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from execution.research.costs import Costs
from execution.research.exit_terms import time_exit_bars
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.risk_management import Assessment
from execution.trading.assistants.signal_generation import Proposal
from execution.trading.bars import BarBook
from execution.trading.portfolio import Portfolio
from execution.vocabulary.market import Quote, SymbolRules

USED_UP = frozenset({"open_positions_max", "exposure_max", "free_balance"})  # refusals that a sale helps against
HOUR_MS = 3_600_000
SHOWN = 6


class Candidate(msgspec.Struct, frozen=True):
    """A position that could be given up. `rank` as of a proposal, by what research and its trades say now; leaving
    costs the share `leaving` of its price; `time_left` until its time exit, 1 to 0."""

    symbol: str
    rank: float
    bars_held: int
    time_left: float
    leaving: float

    @property
    def worth(self) -> float:
        """What it still promises: the less time is left, the less of a good rank; a bad one stays as bad."""
        return self.rank * self.time_left if self.rank > 0.0 else self.rank


class Swap(msgspec.Struct, frozen=True):
    """Give one position up for one entry; `numbers`: what it was decided by."""

    symbol: str
    why: str
    numbers: Mapping[str, Any]


def swap(wanted: Proposal, candidates: Sequence[Candidate], target: float, config: TradingConfig) -> Swap | None:
    """The weakest of the positions, when the entry is so much better; None when none is weak enough. `target` is what a
    trade is to bring, as a share: what leaving costs is counted against it."""
    ripe = [row for row in candidates if row.bars_held >= config.reallocate_after_bars and math.isfinite(row.worth)]
    if not ripe or not math.isfinite(wanted.rank) or not wanted.condition.score > 0.0:
        return None
    weakest = min(ripe, key=lambda row: (row.worth, -row.leaving, row.symbol))
    needed = float(config.reallocate_margin) + (weakest.leaving / target if target > 0.0 else math.inf)
    better = wanted.rank - weakest.worth
    if not better >= needed:
        return None
    numbers = {
        "for": wanted.symbol,
        "rank": round(wanted.rank, SHOWN),
        "worth": round(weakest.worth, SHOWN),
        "better_by": round(better, SHOWN),
        "needed": round(needed, SHOWN),
        "bars_held": weakest.bars_held,
        "leaving_costs": round(weakest.leaving, SHOWN),
    }
    return Swap(weakest.symbol, f"{wanted.symbol} is better by {better:.3g}, {needed:.3g} is needed", numbers)


class Reallocation:
    """One account's. `rank` says what a position's symbol and strategy are worth now, as a proposal's rank; `waiting`
    which symbols can't be sold this moment; `target` what a trade of a strategy is to bring."""

    def __init__(
        self,
        config: TradingConfig,
        bars: BarBook,
        *,
        rank: Callable[[str, str], float],
        waiting: Callable[[], Collection[str]],
        target: Callable[[str], float],
    ) -> None:
        self._config = config
        self._bars = bars
        self._rank = rank
        self._waiting = waiting
        self._target = target
        self._made: deque[int] = deque()  # when the last ones were, market time
        self.made = 0

    def look(
        self,
        proposals: Sequence[Proposal],
        assessment: Assessment,
        held: Portfolio,
        rules: Mapping[str, SymbolRules],
        quote_of: Callable[[str], Quote | None],
    ) -> Swap | None:
        """What to give up for the best proposal that found no room; None as a rule."""
        if not self._config.reallocate:
            return None
        wanted = next((row for row in proposals if assessment.refused.get(row.condition.id) in USED_UP), None)
        if wanted is None or self._often(wanted.bar_ms):
            return None
        found = swap(
            wanted, self._candidates(held, rules, quote_of), self._target(wanted.condition.strategy), self._config
        )
        if found is not None:
            self._made.append(wanted.bar_ms)
            self.made += 1
        return found

    def _often(self, bar_ms: int) -> bool:
        """Were there enough of them within the hour before? A market that began anew counts anew."""
        while self._made and not 0 <= bar_ms - self._made[0] < HOUR_MS:
            self._made.popleft()
        return len(self._made) >= self._config.reallocations_per_hour

    def _candidates(
        self, held: Portfolio, rules: Mapping[str, SymbolRules], quote_of: Callable[[str], Quote | None]
    ) -> list[Candidate]:
        waiting, found = self._waiting(), []
        for symbol, holding in held.holdings.items():
            rule, quote = rules.get(symbol), quote_of(symbol)
            if holding.dust or holding.sellable <= 0 or symbol in waiting or rule is None or quote is None:
                continue
            bars = self._bars.age(symbol, holding.position.signal_bar_ms)
            costs = Costs.of(rule.taker_fee, quote.spread_share)
            found.append(
                Candidate(
                    symbol=symbol,
                    rank=self._rank(symbol, holding.position.strategy),
                    bars_held=bars,
                    time_left=max(0.0, 1.0 - bars / time_exit_bars(self._config, holding.position.strategy)),
                    leaving=costs.taker_fee + costs.half_spread,
                )
            )
        return found
