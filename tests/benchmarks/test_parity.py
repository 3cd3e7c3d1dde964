"""A trader's journal beside research: what is the same counts as the same, and every difference has its cause."""

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.decisions_compared import (
    AT_THE_VENUE,
    BID_ALONE,
    RUN_OVER,
    TARGET_GONE,
    UNEXPLAINED,
    WITHIN_THE_BAR,
    Entered,
    Rules,
    compare,
    exit_cause,
    journal_of,
)
from benchmarks.parity import parity, settings
from execution.research.exits import Exits
from execution.research.regime import Regime
from execution.research.regime_rules import CODES, manners
from execution.research.strategies import STRATEGIES
from execution.venue.market_kinds import KINDS
from execution.venue.symbols import amount_text
from execution.venue.synthetic import FIRST_MS, INTERVAL_MS, SyntheticMarket

FLAT = [100.0, 100.1, 99.9, 100.0, 1.0]
RANGE = CODES[Regime.RANGE]
EXITS = Exits(target=0.01, stop=0.01, bars=10)


def bars(*changed: tuple[int, float, float]) -> list[list[float]]:
    """Twenty bars at 100, some of them with another high and low."""
    rows = [list(FLAT) for _ in range(20)]
    for index, high, low in changed:
        rows[index] = [100.0, high, low, 100.0, 1.0]
    return rows


def rules(rows: list[list[float]]) -> Rules:
    return Rules(rows, [RANGE] * len(rows), STRATEGIES["trend"], manners(list(Regime), ()), EXITS)


def entered(left: int | None, reason: str, **told: Any) -> Entered:
    return Entered(2, 100.0, left, reason, {"by": "the price of the moment", "bid": "100", **told})


@pytest.mark.parametrize(
    ("changed", "held", "cause"),
    [
        ([(6, 101.5, 99.9)], entered(6, "profit_target"), ""),
        ([], entered(12, "time_exit", by="a closed bar"), ""),
        ([], entered(11, "time_exit", by="a closed bar"), UNEXPLAINED),
        ([(6, 101.5, 98.0)], entered(6, "profit_target", highest=101.2, target="101"), WITHIN_THE_BAR),
        ([(6, 101.5, 98.0)], entered(6, "profit_target", highest=100.5, target="101"), UNEXPLAINED),
        ([(5, 100.1, 99.02), (9, 100.1, 98.0)], entered(5, "stop_loss", bid="98.99", stop="99"), BID_ALONE),
        ([(9, 100.1, 98.0)], entered(5, "stop_loss", bid="99.95", lowest=98.5, stop="99"), UNEXPLAINED),  # of before it
        ([(9, 100.1, 98.0)], entered(5, "stop_loss", bid="99.5", stop="99"), UNEXPLAINED),
        ([(4, 101.5, 99.9)], entered(12, "time_exit", by="a closed bar"), TARGET_GONE),
        ([(4, 100.1, 98.0)], entered(12, "time_exit", by="a closed bar"), UNEXPLAINED),
        ([(4, 100.1, 98.0)], entered(None, ""), AT_THE_VENUE),
        ([], entered(None, ""), UNEXPLAINED),
        ([], entered(8, "emergency"), RUN_OVER),
        ([(4, 100.1, 98.0)], entered(8, "emergency"), UNEXPLAINED),
    ],
)
def test_each_way_to_leave_otherwise_has_its_cause_or_is_unexplained(
    changed: list[tuple[int, float, float]], held: Entered, cause: str
) -> None:
    assert exit_cause(rules(bars(*changed)), held) == cause


def test_a_purchase_without_a_signal_and_a_signal_passed_over_are_differences() -> None:
    found = compare(rules(bars()), 0, {2: entered(12, "time_exit", by="a closed bar")}, {})
    assert found.decisions == 2 and found.same == 1
    assert found.differences == [(2, "bought without a signal", UNEXPLAINED)]
    rising = [[100.0 + i, 101.0 + i, 99.9 + i, 100.9 + i, 1.0] for i in range(60)]
    signals = [index for index, _, _ in compare(rules(rising), 0, {}, {}).differences]
    assert signals, "a straight rise is a trend"
    named = compare(rules(rising), 0, {}, dict.fromkeys(signals, "refused by risk"))
    assert set(named.causes) == {"refused by risk"} and named.same == 0


def test_a_sale_belongs_to_the_purchase_of_its_signal() -> None:
    bought = {
        "side": "buy",
        "symbol": "BTC/USDT",
        "signal": {"strategy": "trend", "bar_ms": 60},
        "weighed": {"ask": "1"},
    }
    sold = {"side": "sell", "cause": "trend@60", "reason": "stop_loss"}
    by_price = sold | {"exit": {"bars_held": 3, "by": "the price of the moment", "price_paid": "2", "bid": "1"}}
    by_bar = sold | {"exit": {"bars_held": 3, "by": "a closed bar", "price_paid": "2", "bid": "1"}}
    assert journal_of([bought, by_price], {60: 7})[7].left == 11
    assert journal_of([bought, by_bar], {60: 7})[7].left == 10
    assert journal_of([bought], {60: 7})[7].left is None and journal_of([bought], {}) == {}


def recorded(folder: Path, first: int, count: int) -> Path:
    """A file of candles as people have them, of our own making."""
    market = SyntheticMarket(7, ("BTC/USDT",), KINDS["edge"])
    tick = market.symbols[0].tick
    lines = ["timestamp,open,high,low,close,volume"]
    for index in range(first, first + count):
        bar = market.bar("BTCUSDT", index)
        prices = (format(Decimal(ticks) * tick, "f") for ticks in bar[:4])
        lines.append(
            ",".join([str(FIRST_MS + index * INTERVAL_MS), *prices, amount_text(Decimal(bar.volume_e8) / 10**8)])
        )
    path = folder / "BTC_USDT-1m.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_trader_decides_on_recorded_candles_what_research_decides(tmp_path: Path) -> None:
    config = settings(f"replay:{recorded(tmp_path, 0, 1000)}", 900.0, 400)
    found = asyncio.run(parity(config, "momentum_breakout", 80, tmp_path / "home"))
    assert found.compared.causes[UNEXPLAINED] == 0, found.compared.differences
    assert found.compared.same >= 2, found.compared


def test_and_on_an_hour_of_real_ones(tmp_path: Path) -> None:
    file = Path(os.environ.get("NAE_CANDLE_DATA", "")) / "BTC_USD-1m.parquet"
    if not file.is_file():
        pytest.skip("needs real candles: NAE_CANDLE_DATA names a folder with BTC_USD-1m.parquet")
    found = asyncio.run(parity(settings(f"replay:{file}", 600.0, 5000), "momentum_breakout", 60, tmp_path / "home"))
    assert found.compared.causes[UNEXPLAINED] == 0, found.compared.differences
