"""What the public may see, as JSON shapes: books, tickers, trades, klines. Pure reading of exchange and market; the
same values go out by REST and by stream."""

from decimal import Decimal
from functools import partial

from execution.venue.book import OrderBook
from execution.venue.candles import Kline
from execution.venue.exchange import Exchange
from execution.venue.market_state import MarketState, Tick
from execution.venue.symbols import AVERAGE_MINUTES, Symbol, amount_text, e8_text

Json = dict[str, object]
MINUTE_MS = 60_000
DAY_MS = 86_400_000
WINDOWS_MS = {"1h": 3_600_000, "4h": 14_400_000, "1d": DAY_MS}  # of rolling tickers by stream
WINDOW_KEYS = ("s", "p", "P", "o", "h", "l", "c", "w", "v", "q", "O", "C", "F", "L", "n")
REFERENCE_BUCKETS = 5
NOTHING = (0, 0)


class MarketData:
    """Public facts about every symbol."""

    def __init__(self, exchange: Exchange, market: MarketState) -> None:
        self.symbols = exchange.listed
        self.market = market
        self._exchange = exchange
        self.ticker_events = {"ticker": self.ticker_event, "miniTicker": self.mini_ticker_event}
        self.ticker_events |= {f"ticker_{window}": partial(self._window_event, window) for window in WINDOWS_MS}

    def book(self, name: str) -> OrderBook:
        """A symbol's book, to read."""
        return self._exchange.engine.books[name]

    def version(self, name: str) -> int:
        """The book's update id."""
        return self.book(name).version

    def depth(self, name: str, limit: int) -> Json:
        """The book's levels, best first, and its update id."""
        symbol, book = self.symbols[name], self.book(name)
        bids, asks = level_texts(symbol, book.bids(limit)), level_texts(symbol, book.asks(limit))
        return {"lastUpdateId": book.version, "bids": bids, "asks": asks}

    def best(self, name: str) -> tuple[str, str, str, str]:
        """Bid price and quantity, ask price and quantity."""
        symbol, book = self.symbols[name], self.book(name)
        bid, ask = book.best_bid() or NOTHING, book.best_ask() or NOTHING
        price, quantity = symbol.price_text, symbol.quantity_text
        return price(bid[0]), quantity(bid[1]), price(ask[0]), quantity(ask[1])

    def book_ticker(self, name: str) -> Json:
        """The best bid and ask as REST gives them."""
        bid, bid_size, ask, ask_size = self.best(name)
        return {"symbol": name, "bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}

    def last_price(self, name: str) -> str:
        """The market's price now."""
        return self.symbols[name].price_text(self._exchange.engine.last_ticks[name])

    def trades(self, name: str, limit: int) -> list[Json]:
        """The last trades on the tape, oldest first."""
        return [self._trade(self.symbols[name], tick) for tick in list(self.market.tape[name])[-limit:]]

    def _trade(self, symbol: Symbol, tick: Tick) -> Json:
        trade = tick.trade
        return {
            "id": trade.id,
            "price": symbol.price_text(trade.ticks),
            "qty": symbol.quantity_text(trade.lots),
            "quoteQty": amount_text(symbol.value(trade.ticks, trade.lots)),
            "time": tick.time_ms,
            "isBuyerMaker": trade.buyer_is_maker,
            "isBestMatch": True,
        }

    def aggregate_trades(
        self, name: str, limit: int, from_id: int | None, start_ms: int | None, end_ms: int | None
    ) -> list[Json]:
        """Trades on the tape; every trade is an aggregate of its own."""
        symbol = self.symbols[name]
        ticks = [
            tick
            for tick in self.market.tape[name]
            if (from_id is None or tick.trade.id >= from_id)
            and (start_ms is None or tick.time_ms >= start_ms)
            and (end_ms is None or tick.time_ms <= end_ms)
        ]
        ticks = ticks[:limit] if from_id is not None or start_ms is not None else ticks[-limit:]
        return [self.aggregate_trade(symbol, tick) for tick in ticks]

    @staticmethod
    def aggregate_trade(symbol: Symbol, tick: Tick) -> Json:
        """One trade as aggTrades and its stream give it."""
        trade = tick.trade
        return {
            "a": trade.id,
            "p": symbol.price_text(trade.ticks),
            "q": symbol.quantity_text(trade.lots),
            "f": trade.id,
            "l": trade.id,
            "T": tick.time_ms,
            "m": trade.buyer_is_maker,
            "M": True,
        }

    def average_price(self, name: str) -> Json:
        """The price over the last minutes of market time, weighted by volume."""
        average, candles = self.symbols[name].average, self.market.candles
        price = e8_text(int(average * self.symbols[name].tick_e8)) if average else self.last_price(name)
        return {"mins": AVERAGE_MINUTES, "price": price, "closeTime": candles.now_ms()}

    def reference_price(self, name: str) -> Json | None:
        """The mean of the last closing prices; None before there is any."""
        symbol, candles = self.symbols[name], self.market.candles
        found = candles.select(name, candles.step_ms, None, candles.now_ms() - candles.step_ms, REFERENCE_BUCKETS)
        if not found:
            return None
        price = sum(kline.bar.close * symbol.tick_e8 for kline in found) // len(found)
        return {"symbol": name, "referencePrice": e8_text(price), "timestamp": candles.now_ms()}

    def ticker(self, name: str) -> Json:
        """The 24-hour ticker as REST gives it."""
        symbol, day = self.symbols[name], self._day(name)
        bid, bid_size, ask, ask_size = self.best(name)
        tape = self.market.tape[name]
        first_id, last_id = (tape[0].trade.id, tape[-1].trade.id) if tape else (-1, -1)
        change, percent, average = _change(symbol, day)
        return {
            "symbol": name,
            "priceChange": change,
            "priceChangePercent": percent,
            "weightedAvgPrice": average,
            "prevClosePrice": symbol.price_text(day.bar.open),
            "lastPrice": self.last_price(name),
            "lastQty": symbol.quantity_text(tape[-1].trade.lots if tape else 0),
            "bidPrice": bid,
            "bidQty": bid_size,
            "askPrice": ask,
            "askQty": ask_size,
            "openPrice": symbol.price_text(day.bar.open),
            "highPrice": symbol.price_text(day.bar.high),
            "lowPrice": symbol.price_text(day.bar.low),
            "volume": e8_text(day.bar.volume_e8),
            "quoteVolume": e8_text(day.quote_e8(symbol)),
            "openTime": day.open_ms,
            "closeTime": day.close_ms,
            "firstId": first_id,
            "lastId": last_id,
            "count": day.parts,
        }

    def ticker_since(self, name: str, open_ms: int) -> Json:
        """The same sums over another span: from `open_ms`, as far back as there are candles, to now."""
        symbol, candles = self.symbols[name], self.market.candles
        span_ms = candles.now_ms() + candles.step_ms - open_ms
        kline = candles.kline_at(name, span_ms, open_ms) or self._day(name)
        change, percent, average = _change(symbol, kline)
        sums = {"priceChange": change, "priceChangePercent": percent, "weightedAvgPrice": average}
        sums |= {"openPrice": symbol.price_text(kline.bar.open), "highPrice": symbol.price_text(kline.bar.high)}
        sums |= {"lowPrice": symbol.price_text(kline.bar.low), "lastPrice": self.last_price(name)}
        sums |= {"volume": e8_text(kline.bar.volume_e8), "quoteVolume": e8_text(kline.quote_e8(symbol))}
        day = self.ticker(name)
        ids = {key: day[key] for key in ("firstId", "lastId")}
        return {"symbol": name, **sums, "openTime": open_ms, "closeTime": candles.now_ms(), **ids, "count": kline.parts}

    def _day(self, name: str) -> Kline:
        day = self.market.candles.last_day(name)
        assert day is not None, "a market begins with at least one closed candle"
        return day

    def ticker_event(self, name: str, now_ms: int) -> Json:
        """The 24-hour ticker as its stream gives it."""
        ticker = self.ticker(name)
        return {"e": "24hrTicker", "E": now_ms} | {short: ticker[long] for short, long in TICKER_NAMES.items()}

    def mini_ticker_event(self, name: str, now_ms: int) -> Json:
        """The small 24-hour ticker as its stream gives it."""
        ticker = self.ticker(name)
        short = {key: ticker[TICKER_NAMES[key]] for key in ("s", "c", "o", "h", "l", "v", "q")}
        return {"e": "24hrMiniTicker", "E": now_ms} | short

    def _window_event(self, window: str, name: str, now_ms: int) -> Json:
        length_ms = WINDOWS_MS[window]
        whole_day = length_ms == DAY_MS
        ticker = self.ticker(name) if whole_day else self.ticker_since(name, self._minute_before(length_ms))
        short = {key: ticker[TICKER_NAMES[key]] for key in WINDOW_KEYS}
        return {"e": f"{window}Ticker", "E": now_ms} | short

    def _minute_before(self, length_ms: int) -> int:
        open_ms = self.market.candles.now_ms() - length_ms
        return open_ms - open_ms % MINUTE_MS


TICKER_NAMES = {
    "s": "symbol",
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "c": "lastPrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}


def level_texts(symbol: Symbol, levels: list[tuple[int, int]]) -> list[list[str]]:
    """Book levels as [price, quantity]."""
    return [[symbol.price_text(ticks), symbol.quantity_text(lots)] for ticks, lots in levels]


def _change(symbol: Symbol, day: Kline) -> tuple[str, str, str]:
    """(price change, in percent, average price) of a day."""
    change = symbol.price(day.bar.close) - symbol.price(day.bar.open)
    percent = change / symbol.price(day.bar.open) * 100
    volume = day.bar.volume_e8
    average = Decimal(day.quote_e8(symbol)) / volume if volume else symbol.price(day.bar.close)
    return amount_text(change), f"{percent:.3f}", f"{average:.8f}"
