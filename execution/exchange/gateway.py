"""The one way to the exchange. (Signatures; bodies follow.)"""

from collections.abc import Callable, Sequence
from typing import Any

from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.config import RiskConfig
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.market import Candle, Quote, SymbolRules
from execution.vocabulary.modes import TradeMode
from execution.vocabulary.orders import Balance, Fill, OrderOutcome, OrderRequest, OrderRow


class ExchangeGateway:
    """Rules, candles, quotes, balances, orders."""

    def __init__(
        self,
        client: Any,
        ledger: Ledger,
        limits: RiskConfig,
        clock: Clock,
        *,
        trade_mode: TradeMode,
        quote: Callable[[str], Quote | None],
    ) -> None:
        raise NotImplementedError

    async def load_rules(self) -> dict[str, SymbolRules]:
        raise NotImplementedError

    async def fetch_candles(self, symbol: str, timeframe: str, since_ms: int | None, limit: int) -> list[Candle]:
        raise NotImplementedError

    async def fetch_quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        raise NotImplementedError

    async def fetch_balances(self) -> dict[str, Balance]:
        raise NotImplementedError

    async def place(self, request: OrderRequest) -> OrderOutcome:
        raise NotImplementedError

    async def cancel(self, client_order_id: str) -> OrderRow:
        raise NotImplementedError

    async def settle_unknown(self) -> list[OrderRow]:
        raise NotImplementedError

    async def fetch_new_fills(self, symbol: str) -> list[Fill]:
        raise NotImplementedError

    def get_health(self) -> ComponentHealth:
        raise NotImplementedError
