"""Does the trader decide what research decides? Recorded candles pass on the real venue, the real trader trades them,
and its journal is held against the backtest of the same bars: which symbol, strategy and bar, which side, and for exits
why.

python -m benchmarks.parity [--minutes 60] [--speed 600] [--start 1000] [--strategy NAME ...] [--json] FILE

One strategy after the other, with its usual parameters. Every difference must have a cause with a name, and each is
counted. Exit code 1 when one is unexplained, or when nothing was decided. Last of all: how many of the backtest's own
trades, run by itself over the same bars, the trader made too.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.decisions_compared import UNEXPLAINED, Compared, Rules, compare, journal_of
from benchmarks.trading_run import TradingRun, trading
from execution.exchange.venue_reader import VenueReader
from execution.research.backtest import RegimeRules, backtest
from execution.research.bars import bar_of
from execution.research.candles import candle_array
from execution.research.costs import Costs
from execution.research.exit_terms import exits_of, leave_in
from execution.research.regime_rules import manners, regime_codes
from execution.research.strategies import STRATEGIES
from execution.runtime.home import Home
from execution.runtime.settings import Config, RiskConfig, TradingConfig, VenueConfig
from execution.trading.assistants.data_analysis import Universe
from execution.trading.assistants.signal_generation import Signals
from execution.trading.portfolio import Portfolio
from execution.trading.system import TradingSystem
from execution.vocabulary.market import Candle, Condition
from execution.vocabulary.money import ZERO

PAGE = 900
LOOKED_LATE = "the trader looked late: the next bar had closed too (a machine with too little time)"
COOLDOWN_BARS = 5


@dataclass
class Result:
    """One strategy's journal beside research."""

    strategy: str
    minutes: int
    compared: Compared
    backtest_trades: int
    backtest_same: int

    def fields(self) -> dict[str, Any]:
        """In plain values."""
        return {
            "strategy": self.strategy,
            "minutes": self.minutes,
            "decisions": self.compared.decisions,
            "same": self.compared.same,
            "causes": dict(self.compared.causes),
            "backtest_trades": self.backtest_trades,
            "backtest_same": self.backtest_same,
        }


def settings(market: str, speed: float, history: int) -> Config:
    """The usual ones, but for what people count in real time."""
    risk = RiskConfig(orders_per_minute_max=10_000, cooldown_s=COOLDOWN_BARS * 60 / speed)
    return Config(
        venue=VenueConfig(market=market, speed=speed, history_bars=history), trading=TradingConfig(), risk=risk
    )


def rules_of(name: str, candles: Sequence[Candle], taker_fee: Decimal, trading_config: TradingConfig) -> Rules:
    """What trader and research go by. What was paid holds the way in's spread already: fees alone raise the target."""
    rows, strategy = [bar_of(candle) for candle in candles], STRATEGIES[name]
    return Rules(
        rows=rows,
        regimes=regime_codes(rows),
        strategy=strategy,
        manners=manners(strategy.enter_in, leave_in(trading_config)),
        exits=exits_of(trading_config, name, Costs.of(taker_fee, ZERO, ZERO)),
    )


async def parity(config: Config, name: str, minutes: int, folder: Path) -> Result:
    """Trade one strategy alone for so many minutes, and compare."""
    async with trading(Home(folder), config, research=False) as run:
        system = run.system
        armed = system.parts.bars.newest()
        params = STRATEGIES[name].defaults()
        looked = _looks(system)
        system.arm([Condition(name, symbol, name, params, "range", 1.0, at, 10**6) for symbol, at in armed.items()])
        await run.pass_minutes(minutes)
        cycles = system.parts.audit.get_recent_cycles(10**6)
        candles = {symbol: await fetched(run, symbol, config) for symbol in armed}
        decisions = (await run.finish()).decisions
    whole, made, alike = Compared(0, 0, []), 0, 0
    for symbol, bars in candles.items():
        rows = [row for row in decisions if row["symbol"] == symbol]
        refused = {candle.open_ms: LOOKED_LATE for candle in bars if (symbol, candle.open_ms) not in looked}
        refused |= passed_over(cycles, name)
        rules = rules_of(name, bars, config.venue.taker_fee, config.trading)
        part, its, same = _one(rules, rows, refused, bars, armed[symbol])
        whole = Compared(
            whole.decisions + part.decisions, whole.same + part.same, [*whole.differences, *part.differences]
        )
        made, alike = made + its, alike + same
    return Result(name, minutes, whole, made, alike)


