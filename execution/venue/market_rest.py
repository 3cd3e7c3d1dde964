"""What anybody can ask about the market by REST, without a key. One function per request: parameters in, JSON out."""

import re
from collections.abc import Callable

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.limits import rate_limits
from execution.venue.market_data import DAY_MS, Json, MarketData
from execution.venue.parameters import Parameters
from execution.venue.symbols import BREAK, exchange_info

Values = dict[str, str]
DEPTH_MOST = 5000
MINUTE_MS = 60_000
WINDOW_FORM = re.compile(r"[0-9]{1,2}[mhd]")
WINDOW_UNITS = {"m": (MINUTE_MS, 59), "h": (60 * MINUTE_MS, 23), "d": (DAY_MS, 7)}  # length, how many at most
WINDOW_PARAMETERS = ("symbol", "symbols", "windowSize", "type", "timeZone", "symbolStatus")


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
        names = self._names(Parameters(values, allowed)) or list(self._data.symbols)
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
        name = parameters.symbol(self._data.symbols)
        candles = self._data.market.candles
        interval_ms = candles.interval_ms(parameters.required("interval"))
        span = (parameters.integer("startTime"), parameters.integer("endTime"))
        found = candles.select(name, interval_ms, *span, parameters.limit(500, 1000))
        return [kline.row(self._data.symbols[name]) for kline in found]

    def depth(self, values: Values) -> object:
        """GET depth."""
        parameters = Parameters(values, ("symbol", "limit", "symbolStatus"))
        return self._data.depth(parameters.symbol(self._data.symbols), parameters.limit(100, DEPTH_MOST))

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
        names = self._names(parameters)
        if not names:
            raise errors.missing("symbol")
        return make(names[0]) if "symbol" in parameters else [make(name) for name in names]

    def _names(self, parameters: Parameters) -> list[str] | None:
        return parameters.symbol_list(self._data.symbols)

    def _each(self, values: Values, make: Callable[[str], Json]) -> object:
        parameters = Parameters(values, ("symbol", "symbols", "type", "symbolStatus"))
        parameters.choice("type", ("FULL", "MINI"), errors.illegal_characters("type", "FULL|MINI"))
        names = self._names(parameters)
        if "symbol" in parameters and names:
            return make(names[0])
        return [make(name) for name in names or self._data.symbols]
