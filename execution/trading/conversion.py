"""Money that came in another currency becomes the quote currency while the account trades (`[trading] convert`):
directly, or in two sales over a bridge, by the saga of `nae liquidate`, which goes on where a crash has cut it off.

What is held as a position of ours is never touched, nor what an order is under way for, nor what is to be kept
(`convert_keep`). While it sells, nothing else is sent on the markets that it uses.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from execution.runtime.settings import TradingConfig
from execution.trading.assistants.order_execution import OrderExecutionAssistant
from execution.trading.liquidation_plan import bridges, step
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import text

if TYPE_CHECKING:  # a trader whose exchange isn't reached yet needs none of that
    from execution.trading.liquidation import Liquidated
    from execution.trading.parts import TradingParts

CONVERT_WITHIN_S = 20.0
BY = "the setting trading.convert"
Convert = Callable[[Collection[str], Collection[str]], Awaitable["Liquidated"]]
"""Sell these currencies, on any market but these."""


def convertible(
    balances: Mapping[str, Decimal],
    busy: Collection[str],
    rules: Mapping[str, SymbolRules],
    quote_of: Callable[[str], Quote | None],
    config: TradingConfig,
) -> dict[str, Decimal]:
    """What is held and isn't the quote currency, by currency. `busy`: symbols of positions and of orders under way;
    their currencies are left alone. What is known to be too little for an order is left out."""
    taken = {name for symbol in busy for name in symbol.split("/")}
    found = {}
    for currency, amount in sorted(balances.items()):
        if amount <= 0 or currency in {config.quote, *config.convert_keep, *taken}:
            continue
        direct = rules.get(f"{currency}/{config.quote}")
        if direct is None and not bridges(currency, rules, config.quote):
            continue
        quoted = None if direct is None else quote_of(direct.symbol)
        if direct is not None and quoted is not None and step(amount, direct, {direct.symbol: quoted}) is None:
            continue
        found[currency] = amount
    return found


def markets_of(currencies: Collection[str], rules: Mapping[str, SymbolRules], quote: str) -> set[str]:
    """Every market that turning these into the quote currency may use."""
    found = set()
    for currency in currencies:
        found |= {f"{currency}/{quote}"} & rules.keys()
        for bridge in bridges(currency, rules, quote):
            found |= {f"{currency}/{bridge}", f"{bridge}/{quote}"}
    return found


class Converter:
    """One account's; `parts.convert` runs the saga."""

    def __init__(self, config: TradingConfig, parts: "TradingParts", execution: OrderExecutionAssistant) -> None:
        self._config = config
        self._ledger = parts.ledger
        self._audit = parts.audit
        self._convert = parts.convert
        self._execution = execution
        self._left: dict[str, Decimal] = {}  # what could not be sold, by the amount that was tried

    @property
    def wanted(self) -> bool:
        """Is it switched on?"""
        return self._config.convert and self._convert is not None

    async def look(self, rules: Mapping[str, SymbolRules], quote_of: Callable[[str], Quote | None]) -> list[str]:
        """Sell what there is; the orders that did. What can't be sold is tried again when its amount has changed."""
        if self._convert is None or not self._config.convert:
            return []
        busy = self._execution.blocked() | self._ledger.positions().keys()
        busy |= {order.symbol for order in self._ledger.unsettled()}
        found = convertible(self._ledger.balances(), busy, rules, quote_of, self._config)
        found = {name: amount for name, amount in found.items() if self._left.get(name) != amount}
        if not found:
            return []
        used = markets_of(found, rules, self._config.quote)
        with ExitStack() as alone:
            for symbol in sorted(used - busy):
                alone.enter_context(self._execution.alone_with(symbol))
            told = await self._convert(list(found), busy)
        balances = self._ledger.balances()
        tried = {*self._left, *found} if told.done else ()
        self._left = {name: balances[name] for name in tried if balances.get(name)}
        fields: dict[str, Any] = {
            "had": {name: text(amount) for name, amount in found.items()},
            "sold": told.sold,
            "left": told.left,
            "problem": told.problem,
        }
        self._audit.record("conversion", **fields)
        return told.sold
