"""The real trader, with real research, on the real venue, on one kind of market at a time, by seed: what it should do
there is known beforehand. Whatever it does, its profit by fills is its profit by the venue's balances."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.trades_told import apart, told
from benchmarks.trading_run import Outcome, trading
from execution.research.regime import Regime, classify
from execution.research.strategies import STRATEGIES
from execution.runtime.home import Home
from execution.runtime.settings import Config, RiskConfig, TradingConfig, VenueConfig
from execution.trading.assistants.data_analysis import REGIME_BARS
from execution.venue.market_kinds import KINDS
from execution.venue.synthetic import BLOCK, FIRST_MS, INTERVAL_MS, SyntheticMarket
from execution.vocabulary.market import Condition

SPEED = 1500.0
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
OPENING = Decimal(10_000)


def traded(
    folder: Path,
    kind: str,
    minutes: int,
    seed: int = 7,
    history: int = 1000,
    at_least: int = 0,
    research: bool = True,
    speed: float = SPEED,
) -> Outcome:
    """What came of so many minutes of one kind of market, or more until `at_least` so many trades are closed. What
    people count in real minutes goes with the market. Without `research` every strategy is armed on every symbol."""
    risk = RiskConfig(orders_per_minute_max=10_000, cooldown_s=300 * 60 / speed)
    venue = VenueConfig(market=f"synthetic:{kind}", speed=speed, seed=seed, symbols=SYMBOLS, history_bars=history)

    async def run() -> Outcome:
        async with trading(Home(folder), Config(venue=venue, risk=risk), research) as running:
            if not research:
                running.system.arm(everything(running.system.parts.bars.newest()))
            await running.pass_minutes(minutes)
            while len(running.ledger.closed_trades()) < at_least and running.minutes < 10 * minutes:
                await running.pass_minutes(running.minutes + 10)
            return await running.finish()

    outcome = asyncio.run(run())
    is_sound(outcome)
    home = Home(folder)
    assert apart(home, "sandbox") == [], "both files say the same"
    explained = told(home, "sandbox")
    assert explained.trades >= len(outcome.trades)
    assert [gap for gap in explained.gaps if research or not gap.endswith("has no research")] == []
    return outcome


def everything(newest: dict[str, int]) -> list[Condition]:
    """Every strategy on every symbol with its usual parameters, from the newest bar on."""
    return [
        Condition(f"{symbol}-{name}", symbol, name, one.defaults(), "range", 1.0, bar_ms, 100_000)
        for symbol, bar_ms in newest.items()
        for name, one in STRATEGIES.items()
    ]


def is_sound(outcome: Outcome) -> None:
    """What holds on every market."""
    money = outcome.money
    assert money.by_fills == money.by_balances, "to the last digit"
    assert money.differences == []
    assert abs(money.closed - money.by_fills) <= money.dust_value, "trades and fills tell of the same money"
    assert outcome.failed_cycles == 0 and outcome.errors == [] and outcome.late == []
    assert sum(outcome.reasons.values()) > 0
    assert not any(reason.startswith("exception") for reason in outcome.reasons)


def stated_cost(outcome: Outcome) -> Decimal:
    """What all its trading costs by the trader's own cost model, at most: fees twice, the spread, a little slippage."""
    return outcome.bought * Decimal("0.0030")


def bad_luck(outcome: Outcome) -> Decimal:
    """What so few trades may lose beyond their cost by chance: three deviations of so many stops and targets."""
    return outcome.bought * TradingConfig().stop_loss * 3 / Decimal(max(1, outcome.entries)).sqrt()


def test_in_trends_it_earns_or_loses_no_more_than_its_costs(tmp_path: Path) -> None:
    outcome = traded(tmp_path, "trend", 100)
    assert outcome.money.by_fills > -stated_cost(outcome) - bad_luck(outcome)


def test_in_a_range_it_earns_or_loses_no_more_than_its_costs(tmp_path: Path) -> None:
    outcome = traded(tmp_path, "range", 100)
    assert outcome.money.by_fills > -stated_cost(outcome) - bad_luck(outcome)


def test_in_a_quiet_market_it_stays_out_and_says_why(tmp_path: Path) -> None:
    outcome = traded(tmp_path, "quiet", 60, research=False)
    assert outcome.entries == 0 and outcome.money.by_fills == 0
    assert set(outcome.dropped) == {"target_out_of_reach"}
    assert outcome.reasons["rules_engine_no_proposals"] and outcome.reasons["no_candidates_from_triggers"]


def test_in_a_crash_nothing_is_bought_and_what_was_held_is_sold(tmp_path: Path) -> None:
    seed, history = 1, 1083
    market = SyntheticMarket(seed, SYMBOLS, KINDS["crash"])
    crash = market.crash(1)
    assert crash is not None
    first = BLOCK + crash.first
    lowest = first + sum(drift < 0 for drift in crash.drifts)
    outcome = traded(tmp_path, "crash", lowest + 10 - history, seed, history, research=False, speed=800.0)
    assert outcome.trades, "there was something to lose"
    for symbol in SYMBOLS:
        seen = [at for at in range(first, lowest + 1) if regime(market, symbol, at) is Regime.CRASH]
        assert seen, "the detector sees the crash before its lowest point"
        bought = [signal_index(row["signal"]["bar_ms"]) for row in decisions(outcome, symbol, "buy")]
        assert not [at for at in bought if seen[0] <= at <= seen[-1]]
    for trade in outcome.trades:  # by the trader or, were it too slow, by the stop that stands at the venue
        assert trade.exit_price > trade.entry_price * Decimal("0.97"), "held into the depth of the crash"
    assert outcome.money.by_fills > -OPENING * Decimal("0.02"), "a crash of an eighth costs a fiftieth at most"


def decisions(outcome: Outcome, symbol: str, side: str) -> list[dict[str, Any]]:
    """What the trader decided on a symbol."""
    return [row for row in outcome.decisions if (row["symbol"], row["side"]) == (symbol, side)]


def regime(market: SyntheticMarket, symbol: str, index: int) -> Regime:
    """What the trader's detector makes of the bars up to `index`."""
    bars = [market.bar(symbol.replace("/", ""), at) for at in range(index + 1 - REGIME_BARS, index + 1)]
    return classify(*([float(bar[column]) for bar in bars] for column in (1, 2, 3)))


def signal_index(bar_ms: int | str) -> int:
    """Which candle gave a signal."""
    return (int(bar_ms) - FIRST_MS) // INTERVAL_MS


def test_a_trade_whose_trail_is_gone_is_told_of_as_a_gap(tmp_path: Path) -> None:
    assert traded(tmp_path, "usual", 30, at_least=1).trades
    (tmp_path / "logs" / "audit" / "ralph.jsonl").unlink()
    assert {gap.partition(" has ")[2] for gap in told(Home(tmp_path), "sandbox").gaps} == {"no research"}
    (tmp_path / "logs" / "audit" / "sandbox_optimus.jsonl").unlink()
    assert "no reason to sell" in {gap.partition(" has ")[2] for gap in told(Home(tmp_path), "sandbox").gaps}
