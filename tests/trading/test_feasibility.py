"""An operation that can't place a single order says so, and which rule is in the way."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.ledger.audit_log import recent
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.feasibility import infeasible, obstacle
from execution.vocabulary.market import Quote
from tests.trading.world import World, rules_of

D = Decimal
QUOTE = Quote("BTC/USDT", D("99.99"), D("100.00"), 0.0)


@pytest.mark.parametrize(
    ("rules", "quote", "equity", "config", "limits", "says"),
    [
        ({}, QUOTE, "10000", {}, {}, ""),
        ({"taker_fee": D("0.01")}, QUOTE, "10000", {}, {}, "costs: trading.profit_target is 0.60%"),
        ({}, Quote("BTC/USDT", D(99), D(100), 0.0), "10000", {}, {}, "trading.spread_max"),
        ({}, QUOTE, "20", {}, {}, "minimum_order"),
        ({}, QUOTE, "0", {}, {}, "free_balance"),
        ({"notional_min": D(600)}, QUOTE, "10000", {}, {}, "minimum_order"),
        ({}, QUOTE, "10000", {}, {"exposure_max": D(1)}, "exposure_max"),
        ({}, QUOTE, "10000", {}, {"order_value_max": D(3)}, "minimum_order"),
        ({"lot_min": D(50)}, QUOTE, "10000", {}, {}, "minimum_order"),
        ({"trading": False}, QUOTE, "10000", {}, {}, "doesn't trade"),
    ],
)
def test_the_rule_that_kills_every_order_is_named(
    rules: dict[str, Any],
    quote: Quote,
    equity: str,
    config: dict[str, Any],
    limits: dict[str, Any],
    says: str,
) -> None:
    why = obstacle(rules_of(**rules), quote, D(equity), TradingConfig(**config), RiskConfig(**limits))
    assert says in why and bool(says) is bool(why)


def test_one_symbol_where_an_order_can_pass_is_enough_and_without_a_quote_nobody_knows() -> None:
    rules = {"BTC/USDT": rules_of(taker_fee=D("0.01")), "ETH/USDT": rules_of("ETH/USDT")}
    config, limits = TradingConfig(), RiskConfig()
    quotes = {name: Quote(name, D("99.99"), D(100), 0.0) for name in rules}
    assert infeasible(rules, quotes.get, D(10_000), config, limits) == ""
    assert infeasible(rules, {"BTC/USDT": QUOTE}.get, D(10_000), config, limits) != ""
    assert infeasible(rules, dict[str, Quote]().get, D(10_000), config, limits) is None


def test_a_trader_says_it_in_its_trail_and_its_status_once(tmp_path: Path) -> None:
    async def run() -> None:
        world = World(tmp_path, limits=RiskConfig(exposure_max=D(1)))
        await world.system.start()
        save = next(task for task in world.system.tasks() if task.name == "state")
        for _ in range(3):
            await save.run()
        assert "exposure_max" in world.system.facts()["note"]
        lines = [row for row in recent(world.audit.path, 50) if row["kind"] == "feasibility"]
        assert len(lines) == 1 and lines[0]["feasible"] is False
        await world.system.stop()

    asyncio.run(run())
