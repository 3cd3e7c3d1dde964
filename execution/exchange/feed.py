"""Market data as it happens. (Signatures; bodies follow.)"""

from collections.abc import Callable, Sequence
from typing import Any

from execution.runtime.clock import Clock
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.market import Candle, Quote


class MarketFeed:
    """Quotes and closed bars. `client_factory` makes a fresh client: a stalled one is thrown away, never reused."""

    def __init__(
        self,
        client_factory: Callable[[], Any],
        symbols: Sequence[str],
        timeframe: str,
        clock: Clock,
        on_bar: Callable[[str, Candle], None],
    ) -> None:
        raise NotImplementedError

    async def warm(self, limit: int) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    def quote(self, symbol: str) -> Quote | None:
        raise NotImplementedError

    @property
    def quotes(self) -> dict[str, Quote]:
        raise NotImplementedError

    def stale_for_s(self) -> float:
        raise NotImplementedError

    def get_health(self) -> ComponentHealth:
        raise NotImplementedError
