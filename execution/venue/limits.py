"""How much a client may ask: request weight and requests per address, connections per address, orders per account.
Counts in the venue's own minutes, as Binance does. Pure but for its counters."""

from typing import NoReturn

from execution.venue import errors

WEIGHT_PER_MINUTE = 6_000
REQUESTS_PER_5_MIN = 61_000
CONNECTIONS_PER_5_MIN = 300
CONNECTION_WEIGHT = 2
ORDERS_PER_10_S = 100
ORDERS_PER_DAY = 200_000
ADDRESSES_MAX = 10_000
MINUTE_MS = 60_000
FIVE_MINUTES_MS = 300_000
TEN_SECONDS_MS = 10_000
DAY_MS = 86_400_000
REFUSED_BEFORE_BAN = 50  # requests of a minute that are refused with 429, before the next is a ban
BAN_FIRST_S = 120
BAN_MOST_S = 259_200


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
        self._requests = _Counter(FIVE_MINUTES_MS, REQUESTS_PER_5_MIN)
        self._connections = _Counter(FIVE_MINUTES_MS, CONNECTIONS_PER_5_MIN)
        self._short = _Counter(TEN_SECONDS_MS, ORDERS_PER_10_S)
        self._day = _Counter(DAY_MS, ORDERS_PER_DAY)
        self._refused = _Counter(MINUTE_MS, REFUSED_BEFORE_BAN)
        self._bans: dict[str, tuple[int, int]] = {}  # address -> (until when, how often)

    def spend(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request; what the address has used this minute. Raises 429 past the limit, 418 when it goes on."""
        self._check_ban(address, now_ms)
        used = self._weight.add(address, weight, now_ms)
        if self._requests.add(address, 1, now_ms) > REQUESTS_PER_5_MIN:
            self._refuse(
                address, now_ms, errors.too_many(REQUESTS_PER_5_MIN, "requests", self._requests.left_s(now_ms))
            )
        if used > WEIGHT_PER_MINUTE:
            self._refuse(address, now_ms, errors.too_many_requests(WEIGHT_PER_MINUTE, self._weight.left_s(now_ms)))
        return used

    def connect(self, address: str, now_ms: int) -> None:
        """Count a WebSocket connection that is asked for. Raises 429 past the limit, 418 when it goes on."""
        self._check_ban(address, now_ms)
        self._weight.add(address, CONNECTION_WEIGHT, now_ms)
        if self._connections.add(address, 1, now_ms) > CONNECTIONS_PER_5_MIN:
            self._refuse(
                address, now_ms, errors.too_many(CONNECTIONS_PER_5_MIN, "connections", self._connections.left_s(now_ms))
            )

    def _refuse(self, address: str, now_ms: int, refusal: errors.ApiError) -> NoReturn:
        if self._refused.add(address, 1, now_ms) > self._refused.most:
            self._ban(address, now_ms)
        raise refusal

    def _check_ban(self, address: str, now_ms: int) -> None:
        until_ms, _ = self._bans.get(address, (0, 0))
        if now_ms < until_ms:
            raise errors.banned((until_ms - now_ms) // 1000 + 1, until_ms)

    def _ban(self, address: str, now_ms: int) -> None:
        """From two minutes, twice as long each time, up to three days."""
        times = self._bans.get(address, (0, 0))[1] + 1
        if len(self._bans) > ADDRESSES_MAX:
            self._bans.clear()
        self._bans[address] = (now_ms + 1000 * min(BAN_MOST_S, BAN_FIRST_S * 2 ** (times - 1)), times)
        self._check_ban(address, now_ms)

    def count_order(self, account: str, now_ms: int) -> tuple[int, int]:
        """Count an order; (in these ten seconds, today). Raises 429 (-1015) past either limit."""
        short = self._short.add(account, 1, now_ms)
        day = self._day.add(account, 1, now_ms)
        if short > ORDERS_PER_10_S or day > ORDERS_PER_DAY:
            raise errors.too_many_orders()
        return short, day

    def weight_used(self, address: str, now_ms: int) -> int:
        """What an address has used this minute."""
        return self._weight.add(address, 0, now_ms)

    def order_counts(self, account: str, now_ms: int) -> tuple[int, int]:
        """(orders in these ten seconds, orders today)."""
        return self._short.add(account, 0, now_ms), self._day.add(account, 0, now_ms)


def rate_limits() -> list[dict[str, object]]:
    """The limits as exchangeInfo shows them."""
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_PER_MINUTE}
    raw = {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": REQUESTS_PER_5_MIN}
    return [weight, *order_limits(), raw]


def order_limits() -> list[dict[str, object]]:
    """The order limits as exchangeInfo shows them."""
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_PER_10_S},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_PER_DAY},
    ]
