"""The pictures of docs/trading.md: what a trader did on one market, and what some keys of nae.toml do to the result.

python -m benchmarks.trading_plots [--folder docs] [--minutes 360] [--speed 900] [--seed 7] [--market synthetic]

trading_run.svg: the real trader with real research on the real venue; prices with its purchases and sales, and equity.
trading_keys.svg: each strategy over seeded markets by the backtest, net of all costs, with one key changed at a time.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.line_chart import Curve, Mark, Panel, draw
from benchmarks.trading_run import ENOUGH_CYCLES, TradingRun, trading
from execution.research.backtest import backtest
from execution.research.candles import CandleArray
from execution.research.costs import Costs
from execution.research.exit_terms import exits_of
from execution.research.exits import Exits
from execution.research.strategies import STRATEGIES
from execution.runtime.home import Home
from execution.runtime.settings import Config, RiskConfig, TradingConfig, VenueConfig
from execution.venue.synthetic import SyntheticMarket
from execution.vocabulary.orders import Fill, Side

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
SHOWN = SYMBOLS[0]
COOLDOWN_BARS = 5
SEEDS, BARS = range(1, 9), 3_000
COSTS = Costs(half_spread=0.00015)


@dataclass
class Seen:
    """What was sampled once a market minute."""

    price: list[tuple[float, float]]
    equity: list[tuple[float, float]]


async def run(market: str, minutes: int, speed: float, seed: int, folder: Path) -> tuple[Seen, list[Mark], str]:
    """Trade, and note price and equity each minute."""
    risk = RiskConfig(orders_per_minute_max=10_000, cooldown_s=COOLDOWN_BARS * 60 / speed)
    venue = VenueConfig(market=market, speed=speed, seed=seed, symbols=SYMBOLS)
    seen = Seen([], [])
    async with trading(Home(folder), Config(venue=venue, risk=risk)) as running:
        known: dict[str, int] = {}

        def note(minute: int) -> None:
            _note(running, seen, minute)
            known.update(
                dict.fromkeys((fill.trade_id for fill in _fills(running) if fill.trade_id not in known), minute)
            )

        await running.pass_minutes(minutes, note)
        fills = _fills(running)
        outcome = await running.finish()
    marks = [Mark(known[fill.trade_id], float(fill.price), fill.side is Side.BUY) for fill in fills]
    net = f"{len(outcome.trades)} trades on {len(SYMBOLS)} symbols, {outcome.won} won, {outcome.money.by_fills:.2f} net"
    return seen, marks, net


def _note(running: TradingRun, seen: Seen, minute: int) -> None:
    if seen.equity and seen.equity[-1][0] == minute:
        return
    bars = running.system.parts.bars.series(SHOWN).candles
    if bars:
        seen.price.append((minute, float(bars[-1].close)))
        seen.equity.append((minute, float(running.system.manager.portfolio().equity)))


def _fills(running: TradingRun) -> list[Fill]:
    return [fill for fill in running.ledger.fills(limit=ENOUGH_CYCLES) if fill.symbol == SHOWN]


def markets() -> list[CandleArray]:
    """The candles that keys are tried on."""
    return [
        np.array([market.bar("BTCUSDT", index) for index in range(BARS)], dtype=np.float64)
        for market in (SyntheticMarket(seed, (SHOWN,)) for seed in SEEDS)
    ]


def net_by(values: Sequence[float], change: Callable[[Exits, float], Exits], candles: list[CandleArray]) -> list[Curve]:
    """Mean net return of a trade, in per cent, for each strategy and each value of a key."""
    curves = []
    for name, strategy in STRATEGIES.items():
        points = []
        for value in values:
            exits = change(exits_of(TradingConfig(), name, COSTS), value)
            net = np.concatenate([backtest(bars, strategy, exits=exits, costs=COSTS).net for bars in candles])
            points.append((value * 100, float(net.mean()) * 100 if len(net) else 0.0))
        curves.append(Curve(name, points))
    return curves


def keys_picture() -> str:
    """What stop, target and trailing distance do."""
    candles = markets()
    shares = [step / 1000 for step in range(2, 21)]
    panels = [
        Panel("stop_loss", net_by(shares, lambda exits, value: replace(exits, stop=value), candles)),
        Panel("profit_target, costs added", net_by(shares, lambda exits, value: replace(exits, target=value), candles)),
        Panel("trailing_distance", net_by(shares, lambda exits, value: replace(exits, trail_distance=value), candles)),
    ]
    title = f"Mean net return of a trade (%), {len(SEEDS)} synthetic markets of {BARS} bars, all costs counted"
    return draw(title, "the key's value, in per cent of the price", panels)


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(__file__).resolve().parents[1] / "docs")
    parser.add_argument("--minutes", type=int, default=360)
    parser.add_argument("--speed", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--market", default="synthetic")
    words = parser.parse_args(arguments)
    logging.getLogger("nae").addHandler(logging.NullHandler())  # what went wrong is shown in the picture's numbers
    with tempfile.TemporaryDirectory(prefix="nae-plots-") as folder:
        going = run(words.market, words.minutes, words.speed, words.seed, Path(folder))
        seen, marks, net = asyncio.run(going)
    panels = [
        Panel(f"{SHOWN}: bought (green), sold (red)", [Curve("", seen.price)], marks),
        Panel("equity, open positions included (USDT)", [Curve("", seen.equity)]),
    ]
    title = f"{words.market}, seed {words.seed}: {net}"
    (words.folder / "trading_run.svg").write_text(draw(title, "market minutes", panels))
    (words.folder / "trading_keys.svg").write_text(keys_picture())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
