"""Where research can find something the trader earns it net of all costs, by seed; and what counts as bleeding."""

import asyncio
from pathlib import Path

from benchmarks.edge import Kind, Seed, measured, run

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


def kind(name: str, *nets: float, stated: float = 1.0) -> Kind:
    return Kind(name, [Seed(number, 5, 2, 400.0, net, stated) for number, net in enumerate(nets)])


def test_a_planted_edge_is_earned_net_of_all_costs(tmp_path: Path) -> None:
    found = measured(asyncio.run(run("edge", 2, 130, 1200.0, SYMBOLS, tmp_path, at_least=12)), 2)
    assert found.trades >= 12 and found.won > found.trades / 2
    assert found.net > 0


def test_an_edge_must_be_earned_clearly_and_not_by_one_lucky_seed() -> None:
    assert not kind("edge", 5.0, 6.0, 7.0, 5.5).problem()
    assert "not clearly above nothing" in kind("edge", 30.0, -5.0, -6.0, 0.5).problem()


def test_without_an_edge_losing_the_stated_cost_is_no_problem_and_more_is_one() -> None:
    assert not kind("random", -1.0, -0.9, -1.1, -1.0).problem()
    assert not kind("random", 3.0, 1.0, 2.0, 1.0).problem()
    assert "lost 8.00, stated 4.00" in kind("random", -2.0, -2.1, -1.9, -2.0).problem()
