"""SignalGenerationAssistant: from newly closed bars to proposals to buy.

A trigger is an armed strategy saying "now" on the newest closed bar; the rules turn some triggers into proposals.
It runs the very step functions that research ran. It sizes nothing and sends nothing.
"""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from execution.research.costs import Costs, clears_cost, round_trip_share
from execution.research.exit_terms import exits_of, net_target
from execution.research.regime import Regime
from execution.research.strategies import STRATEGIES
from execution.runtime.clock import Clock, iso
from execution.runtime.errors import about
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.data_analysis import Listing, Universe
from execution.trading.bars import BarBook, Series
from execution.trading.portfolio import Portfolio
from execution.trading.proposals import Proposal, Trigger
from execution.trading.sniper import Sniper
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.money import text
from execution.vocabulary.reasons import exception_reason

log = logging.getLogger("nae.trading")

__all__ = ["Proposal", "SignalGenerationAssistant", "Signals", "Trigger"]

SHOWN = 8  # decimals of what is told
REACH_DEVIATIONS = 3.0  # a target further away than so many usual ways of that many bars is hardly ever met


class Signals(msgspec.Struct, frozen=True):
    """What one look found. `armed` counts conditions in force; `dropped` says why a trigger became no proposal, and
    `numbers` what it was judged by, both by condition id."""

    armed: int
    triggers: list[Trigger]
    proposals: list[Proposal]
    dropped: dict[str, str]
    numbers: dict[str, dict[str, Any]] = {}


@dataclass
class Run:
    """One strategy with one parameter set on one symbol, stepped once per closed bar."""

    strategy: str
    params: list[float]
    state: list[float]
    stepped_ms: int = -1

    def advance(self, series: Series, behind: int) -> float:
        """Step over the bars not seen yet; the newest one's score. `behind` says how many those are."""
        step = STRATEGIES[self.strategy].step
        score = 0.0
        for row in series.last_rows(behind):
            score = step(self.state, row, self.params)
        self.stepped_ms = series.newest_ms
        return score


def drop_reason(
    trigger: Trigger, listing: Listing | None, portfolio: Portfolio, cost: float, config: TradingConfig
) -> str:
    """Why the rules drop a trigger; '' when they don't."""
    symbol = trigger.condition.symbol
    if listing is None:
        return "not_in_universe"
    if symbol in portfolio.unsettled:
        return "order_unsettled"
    if symbol in portfolio.holdings and not portfolio.holdings[symbol].dust:
        return "position_held"
    strategy = trigger.condition.strategy
    if listing.regime is Regime.CRASH:
        return "crash"
    if listing.regime not in STRATEGIES[strategy].enter_in:
        return "regime"
    if not clears_cost(net_target(config, strategy), cost, float(config.target_over_cost)):
        return "target_below_cost"
    if not reach(listing.volatility, config, strategy) >= net_target(config, strategy) + cost:
        return "target_out_of_reach"
    return ""


def reach(volatility: float, config: TradingConfig, strategy: str) -> float:
    """How far the price can be hoped to come in the time a position has, as a share; bars wander, they don't march."""
    bars = exits_of(config, strategy, Costs()).bars
    return volatility * math.sqrt(bars) * REACH_DEVIATIONS if volatility > 0.0 else 0.0


def target_numbers(cost: float, config: TradingConfig, strategy: str) -> dict[str, Any]:
    """What a round trip costs, beside what it is to bring net of that; shares of the price."""
    needed = round(cost * float(config.target_over_cost), SHOWN)
    target = round(net_target(config, strategy), SHOWN)
    return {"round_trip_cost": round(cost, SHOWN), "target_needed": needed, "target": str(target)}


def _drop_numbers(
    trigger: Trigger, listing: Listing | None, portfolio: Portfolio, cost: float, config: TradingConfig
) -> dict[str, Any]:
    symbol = trigger.condition.symbol
    held = portfolio.holdings.get(symbol)
    found: dict[str, Any] = {"symbol": symbol, "strength": round(trigger.strength, SHOWN)}
    if listing is not None:
        strategy = trigger.condition.strategy
        found |= {"regime": listing.regime.value} | target_numbers(cost, config, strategy)
        found["reach"] = round(reach(listing.volatility, config, strategy), SHOWN)
    return found if held is None else found | {"held": text(held.position.quantity)}


def best_per_symbol(proposals: Iterable[Proposal]) -> list[Proposal]:
    """One proposal per symbol, best rank first; equal ranks in a fixed order."""
    ordered = sorted(proposals, key=lambda row: (-row.rank, row.symbol, row.condition.id))
    return list({row.symbol: row for row in reversed(ordered)}.values())[::-1]


