"""What the invented market has in common with real ones, by seed: the facts that `python -m benchmarks.market_facts`
prints beside recorded candles. And its crashes."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.market_facts import FACTS, PAIRS, main, measure_file, measure_seed, missing
from execution.venue import synthetic
from execution.venue.market_kinds import USUAL
from execution.venue.price_path import level_lots, quotes, stress
from execution.venue.symbols import Symbol
from execution.venue.synthetic import BLOCK, Crash, SyntheticMarket
from tests.venue.test_candle_file import DATA
from tests.venue.test_market import recording


@pytest.mark.parametrize("seed", [1, 7, 8])
def test_an_invented_market_has_what_real_ones_have_in_common(seed: int) -> None:
    assert missing(measure_seed(seed, 12)) == []


def test_a_market_without_crashes_and_with_even_trades_is_told_from_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SyntheticMarket, "crash", lambda market, number: None)
    monkeypatch.setattr(synthetic, "COMMON_SHARE", 0.0)
    monkeypatch.setattr("execution.venue.price_path.SIZE_SPREAD", 0.1)
    wrong = missing(measure_seed(7, 6))
    for fact in ("fat tails", "the largest 1 %", "two symbols"):
        assert any(fact in text for text in wrong), (fact, wrong)


@pytest.mark.skipif(not DATA.is_dir(), reason="set NAE_CANDLE_DATA to a folder with recorded candles")
@pytest.mark.parametrize("name", ["BTC_USD-1m", "ETH_BTC-5m", "XMR_BTC-5m", "LTC_BTC-5m"])
def test_recorded_candles_have_the_facts_that_the_invented_ones_are_held_against(name: str) -> None:
    found = measure_file(DATA / f"{name}.parquet", 12_000)
    held = [fact.name for fact, value in zip(FACTS, found, strict=True) if math.isnan(value) or fact.holds(value)]
    assert [fact.name for fact in FACTS[:6] if fact.name not in held] == []


def crashes(market: SyntheticMarket) -> list[tuple[int, Crash]]:
    found = [(number, market.crash(number)) for number in range(12)]
    return [(number * BLOCK + crash.first, crash) for number, crash in found if crash is not None]


def test_a_crash_comes_to_all_symbols_at_once_and_partly_goes_back() -> None:
    found = 0
    for seed in (2, 7, 9):
        market = SyntheticMarket(seed, PAIRS)
        for first, crash in crashes(market):
            lowest = first + sum(drift < 0 for drift in crash.drifts)
            for symbol in ("BTCUSDT", "ETHUSDT"):
                before = market.bar(symbol, first).open
                bottom = min(market.bar(symbol, index).low for index in range(first, lowest + 1))
                assert bottom < before * 0.985, (seed, symbol)
                found += 1
            falls = -sum(drift for drift in crash.drifts if drift < 0)
            assert 0.04 <= falls <= 0.12
            assert sum(crash.drifts) == pytest.approx(-falls * 0.55)
    assert found > 10


def test_the_book_is_wider_and_thinner_in_a_crash_than_in_calm() -> None:
    market = SyntheticMarket(2, PAIRS)
    symbol: Symbol = market.symbols[0]
    first = next(first for first, crash in crashes(market) if min(crash.drifts) < -0.01)

    def seen(index: int) -> tuple[float, float]:
        bar = market.bar(symbol.name, index)
        strain = stress(bar, market.interval_ms)
        bids, asks = quotes(bar.close, level_lots(symbol, bar, strain), 1, strain)
        return (asks[0][0] - bids[0][0]) / bar.close, bids[0][1] / level_lots(symbol, bar)

    wild = [seen(index) for index in range(first, first + 4)]
    calm = [seen(index) for index in range(first - 200, first - 10)]
    assert max(spread for spread, _ in wild) > 3 * min(spread for spread, _ in calm)
    assert min(depth for _, depth in wild) < 0.5 * max(depth for _, depth in calm)
    assert sorted(spread for spread, _ in calm)[100] == pytest.approx(0.0003, rel=0.01), "as usual"


def test_blocks_without_a_crash_are_as_they_always_were(monkeypatch: pytest.MonkeyPatch) -> None:
    market = SyntheticMarket(7, PAIRS)
    calm = next(number for number in range(12) if market.crash(number) is None)
    before = [market.bar("BTCUSDT", calm * BLOCK + offset) for offset in range(0, BLOCK, 50)]
    after = SyntheticMarket(7, PAIRS, replace(USUAL, crash_chance=0.0))
    assert [after.bar("BTCUSDT", calm * BLOCK + offset) for offset in range(0, BLOCK, 50)] == before


def test_the_command_prints_the_facts_beside_recorded_candles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import polars

    csv = recording(tmp_path, 300)
    polars.read_csv(csv).with_columns(polars.col("timestamp").cast(polars.Int64)).write_parquet(
        csv.with_suffix(".parquet")
    )
    assert main(["--seeds", "7", "--blocks", "12", "--data", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "fat tails" in told
    assert "BTC_USD" in told
