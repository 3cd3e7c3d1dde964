"""The sandbox beside live: exact money, pairs by signal, and words that claim no more than the numbers."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from execution.learning.comparison import compare
from execution.vocabulary.performance import ClosedTrade
from execution.vocabulary.reasons import ExitReason


def trade(bar: int, pnl: str, symbol: str = "BTC/USDT", quantity: str = "1", strategy: str = "trend") -> ClosedTrade:
    """A trade of `quantity` bought at 100."""
    return ClosedTrade(
        symbol=symbol,
        strategy=strategy,
        signal_bar_ms=bar * 60_000,
        entry_price=Decimal(100),
        exit_price=Decimal(101),
        quantity=Decimal(quantity),
        fees_quote=Decimal("0.2"),
        pnl_quote=Decimal(pnl),
        opened_ms=0,
        closed_ms=1,
        exit_reason=ExitReason.PROFIT_TARGET,
    )


def test_sums_are_exact_and_wins_are_after_fees() -> None:
    result = compare([trade(k, "0.1") for k in range(10)], [trade(1, "-0.3"), trade(2, "0")])
    assert (result.sandbox.net_pnl, result.sandbox.wins, result.sandbox.win_rate) == (Decimal("1.0"), 10, 1.0)
    assert (result.live.net_pnl, result.live.wins, result.live.trades) == (Decimal("-0.3"), 0, 2)
    assert result.live.fees == Decimal("0.4")


def test_only_the_same_symbol_strategy_and_bar_are_a_pair() -> None:
    live = [trade(1, "0.1"), trade(2, "0.1", symbol="ETH/USDT"), trade(3, "0.1", strategy="other"), trade(9, "0.1")]
    result = compare([trade(1, "0.4"), trade(2, "0.4"), trade(3, "0.4")], live)
    assert (result.pairs, result.sandbox_only, result.live_only) == (1, 2, 3)
    assert abs(result.mean_difference - 0.003) < 1e-12


def test_a_position_sold_in_parts_is_one_trade_of_its_signal() -> None:
    parts = [trade(1, "0.3", quantity="0.75"), trade(1, "0.1", quantity="0.25")]
    result = compare(parts, [trade(1, "0.4")])
    assert (result.pairs, result.mean_difference) == (1, 0.0)


def test_the_size_of_a_position_doesnt_make_it_better() -> None:
    result = compare([trade(1, "4", quantity="10")], [trade(1, "0.4")])
    assert result.mean_difference == 0.0


def test_the_verdict_says_what_is_known() -> None:
    many = range(30)
    assert compare([], []).verdict == "no closed trades yet"
    assert "too few to tell" in compare([trade(1, "1")], [trade(1, "1")]).verdict
    assert "sandbox 1 net in 1 trade, live 1 net in 1 trade" in compare([trade(1, "1")], [trade(1, "1")]).verdict
    even = [trade(k, "0.5" if k % 2 else "-0.5") for k in many]
    assert "no clear difference" in compare(even, even).verdict
    better = [trade(k, "0.9" if k % 2 else "0.1") for k in many]
    assert "sandbox is better by" in compare(better, even).verdict
    assert "live is better by" in compare(even, better).verdict


trades = st.lists(
    st.builds(trade, st.integers(0, 5), st.decimals(-5, 5, places=3).map(str), st.sampled_from(["A/B", "C/D"])),
    max_size=12,
)


@given(trades, trades)
def test_swapping_the_sides_turns_the_difference_round(left: list[ClosedTrade], right: list[ClosedTrade]) -> None:
    one, other = compare(left, right), compare(right, left)
    assert (one.pairs, one.sandbox, one.live) == (other.pairs, other.live, other.sandbox)
    assert abs(one.mean_difference + other.mean_difference) < 1e-12
    assert one.sandbox.net_pnl == sum((each.pnl_quote for each in left), Decimal(0))


@given(trades)
def test_a_comparison_survives_the_wire(left: list[ClosedTrade]) -> None:
    result = compare(left, [])
    wire = msgspec.json.encode(result)
    assert msgspec.json.decode(wire, type=type(result)) == result
    assert b'"net_pnl":"' in wire
