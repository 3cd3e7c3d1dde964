"""A few minutes of each market, with clients of every kind: after every trade all balances together are what was paid
in, to the last digit. `python -m benchmarks.venue_soak` runs whole hours of it."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.venue_soak import ACCOUNTS, SYMBOLS, MoneyError, Result, soak
from execution.runtime.settings import VenueConfig
from execution.venue.accounts import Accounts
from execution.venue.symbols import ORDER_TYPES
from tests.support import rounds
from tests.venue.test_market import recording
from tests.venue.test_trade_file import BINANCE, START, binance, write


def run(folder: Path, market: str, minutes: int = 1, seed: int = 1) -> Result:
    config = VenueConfig(market=market, speed=1.0, seed=seed, symbols=SYMBOLS, history_bars=100)
    return asyncio.run(soak(config, folder, minutes, seed, requests=4, restarts=1))


def recorded_trades(folder: Path) -> Path:
    prices = [60_000 + (i * 7919 % 900) / 10 for i in range(1200)]
    made = [(START + 600 * i, price, 0.001 + i % 7 / 100, i % 3 == 0) for i, price in enumerate(prices)]
    return write(folder, BINANCE, binance(made))


@pytest.mark.parametrize("kind", ["synthetic", "candles", "trades"])
def test_no_market_makes_or_loses_a_digit_whatever_its_clients_do(tmp_path: Path, kind: str) -> None:
    file = {"candles": recording, "trades": recorded_trades}.get(kind)
    market = f"replay:{file(tmp_path)}" if file else kind
    for seed in range(rounds(1)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        result = run(folder, market, seed=seed)
        assert (result.minutes, result.restarts) == (1, 1)
        assert result.trades > 30
        assert set(ORDER_TYPES) < set(result.sent), "every kind was sent"
        assert sum(result.refused.values()) < 0.4 * sum(result.sent.values()), "most of them were good"


def test_a_digit_that_is_lost_is_found_at_the_trade_that_loses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive: Any = Accounts._receive

    def lossy(held: Accounts, taker: str, asset: str, amount: Decimal) -> None:
        lost = Decimal("0.00000001") if (taker, asset) == (ACCOUNTS[1], "BTC") and amount < 1 else 0
        receive(held, taker, asset, amount - lost)

    monkeypatch.setattr(Accounts, "_receive", lossy)
    with pytest.raises(MoneyError, match=r"trade \d+: -0\.00000001 BTC too much"):
        run(tmp_path, "synthetic")


def test_an_order_that_locks_more_than_it_needs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlock: Any = Accounts.unlock

    def forgetful(held: Accounts, account: str, asset: str, amount: Decimal) -> None:
        unlock(held, account, asset, amount - Decimal("0.00000001") if amount > 1 else amount)

    monkeypatch.setattr(Accounts, "unlock", forgetful)
    with pytest.raises((MoneyError, AssertionError)):
        run(tmp_path, "synthetic")