def _looks(system: TradingSystem) -> set[tuple[str, int]]:
    """Fills up with every bar on which the strategies spoke: the newest of its symbol at one of the trader's looks."""
    looked, bars, look = set[tuple[str, int]](), system.parts.bars, system.assistants.signals.look

    def noted(fresh: Iterable[str], universe: Universe, held: Portfolio) -> Signals:
        looked.update((symbol, bars.series(symbol).newest_ms) for symbol in fresh)
        return look(fresh, universe, held)

    system.assistants.signals.look = noted  # type: ignore[method-assign,assignment]
    return looked


def _one(
    rules: Rules, decisions: list[dict[str, Any]], refused_at: dict[int, str], candles: list[Candle], armed_ms: int
) -> tuple[Compared, int, int]:
    """One symbol: compared, the backtest's trades since it was armed, and how many of those were made alike."""
    index_of = {candle.open_ms: index for index, candle in enumerate(candles)}
    first = index_of[armed_ms] + 1
    journal = journal_of(decisions, index_of)
    refused = {index_of[at]: why for at, why in refused_at.items() if at in index_of}
    regimes = RegimeRules(rules.regimes, leave_in(TradingConfig()))
    alone = backtest(candle_array(candles), rules.strategy, exits=rules.exits, regimes=regimes)
    made = [pair for pair in zip(alone.entry_index - 1, alone.exit_index, strict=True) if pair[0] >= first]
    alike = sum(int(at in journal and journal[at].left == left) for at, left in made)
    return compare(rules, first, journal, refused), len(made), alike


def passed_over(cycles: Sequence[dict[str, Any]], condition: str) -> dict[int, str]:
    """By bar: why a signal became no order, in the trader's own words."""
    found = {}
    for row in cycles:
        for trigger in row.get("triggered", []):
            if trigger["condition"] == condition:
                whys = [row.get(stage, {}).get(condition) for stage in ("dropped", "refused")]
                whys += [line["outcome"] for line in row.get("entry_orders", []) if not line.get("order")]
                why = next((why for why in whys if why), None) or row.get("reason")
                if why:
                    found[trigger["bar_ms"]] = f"the trader refused it: {why}"
    return found


async def fetched(run: TradingRun, symbol: str, config: Config) -> list[Candle]:
    """All closed bars that the venue has of a symbol, from the history's first on."""
    gateway: Any = run.system.parts.gateway
    reader: VenueReader = gateway.reader
    step_ms, frame = run.system.parts.bars.step_ms, config.trading.timeframe
    newest = run.system.parts.bars.newest()[symbol]
    at, found = newest - (run.minutes + PAGE) * step_ms, list[Candle]()
    while at <= newest and (page := await reader.fetch_candles(symbol, frame, at, PAGE)):
        found += page
        at = page[-1].open_ms + step_ms
    return [candle for candle in found if candle.open_ms <= newest]


def show(console: Console, results: Sequence[Result]) -> None:
    """For people."""
    for one in results:
        compared = one.compared
        console.print(
            f"{one.strategy}: {compared.same} of {compared.decisions} decisions the same in {one.minutes} minutes"
        )
        for cause, count in compared.causes.most_common():
            console.print(f"  {count} × {cause}", markup=False)
        console.print(f"  of the backtest's own {one.backtest_trades} trades {one.backtest_same} from bar to bar")


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="candles of one minute")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--speed", type=float, default=600.0)
    parser.add_argument("--start", type=int, default=1000, help="the candle of the file where trading begins")
    parser.add_argument("--strategy", action="append", choices=sorted(STRATEGIES), help="all when not given")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    words = parser.parse_args(arguments)
    logging.getLogger("nae").addHandler(logging.NullHandler())  # what went wrong is counted and shown
    config, results = settings(f"replay:{words.file.resolve()}", words.speed, words.start), []
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for name in progress.track(words.strategy or sorted(STRATEGIES), description=words.file.name):
            with tempfile.TemporaryDirectory(prefix="nae-parity-") as folder:
                results.append(asyncio.run(parity(config, name, words.minutes, Path(folder))))
    if words.json:
        print(json.dumps([one.fields() for one in results]))
    else:
        show(Console(soft_wrap=True), results)
    causes = sum((one.compared.causes for one in results), Counter[str]())
    return 1 if causes[UNEXPLAINED] or not any(one.compared.decisions for one in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
