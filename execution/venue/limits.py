"""How much a client may ask: request weight per minute and address, orders per ten seconds, day and account. Counts in
the venue's own minutes, as Binance does. Pure but for its counters."""

from execution.venue import errors

WEIGHT_PER_MINUTE = 6_000
ORDERS_PER_10_S = 100
ORDERS_PER_DAY = 200_000
ADDRESSES_MAX = 10_000
MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
DAY_MS = 86_400_000


class _Counter:
    """One fixed window of `period_ms`, counted per owner."""

    def __init__(self, period_ms: int, most: int) -> None:
        self.most = most
        self._period_ms = period_ms
        self._window = -1
        self._used: dict[str, int] = {}

    def add(self, owner: str, amount: int, now_ms: int) -> int:
        window = now_ms // self._period_ms
        if window != self._window or len(self._used) > ADDRESSES_MAX:
            self._window = window
            self._used.clear()
        self._used[owner] = self._used.get(owner, 0) + amount
        return self._used[owner]

    def left_s(self, now_ms: int) -> int:
        return (self._period_ms - now_ms % self._period_ms) // 1000 + 1


class RateLimits:
    """The venue's counters."""

    def __init__(self) -> None:
        self._weight = _Counter(MINUTE_MS, WEIGHT_PER_MINUTE)
        self._short = _Counter(TEN_SECONDS_MS, ORDERS_PER_10_S)
        self._day = _Counter(DAY_MS, ORDERS_PER_DAY)

    def spend(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request; what the address has used this minute. Raises 429 (-1003) past the limit."""
        used = self._weight.add(address, weight, now_ms)
        if used > WEIGHT_PER_MINUTE:
            raise errors.too_many_requests(WEIGHT_PER_MINUTE, self._weight.left_s(now_ms))
        return used

    def count_order(self, account: str, now_ms: int) -> tuple[int, int]:
        """Count an order; (in these ten seconds, today). Raises 429 (-1015) past either limit."""
        short = self._short.add(account, 1, now_ms)
        day = self._day.add(account, 1, now_ms)
        if short > ORDERS_PER_10_S or day > ORDERS_PER_DAY:
            raise errors.too_many_orders()
        return short, day

    def order_counts(self, account: str, now_ms: int) -> tuple[int, int]:
        """(orders in these ten seconds, orders today)."""
        return self._short.add(account, 0, now_ms), self._day.add(account, 0, now_ms)


def rate_limits() -> list[dict[str, object]]:
    """The limits as exchangeInfo shows them."""
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_PER_MINUTE}
    return [weight, *order_limits()]


def order_limits() -> list[dict[str, object]]:
    """The order limits as exchangeInfo shows them."""
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_PER_10_S},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_PER_DAY},
    ]
