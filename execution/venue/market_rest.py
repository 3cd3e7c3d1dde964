"""What anybody can ask about the market by REST, without a key. One function per request: parameters in, JSON out."""

import re
from collections.abc import Callable

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.limits import rate_limits
from execution.venue.market_data import DAY_MS, MINUTE_MS, REFERENCE_BUCKETS, Json, MarketData
from execution.venue.parameters import Parameters
from execution.venue.symbols import BREAK, TRADING, exchange_info

Values = dict[str, str]
DEPTH_MOST = 5000
WINDOW_FORM = re.compile(r"[0-9]{1,2}[mhd]")
WINDOW_UNITS = {"m": (MINUTE_MS, 59), "h": (60 * MINUTE_MS, 23), "d": (DAY_MS, 7)}  # length, how many at most
WINDOW_PARAMETERS = ("symbol", "symbols", "windowSize", "type", "timeZone", "symbolStatus")
UTC = ("0", "+0", "-0", "00:00", "+00:00", "-00:00", "0:00", "+0:00", "-0:00")
STATUSES = (TRADING, "HALT", BREAK)
MINI_LEAVES_OUT = frozenset(
    (
        *("priceChange", "priceChangePercent", "weightedAvgPrice", "prevClosePrice", "lastQty"),
        *("bidPrice", "bidQty", "askPrice", "askQty"),
    )
)


