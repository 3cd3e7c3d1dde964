"""The parts of the venue's benchmark: what they measure is what they say."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.venue import commits, end_to_end, main, matched, matched_bare, percentile, stream


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
    fast, slow = asyncio.run(end_to_end(name, tmp_path, connections=3, seconds=0.1))
    assert fast > 1
    assert len(slow) == 20 and min(slow) > 0


def test_bare_commits_are_as_many_as_asked_for(tmp_path: Path) -> None:
    assert len(commits(tmp_path, 5)) == 5


def test_an_unknown_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--serve", "casino"])
    assert "invalid choice: 'casino'" in capsys.readouterr().err
