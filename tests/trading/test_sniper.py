"""Armed conditions: the newest set holds, for as many bars as it says, counted in bars at any speed."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.trading.sniper import Sniper
from tests.trading.world import MINUTE, START_MS, condition


def sniper() -> Sniper:
    return Sniper(MINUTE, ManualClock())


@pytest.mark.parametrize(("bar", "armed"), [(-1, 0), (0, 0), (1, 1), (3, 1), (4, 0)])
def test_a_condition_lives_from_the_bar_after_it_was_made_for_its_time_to_live(bar: int, armed: int) -> None:
    found = sniper()
    found.arm([condition(0, ttl=3)])
    assert len(found.active("BTC/USDT", START_MS + bar * MINUTE)) == armed


def test_a_new_set_replaces_the_old_one_whole() -> None:
    found = sniper()
    assert found.arm([condition(0), condition(0, "ETH/USDT")]) == 2
    assert found.arm([condition(1, "ETH/USDT")]) == 1
    assert found.active("BTC/USDT", START_MS + 2 * MINUTE) == ()
    assert found.arm([]) == 0 and found.held == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"strategy": "astrology"}, "unknown strategy"),
        ({"ttl_bars": 0}, "time to live"),
        ({"score": math.nan}, "finite"),
        ({"params": {"lookback": 20.0}}, "margin_atr"),
        ({"params": {"lookback": math.inf, "margin_atr": 0.25, "atr_window": 14.0}}, "lookback"),
        ({"params": {"lookback": 20.0, "margin_atr": 0.25, "atr_window": 14.0, "luck": 1.0}}, "luck"),
    ],
)
def test_an_unfit_condition_is_not_armed_and_the_others_are(changes: dict[str, object], named: str) -> None:
    found = sniper()
    unfit = msgspec.structs.replace(condition(0, name="bad"), **changes)
    assert found.arm([unfit, condition(0)]) == 1
    health = found.get_health()
    assert health.error_count == 1 and named in health.metrics["last_refusal"]


def test_conditions_come_back_after_a_restart() -> None:
    first, second = sniper(), sniper()
    first.arm([condition(0), condition(5, "ETH/USDT")])
    assert second.restore(msgspec.json.decode(msgspec.json.encode(first.to_state()))) == 2
    assert second.active("ETH/USDT", START_MS + 6 * MINUTE) == first.active("ETH/USDT", START_MS + 6 * MINUTE)


@given(st.integers(-200, 200), st.integers(1, 100), st.integers(-400, 400))
def test_the_time_to_live_is_exact(made: int, ttl: int, bar: int) -> None:
    found = sniper()
    found.arm([condition(made, ttl=ttl)])
    assert bool(found.active("BTC/USDT", START_MS + bar * MINUTE)) == (made < bar <= made + ttl)
