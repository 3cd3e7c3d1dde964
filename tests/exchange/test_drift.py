"""What changes at a venue is noticed and said, by rule and by code."""

from decimal import Decimal

import msgspec
import pytest

from execution.exchange.classify import Failure, classify
from execution.exchange.drift import changes
from tests.trading.world import rules_of

BTC, ETH = rules_of("BTC/USDT"), rules_of("ETH/USDT")


def test_every_rule_that_changes_is_named_with_both_values() -> None:
    odd = {"price_tick": "0.1", "lot_step": "1", "lot_min": "2", "notional_min": "50", "taker_fee": "0.002"}
    amounts = {name: Decimal(value) for name, value in odd.items()}
    now = msgspec.structs.replace(BTC, **amounts, trading=False, stop_type="stop_loss")
    found = changes({"BTC/USDT": BTC}, {"BTC/USDT": now})
    assert len(found) == len(odd) + 2
    assert "BTC/USDT: lot step 0.00001, now 1" in found
    assert "BTC/USDT: trading on, now off" in found
    assert "BTC/USDT: stop orders none, now stop_loss" in found


def test_symbols_that_come_and_go_are_named_and_a_first_look_says_nothing() -> None:
    assert changes({"BTC/USDT": BTC}, {"ETH/USDT": ETH}) == ["BTC/USDT: no longer listed", "ETH/USDT: listed"]
    assert changes({}, {"BTC/USDT": BTC}) == [] == changes({"BTC/USDT": BTC}, {"BTC/USDT": BTC})


@pytest.mark.parametrize(
    ("code", "strange"), [(-2010, False), (-1007, False), (-1130, False), (-9999, True), (-1099, True)]
)
def test_a_code_that_no_table_knows_is_strange_and_proves_nothing(code: int, strange: bool) -> None:
    outcome = classify(Failure("X", 400, code, "?"))
    assert outcome.strange is strange
    assert not (strange and outcome.never_executed)
