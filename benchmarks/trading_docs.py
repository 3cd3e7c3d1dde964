"""The tables of docs/trading.md, made from what the code goes by: keys, bounds and defaults from settings.py, their
effects from nae.toml, exits, regimes, strategies and reasons from their own modules.

python -m benchmarks.trading_docs [--check]: writes them between their marks; with --check it only says whether they are
up to date (exit code 1 when not). A test does the same.
"""

import re
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execution.console.no_trade import SENTENCES
from execution.research.regime import SIZE_SHARES, Regime
from execution.research.strategies import STRATEGIES
from execution.runtime.settings import CHOICES, RANGES, RiskConfig, TradingConfig, UniverseConfig
from execution.vocabulary.reasons import EXIT_RULES, ExitReason, NoTradeReason

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "trading.md"
SECTIONS: dict[str, type[msgspec.Struct]] = {"trading": TradingConfig, "universe": UniverseConfig, "risk": RiskConfig}
KEY_LINE = re.compile(r"^#? ?(\w+) = (.*?)(?:\s+# (.*))?$")
EFFECTS = {  # of keys that nae.toml says nothing of, or whose sentence there goes on from line to line
    "trading.trade_mode": "paper trades on the embedded venue; dry_run decides and sends nothing",
    "trading.reallocate": "whether the weakest position is sold for a clearly better entry when no room is left",
    "trading.reallocate_margin": "how much better the entry's rank must be, besides what leaving costs",
    "trading.reallocate_after_bars": "how old, in closed bars, a position must be to be given up",
    "trading.reallocations_per_hour": "the most that are given up within an hour of market time",
    "trading.reinvest": "compound lets all profit trade; harvest puts a share of every new high of it aside",
    "trading.harvest_share": "that share; it is never spent on entries, and nae status shows it",
    "trading.convert_keep": "other currencies that are never converted",
    "trading.trailing_start": "once the price was this far above what was paid, a stop follows it; higher: later",
    "trading.trailing_distance": "how far below the highest closed bar that stop stands; it never falls. 0: none",
    "universe.age_min_bars": "no entry where fewer closed bars are known: a market listed a moment ago",
    "universe.tier1_order_share": "tier 1: an order is at most this share of what a usual bar trades",
    "universe.tier2_order_share": "the same for tier 2",
    "universe.tier1_spread": "tier 1: the spread is at most this",
    "universe.tier2_spread": "the same for tier 2",
    "universe.tier1_bars": "tier 1: at least so many closed bars are known",
    "universe.tier2_bars": "the same for tier 2",
    "universe.tier2_size": "the share of the usual size that an entry gets in tier 2",
    "universe.tier3_size": "the same in tier 3: all the rest that may be entered",
    "risk.daily_loss_max": "an account that lost this share of itself since midnight (UTC) is halted: exits only",
    "risk.weekly_loss_max": "the same since Monday (UTC)",
    "risk.drawdown_max": "the same since its highest; only a person's nae arm leaves a halt",
    "risk.losses_in_row_max": "after so many lost trades of a symbol in a row there is no entry in it",
    "risk.cooldown_s": "for so long after the last of them",
    "trading.stop_loss": "a position is sold when the price is this far below what was paid",
    "trading.time_exit_bars": "a position is sold after so many closed bars",
    "trading.spread_max": "no entry where bid and ask are further apart, as a share of the price",
    "trading.profit_target": "a position is sold at this profit, net of all costs",
    "risk.order_value_max": "the most that one order may be worth",
    "risk.position_value_max": "the most that one position may be worth",
    "risk.exposure_max": "the most that all positions together may be worth",
    "risk.open_positions_max": "the most positions at a time",
    "risk.orders_per_minute_max": "the most entries within a minute",
}


def effects(text: str) -> dict[str, str]:
    """What nae.toml says of each key, by section and name. A comment goes on in lines that hold nothing else."""
    found: dict[str, str] = {}
    section = last = ""
    for line in text.splitlines():
        if header := re.match(r"^#?\s*\[(\w+)\]", line):
            section, last = header.group(1), ""
        elif last and (more := re.match(r"^\s+# (.*)$", line)):
            found[last] = f"{found[last]} {more.group(1)}".strip()
        elif match := KEY_LINE.match(line):
            last = f"{section}.{match.group(1)}"
            found[last] = match.group(3) or ""
    return found | EFFECTS


