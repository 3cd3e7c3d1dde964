"""The order path, tried without an order: the venue's `order/test` with the smallest order a symbol allows.

A venue's journal then shows from outside when an account was managed, and by which epoch of its ledger. A probe has no
row in the ledger and is not counted as an order. When to send one is the caller's to decide.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal

from execution.exchange import translate
from execution.exchange.classify import VenueError
from execution.exchange.client import VenueClient
from execution.vocabulary.market import Quote, SymbolRules
from execution.vocabulary.money import text

NOTHING_TO_ASK = "no symbol has both rules and a quote yet"


class OrderPathProbe:
    """Sends probes and counts them. `epoch` is in base 36, as in every client order id."""

    def __init__(self, client: VenueClient, quote: Callable[[str], Quote | None], epoch: str) -> None:
        self.sent = 0
        self.errors = 0
        self.last_error = ""
        self._client = client
        self._quote = quote
        self._epoch = epoch

    async def send(self, number: int, rules: Mapping[str, SymbolRules]) -> str | None:
        """One signed request; None when the venue accepted it, else why it came to nothing."""
        parameters = self._parameters(number, rules)
        if parameters is None:
            return NOTHING_TO_ASK
        self.sent += 1
        try:
            await self._client.call("privatePostOrderTest", parameters)
        except VenueError as error:
            self.errors += 1
            self.last_error = error.outcome.reason
            return self.last_error
        return None

    def _parameters(self, number: int, rules: Mapping[str, SymbolRules]) -> dict[str, str] | None:
        for symbol, rule in rules.items():
            if rule.trading and (quote := self._quote(symbol)) is not None:
                return {
                    "symbol": translate.market_id(symbol),
                    "side": "BUY",
                    "type": "LIMIT",
                    "timeInForce": "GTC",
                    "quantity": text(smallest_quantity(rule, quote.bid)),
                    "price": text(quote.bid),
                    "newClientOrderId": f"{self._epoch}-probe-{number}",
                }
        return None


def smallest_quantity(rules: SymbolRules, price: Decimal) -> Decimal:
    """The least that may be ordered at `price`: on the symbol's step, not below its minimum size or worth."""
    wanted = max(rules.lot_min, rules.notional_min / price)
    return (wanted / rules.lot_step).to_integral_value(ROUND_CEILING) * rules.lot_step