class MarketRest:
    """The requests. Each takes its parameters; raises ApiError."""

    def __init__(self, data: MarketData, clock: Clock) -> None:
        self._data = data
        self._clock = clock

    def ping(self, values: Values) -> object:
        """GET ping."""
        Parameters(values, ())
        return {}

    def time(self, values: Values) -> object:
        """GET time: real time, whatever the market's."""
        Parameters(values, ())
        return {"serverTime": self._clock.now_ms()}

    def exchange_info(self, values: Values) -> object:
        """GET exchangeInfo, of all symbols or of some."""
        allowed = ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus")
        parameters = Parameters(values, allowed)
        if "symbolStatus" in parameters and ("symbol" in parameters or "symbols" in parameters):
            raise errors.bad_combination()
        names = self._names(parameters)
        return {
            "timezone": "UTC",
            "serverTime": self._clock.now_ms(),
            "rateLimits": rate_limits(),
            "exchangeFilters": [],
            "symbols": [exchange_info(self._data.symbols[name]) for name in names],
        }

    def klines(self, values: Values) -> object:
        """GET klines."""
        parameters = Parameters(values, ("symbol", "interval", "startTime", "endTime", "timeZone", "limit"))
        _check_time_zone(parameters)
        name = parameters.symbol(self._data.symbols)
        candles = self._data.market.candles
        interval_ms = candles.interval_ms(parameters.required("interval"))
        span = (parameters.integer("startTime"), parameters.integer("endTime"))
        found = candles.select(name, interval_ms, *span, parameters.limit(500, 1000))
        return [kline.row(self._data.symbols[name]) for kline in found]

    def execution_rules(self, values: Values) -> object:
        """GET executionRules: which prices an order may trade at. No symbol here has such a rule."""
        parameters = Parameters(values, ("symbol", "symbols", "symbolStatus"))
        if sum(name in parameters for name in ("symbol", "symbols", "symbolStatus")) > 1:
            raise errors.bad_combination()
        return {"symbolRules": [{"symbol": name, "rules": []} for name in self._names(parameters)]}

    def reference_price(self, values: Values) -> object:
        """GET referencePrice: the mean of the last closing prices. Raises -2043 before there is any."""
        price = self._data.reference_price(Parameters(values, ("symbol",)).symbol(self._data.symbols))
        if price is None:
            raise errors.no_reference_price()
        return price

    def reference_price_calculation(self, values: Values) -> object:
        """GET referencePrice/calculation: how it is made."""
        parameters = Parameters(values, ("symbol", "symbolStatus"))
        parameters.required("symbol")
        (name,) = self._names(parameters)
        means = {"bucketCount": REFERENCE_BUCKETS, "bucketWidthMs": self._data.market.candles.step_ms}
        return {"symbol": name, "calculationType": "ARITHMETIC_MEAN"} | means

    def depth(self, values: Values) -> object:
        """GET depth."""
        parameters = Parameters(values, ("symbol", "limit", "symbolStatus"))
        parameters.required("symbol")
        (name,) = self._names(parameters)
        return self._data.depth(name, parameters.limit(100, DEPTH_MOST))

    def trades(self, values: Values) -> object:
        """GET trades."""
        parameters = Parameters(values, ("symbol", "limit"))
        return self._data.trades(parameters.symbol(self._data.symbols), parameters.limit(500, 1000))

    def historical_trades(self, values: Values) -> object:
        """GET historicalTrades: as far back as the tape goes."""
        parameters = Parameters(values, ("symbol", "fromId", "limit"))
        name, first, most = (
            parameters.symbol(self._data.symbols),
            parameters.integer("fromId"),
            parameters.limit(500, 1000),
        )
        if first is None:
            return self._data.trades(name, most)
        return [trade for trade in self._data.trades(name, 1000) if int(str(trade["id"])) >= first][:most]

    def block_trades(self, values: Values) -> object:
        """GET historicalBlockTrades: there are none here."""
        Parameters(values, ("symbol", "fromId", "limit")).symbol(self._data.symbols)
        return []

    def nothing(self, values: Values) -> object:
        """What this exchange hasn't got."""
        Parameters(values, ("symbols", "symbol"))
        return []

    def system_status(self, values: Values) -> object:
        """GET sapi/v1/system/status: 1 while every market is closed."""
        Parameters(values, ())
        closed = all(symbol.status == BREAK for symbol in self._data.symbols.values())
        return {"status": int(closed), "msg": "system_maintenance" if closed else "normal"}

    def aggregate_trades(self, values: Values) -> object:
        """GET aggTrades."""
        parameters = Parameters(values, ("symbol", "fromId", "startTime", "endTime", "limit"))
        span = (parameters.integer("fromId"), parameters.integer("startTime"), parameters.integer("endTime"))
        name = parameters.symbol(self._data.symbols)
        return self._data.aggregate_trades(name, parameters.limit(500, 1000), *span)

    def average_price(self, values: Values) -> object:
        """GET avgPrice."""
        return self._data.average_price(Parameters(values, ("symbol",)).symbol(self._data.symbols))

    def ticker_day(self, values: Values) -> object:
        """GET ticker/24hr."""
        return self._each(values, self._data.ticker)

    def ticker_price(self, values: Values) -> object:
        """GET ticker/price."""
        return self._each(values, lambda name: {"symbol": name, "price": self._data.last_price(name)})

    def book_ticker(self, values: Values) -> object:
        """GET ticker/bookTicker."""
        return self._each(values, self._data.book_ticker)

    def ticker_window(self, values: Values) -> object:
        """GET ticker: over the last minutes, hours or days."""
        text = Parameters(values, WINDOW_PARAMETERS).text("windowSize", WINDOW_FORM) or "1d"
        unit_ms, most = WINDOW_UNITS[text[-1]]
        if not 1 <= int(text[:-1]) <= most:
            raise errors.illegal_characters("windowSize", "1m to 59m, 1h to 23h, 1d to 7d")
        open_ms = self._data.market.candles.now_ms() - int(text[:-1]) * unit_ms
        return self._some(values, lambda name: self._data.ticker_since(name, open_ms - open_ms % MINUTE_MS))

    def ticker_trading_day(self, values: Values) -> object:
        """GET ticker/tradingDay: since midnight, UTC, of market time."""
        now_ms = self._data.market.candles.now_ms()
        return self._some(values, lambda name: self._data.ticker_since(name, now_ms - now_ms % DAY_MS))

    def _some(self, values: Values, make: Callable[[str], Json]) -> object:
        parameters = Parameters(values, WINDOW_PARAMETERS)
        _check_time_zone(parameters)
        if "symbol" not in parameters and "symbols" not in parameters:
            raise errors.missing("symbol")
        return self._tickers(parameters, make)

    def _each(self, values: Values, make: Callable[[str], Json]) -> object:
        return self._tickers(Parameters(values, ("symbol", "symbols", "type", "symbolStatus")), make)

    def _tickers(self, parameters: Parameters, make: Callable[[str], Json]) -> object:
        """One ticker for `symbol`, else a list; type=MINI leaves out what compares and what is quoted."""
        kind = parameters.choice("type", ("FULL", "MINI"), errors.illegal_characters("type", "FULL|MINI"))
        rows = [make(name) for name in self._names(parameters)]
        if kind == "MINI":
            rows = [{key: value for key, value in row.items() if key not in MINI_LEAVES_OUT} for row in rows]
        return rows[0] if "symbol" in parameters else rows

    def _names(self, parameters: Parameters) -> list[str]:
        """The symbols a request names, or all; of the wanted status. Raises -1220 for the one of another."""
        found = parameters.symbol_list(self._data.symbols) or list(self._data.symbols)
        wanted = parameters.choice("symbolStatus", STATUSES, errors.ApiError(-1122, "Invalid symbolStatus."))
        if wanted is None:
            return found
        matching = [name for name in found if self._data.symbols[name].status == wanted]
        if "symbol" in parameters and not matching:
            raise errors.other_status()
        return matching


def _check_time_zone(parameters: Parameters) -> None:
    """Days begin at midnight, UTC; another time zone is refused, for its candles would be others."""
    parameters.choice("timeZone", UTC, errors.illegal_characters("timeZone", "0"))