class SignalGenerationAssistant:
    """Steps the armed strategies and applies the rules."""

    def __init__(
        self,
        config: TradingConfig,
        bars: BarBook,
        sniper: Sniper,
        clock: Clock,
        standing: Callable[[str, str], float] = lambda symbol, strategy: 0.0,
        *,
        note_error: Callable[[BaseException], object] = lambda error: None,
        quarantined: Callable[[str], str] = lambda strategy: "",
    ) -> None:
        self._config = config
        self._bars = bars
        self.sniper = sniper
        self._clock = clock
        self._standing = standing  # what closed trades taught of (symbol, strategy); breaks ties among conditions
        self._note_error = note_error
        self._quarantined = quarantined  # why a strategy opens nothing now, "" when it may
        self._runs: dict[tuple[str, str, tuple[float, ...]], Run] = {}
        self._looked_ms: int | None = None
        self._triggers = 0
        self._proposals = 0

    def look(self, fresh: Iterable[str], universe: Universe, portfolio: Portfolio) -> Signals:
        """Everything the bars closed since the last look ask for. `fresh` are the symbols that have some."""
        dropped: dict[str, str] = {}
        armed, triggers = self._triggers_on(sorted(fresh), dropped)
        numbers: dict[str, dict[str, Any]] = {}
        proposals: list[Proposal] = []
        for trigger in triggers:
            listing = universe.listings.get(trigger.condition.symbol)
            cost = 0.0 if listing is None else round_trip_share(listing.costs)
            reason = drop_reason(trigger, listing, portfolio, cost, self._config)
            if reason or listing is None:
                dropped[trigger.condition.id] = reason
                numbers[trigger.condition.id] = _drop_numbers(trigger, listing, portfolio, cost, self._config)
            else:
                proposals.append(self._proposal(trigger, listing, cost))
        chosen = best_per_symbol(proposals)
        dropped |= {row.condition.id: "better_condition_on_symbol" for row in proposals if row not in chosen}
        self._looked_ms = self._clock.now_ms()
        self._triggers += len(triggers)
        self._proposals += len(chosen)
        return Signals(armed, triggers, chosen, dropped, numbers)

    def _proposal(self, trigger: Trigger, listing: Listing, cost: float) -> Proposal:
        condition = trigger.condition
        rank = condition.score + self._standing(condition.symbol, condition.strategy)
        return Proposal(condition, listing, trigger.bar_ms, trigger.strength, cost, rank)

    def _triggers_on(self, symbols: list[str], dropped: dict[str, str]) -> tuple[int, list[Trigger]]:
        """How many conditions are in force, and the triggers; one whose step raised is dropped, the others go on."""
        armed = 0
        triggers: list[Trigger] = []
        for symbol in symbols:
            series = self._bars.series(symbol)
            scores: dict[tuple[str, str, tuple[float, ...]], float] = {}
            for condition in self.sniper.active(symbol, series.newest_ms):
                armed += 1
                if self._quarantined(condition.strategy):
                    dropped[condition.id] = "strategy_quarantined"
                    continue
                key = (symbol, condition.strategy, tuple(STRATEGIES[condition.strategy].vector(condition.params)))
                if key not in scores:
                    try:
                        with about(symbol=symbol, strategy=key[1], operation="step"):
                            scores[key] = self._advance(key, series)
                    except Exception as error:  # a fault of one strategy: counted, logged, and told of its condition
                        self._note_error(error)
                        log.exception("strategy failed", extra={"fields": {"symbol": symbol, "strategy": key[1]}})
                        dropped[condition.id] = exception_reason(error)
                        continue
                if scores[key] > 0.0:
                    triggers.append(Trigger(condition, series.newest_ms, scores[key]))
            self._forget(symbol, set(scores))
        return armed, triggers

    def _advance(self, key: tuple[str, str, tuple[float, ...]], series: Series) -> float:
        """The newest bar's score. A run that raised is forgotten: its memory may be half written."""
        symbol, name, params = key
        run = self._runs.pop(key, None) or Run(name, list(params), STRATEGIES[name].fresh_state())
        # a fresh run needs no more bars than its warm-up: research proves that nothing older changes a decision
        behind = self._bars.age(symbol, run.stepped_ms) if run.stepped_ms >= 0 else STRATEGIES[name].warmup_bars + 1
        score = run.advance(series, behind)
        self._runs[key] = run
        return score

    def _forget(self, symbol: str, used: set[tuple[str, str, tuple[float, ...]]]) -> None:
        for key in [key for key in self._runs if key[0] == symbol and key not in used]:
            del self._runs[key]

    def get_health(self) -> ComponentHealth:
        """Starting until it has looked once."""
        return ComponentHealth(
            status=ComponentStatus.STARTING if self._looked_ms is None else ComponentStatus.HEALTHY,
            last_activity=None if self._looked_ms is None else iso(self._looked_ms),
            metrics={"triggers": self._triggers, "proposals": self._proposals, "runs": len(self._runs)},
        )
