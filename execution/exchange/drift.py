"""What is new about a venue since it was last looked at: rules that changed, symbols that came or went. Pure.

Both accounts see the same venue, and the sandbox trades on it first: what it says of it is to be read before it matters
for live.
"""

from collections.abc import Mapping
from decimal import Decimal

from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import text

_SAID = {
    "price_tick": "price tick",
    "lot_step": "lot step",
    "lot_min": "least quantity",
    "notional_min": "least order value",
    "taker_fee": "taker fee",
    "trading": "trading",
    "stop_type": "stop orders",
}


def changes(before: Mapping[str, SymbolRules], now: Mapping[str, SymbolRules]) -> list[str]:
    """One sentence for each difference, by symbol; none when nothing was known before."""
    if not before:
        return []
    found = [f"{symbol}: no longer listed" for symbol in sorted(before.keys() - now.keys())]
    found += [f"{symbol}: listed" for symbol in sorted(now.keys() - before.keys())]
    both = before.keys() & now.keys()
    for symbol in sorted(symbol for symbol in both if before[symbol] != now[symbol]):
        for name, words in _SAID.items():
            old, new = getattr(before[symbol], name), getattr(now[symbol], name)
            if old != new:
                found.append(f"{symbol}: {words} {_shown(old)}, now {_shown(new)}")
    return found


def _shown(value: Decimal | bool | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return text(value) if isinstance(value, Decimal) else value or "none"