def shown(value: Any) -> str:
    """A default as nae.toml would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return (
        f'"{value}"' if isinstance(value, str) else format(value, "f") if isinstance(value, Decimal) else f"{value:g}"
    )


def bounds(name: str) -> str:
    """Where a key's value must lie."""
    if name in CHOICES:
        return " or ".join(f'"{choice}"' for choice in CHOICES[name])
    known = RANGES.get(name)
    if known is None:
        return ""
    low = f"> {known.above:g}" if known.above is not None else f"≥ {known.least:g}" if known.least is not None else ""
    return ", ".join(part for part in (low, f"≤ {known.most:g}" if known.most is not None else "") if part)


def keys_table(section: str, told: dict[str, str]) -> str:
    """All keys of a section."""
    rows = []
    for field in msgspec.structs.fields(SECTIONS[section]):
        name = f"{section}.{field.name}"
        effect = told.get(name, "")
        rows.append(
            (f"`{field.name}`", f"`{shown(field.default)}`", bounds(name), effect.strip(". ").replace("|", "/"))
        )
    return table(("key", "default", "bounds", "effect"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def exits_table() -> str:
    """Why a position is sold, by precedence."""
    rows = [(str(number), f"`{reason}`", EXIT_RULES[reason]) for number, reason in enumerate(ExitReason, 1)]
    return table(("", "reason", "when"), rows)


def regimes_table() -> str:
    """What each kind of market allows."""
    leave = TradingConfig().exit_regimes
    rows = [
        (
            f"`{regime}`",
            f"{SIZE_SHARES[regime]:%}" if SIZE_SHARES[regime] else "no entry",
            ", ".join(name for name, one in STRATEGIES.items() if regime in one.enter_in) or "none",
            "sold" if regime in leave else "kept",
        )
        for regime in Regime
    ]
    return table(("regime", "size of an entry", "who may enter", "a position entered in a better one is"), rows)


def strategies_table() -> str:
    """The strategies, their parameters and what they ask of their exits."""
    rows = []
    for name, one in STRATEGIES.items():
        params = ", ".join(f"{param.name} {param.default:g} ({param.low:g} to {param.high:g})" for param in one.params)
        asked = {"target": one.own.target, "stop": one.own.stop, "bars": one.own.bars}
        own = ", ".join(f"{what} {value:g}" for what, value in asked.items() if value is not None)
        rows.append((f"`{name}`", params, own or "as the account's"))
    return table(("strategy", "parameters: default (research may try)", "exits of its own"), rows)


def no_trade_table() -> str:
    """Why a cycle bought and sold nothing."""
    return table(("reason", "what it means"), [(f"`{reason}`", SENTENCES[reason]) for reason in NoTradeReason])


def blocks(toml: str) -> dict[str, str]:
    """All tables by the name of their mark."""
    told = effects(toml)
    made = {f"keys of [{section}]": keys_table(section, told) for section in SECTIONS}
    return made | {
        "exits": exits_table(),
        "regimes": regimes_table(),
        "strategies": strategies_table(),
        "reasons not to trade": no_trade_table(),
    }


def renewed(page: str, made: dict[str, str], by: str = "benchmarks.trading_docs") -> str:
    """The page with every table anew that the command `by` makes. KeyError when a mark is missing."""
    for name, block in made.items():
        start, end = f"<!-- {name}: made by python -m {by} -->", f"<!-- end of {name} -->"
        if start not in page or end not in page:
            raise KeyError(f"the page has no marks for {name!r}")
        before, _, rest = page.partition(start)
        page = f"{before}{start}\n{block}\n{end}{rest.partition(end)[2]}"
    return page


def main(arguments: Sequence[str]) -> int:
    """The command."""
    page = PAGE.read_text()
    fresh = renewed(page, blocks((ROOT / "nae.toml").read_text()))
    if "--check" in arguments:
        print("up to date" if fresh == page else "docs/trading.md is old: python -m benchmarks.trading_docs")
        return int(fresh != page)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
