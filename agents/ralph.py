"""The process `ralph`: research. Candles from the venue, regimes, sweeps with costs, and from them the conditions that
the traders may act on, said again every period. It holds no key and sends no order.
"""

import asyncio
import logging
import sys
from typing import Any

import msgspec

from agents.line_probe import LineProbe
from agents.process import Context, run_process
from agents.venue_access import budget_file, reach_embedded_venue, tradable, wait_for_rules
from execution.exchange.endpoint import build_client
from execution.exchange.rate_budget import RateBudget
from execution.exchange.venue_reader import VenueReader
from execution.learning.conditions import choose_conditions
from execution.ledger.audit_log import AuditLogger, config_hash
from execution.research import kernels
from execution.research.backtest import RegimeRules
from execution.research.candles import candle_array
from execution.research.costs import Costs
from execution.research.exit_terms import exits_of, leave_in
from execution.research.regime import Regime
from execution.research.regime_rules import CODES, REGIME_BARS, regime_of
from execution.research.strategies import STRATEGIES
from execution.research.sweep import grid, sweep
from execution.runtime.bus import Refused
from execution.runtime.clock import iso
from execution.runtime.tasks import Task
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.market import Candle, Condition, SymbolRules
from execution.vocabulary.messages import Conditions

log = logging.getLogger("nae.ralph")
NAME = "ralph"
RESEARCH_PERIOD_S = 20.0
PUBLISH_PERIOD_S = 1.0
HISTORY_BARS = 999  # the most that one request gives
TTL_BARS = 240
REGIMES = {code: regime for regime, code in CODES.items()}


class RalphAgent:
    """Studies one symbol after the other and keeps saying what it found."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._audit = AuditLogger(
            context.home.audit_trail(NAME), context.clock, NAME, config=config_hash(context.config)
        )
        self._reader: VenueReader | None = None
        self._rules: dict[str, SymbolRules] = {}
        self._symbols: list[str] = []
        self._conditions: dict[str, list[Condition]] = {}
        self._regimes: dict[str, str] = {}
        self._codes: dict[str, dict[int, int]] = {}  # by symbol and bar: what was worked out once isn't again
        self._studied_ms: int | None = None
        self._failing = ""
        self._failures = 0

    async def start(self) -> None:
        context = self._context
        endpoint = await reach_embedded_venue(context.home, context.clock)
        budget = RateBudget(context.clock, budget_file(context.home, endpoint))
        timeout_s = context.config.operation.request_timeout_s
        client = build_client(endpoint, None, context.clock, budget=budget, timeout_s=timeout_s)
        context.parts["line"], context.probe = client.line.get_health, LineProbe(client, context.clock)
        self._reader = VenueReader(client)
        self._rules = await wait_for_rules(self._reader.load_rules, context.clock)
        self._symbols = tradable(self._rules, context.config.trading, context.home.config_file)
        log.info("studying", extra={"fields": {"symbols": ",".join(self._symbols), "compiled": kernels.available()}})

    def tasks(self) -> list[Task]:
        return [Task("research", RESEARCH_PERIOD_S, self._research), Task("publish", PUBLISH_PERIOD_S, self._publish)]

    async def _research(self) -> None:
        """One round. A symbol that can't be studied keeps the conditions it has, until their time to live is over, and
        holds up no other; the first error is then this round's."""
        errors: list[Exception] = []
        for symbol in self._symbols:
            try:
                await self._look_at(symbol)
            except Exception as error:
                errors.append(error)
                log.exception("not studied", extra={"fields": {"symbol": symbol}})
        if len(errors) < len(self._symbols):
            self._studied_ms = self._context.clock.now_ms()
        self._failing = f"{type(errors[0]).__name__}: {errors[0]}" if errors else ""
        self._failures += len(errors)
        if errors:
            raise errors[0]

    async def _look_at(self, symbol: str) -> None:
        assert self._reader is not None
        candles = await self._reader.fetch_candles(symbol, self._context.config.trading.timeframe, None, HISTORY_BARS)
        if candles:
            regime, found = await asyncio.to_thread(self._study, symbol, candles)
            self._take(symbol, regime, found, len(candles))

    def _study(self, symbol: str, candles: list[Candle]) -> tuple[Regime, list[Condition]]:
        """Pure but for time spent: regime, sweeps after costs, and what deserves to be armed."""
        trading = self._context.config.trading
        bars = candle_array(candles)
        codes = self._regimes_along(symbol, candles, bars.tolist())
        regime = REGIMES[codes[-1]]
        rules = RegimeRules(codes, leave_in(trading))
        costs = Costs.of(self._rules[symbol].taker_fee, trading.spread_max / 4)
        results = [
            result
            for name, strategy in STRATEGIES.items()
            for result in sweep(
                bars,
                strategy,
                grid(strategy),
                exits_of(trading, name, costs),
                costs,
                regimes=rules,
                compiled=kernels.available(),
            )
        ]
        return regime, choose_conditions(symbol, results, regime, candles[-1].open_ms, TTL_BARS)

    def _regimes_along(self, symbol: str, candles: list[Candle], rows: list[list[float]]) -> list[int]:
        """The code of the regime after each bar; only bars that are new are worked out."""
        known = self._codes.get(symbol, {})
        codes: list[int] = []
        for at, candle in enumerate(candles, 1):
            code = known.get(candle.open_ms)
            codes.append(CODES[regime_of(rows[max(0, at - REGIME_BARS) : at])] if code is None else code)
        self._codes[symbol] = {candle.open_ms: code for candle, code in zip(candles, codes, strict=True)}
        return codes

    def _take(self, symbol: str, regime: Regime, found: list[Condition], bars: int) -> None:
        self._conditions[symbol] = found
        self._regimes[symbol] = regime
        armed = [
            {"id": one.id, "strategy": one.strategy, "score": round(one.score, 3), "params": one.params}
            for one in found
        ]
        self._audit.record("research", symbol=symbol, bars=bars, regime=regime, armed=armed)

    async def _publish(self) -> None:
        """For the symbols studied so far, and nothing before the first: what the traders have for the others, from
        before our start, is better than none."""
        if not self._conditions:
            return
        now_ms = self._context.clock.now_ms()
        conditions = [condition for found in self._conditions.values() for condition in found]
        await self._context.bus.publish(
            Conditions(process=NAME, sent_ms=now_ms, conditions=conditions, studied=sorted(self._conditions))
        )

    def components(self) -> dict[str, ComponentHealth]:
        status = ComponentStatus.HEALTHY if self._studied_ms else ComponentStatus.STARTING
        studied = iso(self._studied_ms) if self._studied_ms else None
        metrics: dict[str, Any] = {"symbols": len(self._conditions), "failing": self._failing}
        weak = ComponentStatus.DEGRADED if self._failing else status
        return {"strategist": ComponentHealth(weak, studied, self._failures, metrics)}

    def facts(self) -> dict[str, Any]:
        return {
            "learning_active": self._studied_ms is not None,
            "conditions": sum(len(found) for found in self._conditions.values()),
            "regimes": self._regimes,
        }

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if verb != "conditions":
            raise Refused(f"ralph knows the verb conditions, not {verb}")
        return {"conditions": msgspec.to_builtins(self._conditions)}

    async def stop(self) -> None:
        if self._reader is not None:
            await self._reader.client.close()
        self._audit.close()


if __name__ == "__main__":
    sys.exit(run_process(NAME, RalphAgent))
