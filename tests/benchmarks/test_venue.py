"""The parts of the venue's benchmark: what they measure is what they say."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.venue import commits, end_to_end, matched, matched_bare, percentile, stream
from benchmarks.venue_memory import Sample, candle_file, replayed, slope
from benchmarks.venue_servers import main as serve
from benchmarks.venue_servers import serving
from benchmarks.venue_streams import SPEED, listened, names


def test_the_engine_and_its_floor_match_the_same_orders() -> None:
    orders, bare = stream(400), stream(400)
    speed, traded = matched(orders)
    assert speed > 0 and matched_bare(bare) > 0
    assert traded == sum(order.filled_lots > 0 for order in orders)
    assert 0.5 < traded / 400 < 0.95
    assert sum(order.filled_lots for order in orders) <= sum(order.filled_lots for order in bare), (
        "in the bare book an account trades with itself, in the engine it doesn't"
    )


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (50.0, 99.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize("name", ["venue", "bare"])
def test_orders_go_end_to_end_through_a_process_of_its_own(tmp_path: Path, name: str) -> None:
    found = asyncio.run(end_to_end(name, tmp_path, connections=3, seconds=0.1))
    assert found.fast > 1
    assert len(found.steady) == 20 and min(found.steady) > 0
    assert len(found.lonely) == 5 and min(found.lonely) > 0


def test_bare_commits_are_as_many_as_asked_for(tmp_path: Path) -> None:
    assert len(commits(tmp_path, 5)) == 5


def test_an_unknown_server_is_refused() -> None:
    with pytest.raises(SystemExit, match="casino: one of bare, flood, venue would be right"):
        serve(["casino", "nowhere"])


@pytest.mark.parametrize("name", ["venue", "bare"])
def test_streams_are_listened_to_and_their_lateness_is_told(tmp_path: Path, name: str) -> None:
    symbols = names(3)
    words = {"symbols": [f"{symbol}/USDT" for symbol in symbols], "speed": SPEED} if name == "venue" else {}

    async def scene() -> dict[str, float]:
        async with serving(name, tmp_path, **words) as served:
            return await listened(served, symbols, connections=2, seconds=1.0)

    figures = asyncio.run(scene())
    assert 0 < figures["messages/s and stream"] < 12
    assert figures["late: worst ms"] >= figures["late: p99 ms"] >= figures["late: median ms"]
    assert figures["server: memory MiB"] > 10


def test_the_slope_of_memory_is_what_grows_after_the_first_quarter() -> None:
    flat = [Sample(second, 100.0) for second in range(100)]
    assert slope(flat) == 0
    warm = [Sample(second, min(second, 25.0)) for second in range(101)]
    assert slope(warm) == pytest.approx(0, abs=1e-6)
    growing = [Sample(second, 100 + second / 3600) for second in range(100)]
    assert slope(growing) == pytest.approx(1.0)


def test_memory_is_sampled_while_a_recording_is_replayed_and_traded(tmp_path: Path) -> None:
    samples, orders, minutes = asyncio.run(replayed(candle_file(tmp_path, 400), tmp_path / "venue", 600, 2.0))
    assert len(samples) >= 3 and min(sample.mib for sample in samples) > 10
    assert orders >= 1 and minutes >= 5
