"""What a request weighs, by its name and its parameters, as Binance says. Pure. It counts nothing."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

Values = Mapping[str, str]
API = "/api/v3/"
METHOD_USUAL = 2
DEPTH = ((100, 5), (500, 25), (1000, 50))
DEPTH_MOST = 250


def request_weight(method: str, path: str, query: str, usual: int) -> int:
    """Of a REST request; `usual` where it doesn't depend on parameters."""
    rule = RULES.get(f"{method} {path.removeprefix(API)}")
    return usual if rule is None else rule(_lenient(query))


def method_weight(method: str, values: Values) -> int:
    """Of a method of the WebSocket API."""
    rule = RULES.get(SAME_AS.get(method, ""))
    return METHODS.get(method, METHOD_USUAL) if rule is None else rule(values)


def _lenient(query: str) -> Values:
    """The parameters as far as they can be read: what is wrong with them is found later, and costs all the same."""
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


def _depth(values: Values) -> int:
    text = values.get("limit", "100")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 100
    return next((weight for most, weight in DEPTH if limit <= most), DEPTH_MOST)


def _named(values: Values) -> int:
    """How many symbols are asked for; 0 for all."""
    return 1 if "symbol" in values else values["symbols"].count(",") + 1 if "symbols" in values else 0


def _day_ticker(values: Values) -> int:
    count = _named(values)
    return 80 if not count or count > 100 else 40 if count > 20 else 2


def _window_ticker(values: Values) -> int:
    return min(200, 4 * max(1, _named(values)))


def _one_or_all(one: int, every: int) -> Callable[[Values], int]:
    return lambda values: one if "symbol" in values else every


def _rules(values: Values) -> int:
    return min(40, 2 * _named(values)) or 40


RULES: dict[str, Callable[[Values], int]] = {
    "GET depth": _depth,
    "GET ticker/24hr": _day_ticker,
    "GET ticker/tradingDay": _window_ticker,
    "GET ticker": _window_ticker,
    "GET ticker/price": _one_or_all(2, 4),
    "GET ticker/bookTicker": _one_or_all(2, 4),
    "GET executionRules": _rules,
    "GET openOrders": _one_or_all(6, 80),
    "GET myTrades": lambda values: 5 if "orderId" in values else 20,
    "GET myPreventedMatches": lambda values: 20 if "orderId" in values else 2,
    "POST order/test": lambda values: 20 if values.get("computeCommissionRates") == "true" else 1,
}
SAME_AS = {
    "executionRules": "GET executionRules",
    "depth": "GET depth",
    "ticker.24hr": "GET ticker/24hr",
    "ticker.tradingDay": "GET ticker/tradingDay",
    "ticker": "GET ticker",
    "ticker.price": "GET ticker/price",
    "ticker.book": "GET ticker/bookTicker",
    "openOrders.status": "GET openOrders",
    "myTrades": "GET myTrades",
    "myPreventedMatches": "GET myPreventedMatches",
    "order.test": "POST order/test",
}
METHODS = {
    **dict.fromkeys(("ping", "time", "order.place", "order.cancel", "order.cancelReplace"), 1),
    **dict.fromkeys(("orderList.place", "orderList.place.oco", "orderList.place.oto", "orderList.place.otoco"), 1),
    **dict.fromkeys(("openOrders.cancelAll", "orderList.cancel"), 1),
    **dict.fromkeys(("exchangeInfo", "account.status", "account.commission", "allOrders", "allOrderLists"), 20),
    **dict.fromkeys(("order.status", "orderList.status", "order.amend.keepPriority", "order.amendments"), 4),
    **dict.fromkeys(("trades.recent", "trades.historical", "blockTrades.historical"), 25),
    "trades.aggregate": 4,
    "openOrderLists.status": 6,
    **dict.fromkeys(("account.rateLimits.orders", "myFilters"), 40),
    "myAllocations": 20,
}
