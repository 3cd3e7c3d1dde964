"""Whatever is written and looked at, in any order: a ledger opened with a follower equals one opened without."""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.ledger.fold import AccountFold
from execution.ledger.following import LedgerFollower
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import Fill, Side
from execution.vocabulary.performance import ClosedTrade
from execution.vocabulary.reasons import ExitReason
from tests.ledger.builders import fill, request
from tests.ledger.pairs import SYMBOLS, copy_of, opened, told_by

trades = st.tuples(
    st.just("trade"),
    st.sampled_from(SYMBOLS),
    st.sampled_from(Side),
    st.integers(1, 4),
    st.integers(0, 60),
    st.booleans(),
)
STEPS = st.one_of(
    trades,
    trades,
    trades,
    st.tuples(st.just("batch"), st.lists(trades, min_size=2, max_size=5)),
    st.just(("look",)),
    st.just(("look",)),
    st.just(("reopen",)),
    st.just(("intent",)),
    st.tuples(st.just("cash"), st.integers(-500, 500)),
    st.tuples(st.just("steps"), st.sampled_from(SYMBOLS), st.sampled_from(["0.01", "0.02", "0.00001"])),
    st.tuples(st.just("state"), st.sampled_from(TradingState)),
)


class Story:
    """Plays steps on one ledger, with a follower beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.follower = LedgerFollower(folder / "ledger.db")
        self.follower.catch_up()
        self.ledger = opened(folder)
        self.ids = {symbol: list(range(5, 105)) for symbol in SYMBOLS}

    def play(self, step: tuple[Any, ...]) -> None:
        kind, *rest = step
        if kind == "trade":
            self.ledger.record_fill(self.fill_of(*rest))
        elif kind == "batch":
            self.ledger.record_fills([self.fill_of(*each[1:]) for each in rest[0]])
        elif kind == "look":
            self.follower.catch_up()
            assert self.follower.positions() == self.ledger.positions()
            assert self.follower.books.fold.balances == self.ledger.balances()
        elif kind == "reopen":
            self.ledger.close()
            self.ledger = opened(self.folder)
        elif kind == "intent":
            self.ledger.record_intent(request())
        elif kind == "cash":
            self.ledger.record_cash_flow("USDT", Decimal(rest[0]), "deposit")
        elif kind == "steps":
            self.ledger.set_lot_steps({rest[0]: Decimal(rest[1])})
        else:
            self.ledger.set_trading_state(rest[0], "so it is", "test")

    def fill_of(self, symbol: str, side: Side, hundredths: int, place: int, ours: bool) -> Fill:
        """Trade ids are taken from anywhere among those left, so fills come late, and two symbols' at the same time."""
        trade = self.ids[symbol].pop(min(place, len(self.ids[symbol]) - 1))
        quantity, order = str(Decimal(hundredths) / 100), None
        if ours:
            order = self.ledger.record_intent(request(side, quantity, symbol=symbol))
            self.ledger.mark(order, OrderEvent.SENT)
        fee_currency = symbol[:3] if trade % 3 == 0 else "USDT"
        made = fill(trade, order, side, quantity, str(100 + trade), "0.001", fee_currency, order or "else", symbol)
        return msgspec.structs.replace(made, executed_ms=trade // 20)  # many at the same time


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_a_ledger_opened_with_a_follower_equals_one_opened_without(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("story")
    story = Story(folder / "live")
    for step in steps:
        story.play(step)
    story.ledger.close()
    alone = opened(copy_of(story.ledger.path, folder / "copy"))
    followed = opened(folder / "live", story.follower)
    assert told_by(followed) == told_by(alone)
    followed.close()
    alone.close()


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(SYMBOLS)), max_size=30), st.randoms())
def test_closed_trades_stand_in_the_same_order_however_many_come_at_a_time(
    closings: list[tuple[int, str]], chance: Random
) -> None:
    """One symbol's trades close in order; those of several symbols are taken in one symbol after the other."""
    trades = [closed_trade(symbol, at_ms) for at_ms, symbol in sorted(closings, key=lambda one: one[0])]
    whole, bit_by_bit = AccountFold(closed=sorted(trades, key=lambda trade: trade.symbol)), AccountFold()
    whole.closed_in_time()
    while trades:
        taken, trades = trades[: (count := chance.randint(1, 4))], trades[count:]
        bit_by_bit.closed += sorted(taken, key=lambda trade: trade.symbol)
        bit_by_bit.closed_in_time()
    assert bit_by_bit.closed == whole.closed


def closed_trade(symbol: str, closed_ms: int) -> ClosedTrade:
    one = Decimal(1)
    return ClosedTrade(symbol, "trend", 0, one, one, one, one, one, 0, closed_ms, ExitReason.STOP_LOSS)
