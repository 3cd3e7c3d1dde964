"""Everything we read from the venue over REST, in our words: rules, candles, quotes, balances, orders, trades.

Sends no orders and writes nothing. Each method raises VenueError when the request fails and BadReply when the answer
can't be read; an answer that is missing is never taken for an empty one.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from execution.exchange import translate
from execution.exchange.classify import BadReply
from execution.exchange.client import VenueClient
from execution.exchange.large_answers import entries, left_as_text
from execution.exchange.trade_bars import TradeRun
from execution.vocabulary.market import Candle, Quote, SymbolRules
from execution.vocabulary.orders import STOPS, Balance, Fill, Side

PAGE = 1_000
DEFAULT_TAKER_FEE = Decimal("0.001")
_STOPS = frozenset(kind.value.upper() for kind in STOPS)


class Standing(NamedTuple):
    """An open order, whoever sent it. `protects`: it is a stop that only sells, by the venue's word."""

    symbol: str  # the venue's
    client_order_id: str
    protects: bool


class VenueReader:
    """Reads through one client. `symbols` limits what is asked for; empty means whatever the venue has."""

    def __init__(self, client: VenueClient, symbols: Sequence[str] = ()) -> None:
        self.client = client
        self._symbols = tuple(symbols)

    async def load_rules(self) -> dict[str, SymbolRules]:
        """The venue's rules by symbol, with this account's own fee when there is a key to ask for it. The fee is known
        from the last look at the account, if there was one."""
        parameters = {"symbols": _json_list(self._symbols)} if self._symbols else {}
        with left_as_text():  # and who may trade what, half of the answer, is nothing to us
            info = await self.client.call("publicGetExchangeInfo", parameters | {"showPermissionSets": "false"})
        if self.client.apiKey and self.client.taker_fee is None:
            await self._account()
        fee = DEFAULT_TAKER_FEE if self.client.taker_fee is None else self.client.taker_fee
        if not isinstance(info, str):
            return translate.rules_of(info, fee)
        rules: dict[str, SymbolRules] = {}
        for some in entries(info, "symbols"):
            rules |= translate.rules_of({"symbols": some}, fee)
            await self.client.budget.clock.sleep(0)  # ticks and exits come first
        return rules

    async def fetch_candles(self, symbol: str, timeframe: str, since_ms: int | None, limit: int) -> list[Candle]:
        """Closed bars, oldest first: from `since_ms` on, or the last ones; at most `limit` (up to 999).

        The venue's last row is the bar in progress. Whether it is closed can't be told by a clock when market time runs
        faster than real time, so there it is left out: the stream delivers it, or the next call.
        """
        parameters: dict[str, Any] = {
            "symbol": translate.market_id(symbol),
            "interval": timeframe,
            "limit": min(limit + 1, PAGE),
        }
        if since_ms is not None:
            parameters["startTime"] = since_ms
        rows = await self.client.call("publicGetKlines", parameters)
        if not isinstance(rows, list):
            raise BadReply("the venue's klines aren't a list")
        page_is_full = since_ms is not None and len(rows) > limit
        closed = rows if self._last_is_closed(rows) else rows[:-1]
        return translate.candles_of(closed[:limit] if page_is_full else closed[-limit:])

    def _last_is_closed(self, rows: list[Any]) -> bool:
        if not rows or self.client.embedded:
            return False
        try:
            return self.client.venue_clock.surely_past(int(rows[-1][6]))
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise BadReply(f"a kline row can't be read: {type(error).__name__}") from None

    async def fetch_quotes(self, symbols: Sequence[str]) -> dict[str, Quote]:
        """Best bid and ask of each symbol; one whose quote makes no sense is left out."""
        wanted = {translate.market_id(symbol): symbol for symbol in symbols}
        parameters = {"symbols": _json_list(tuple(symbols))}
        rows = await self.client.call("publicGetTickerBookTicker", parameters)
        now = self.client.budget.clock.monotonic()
        quotes = {}
        for row in rows if isinstance(rows, list) else []:
            symbol = wanted.get(row.get("symbol", "")) if isinstance(row, dict) else None
            if symbol is None:
                continue
            try:
                quotes[symbol] = translate.quote_of(symbol, row["bidPrice"], row["askPrice"], now)
            except (BadReply, KeyError):
                continue  # an empty book has no quote: the symbol just isn't quoted now
        return quotes

    async def fetch_trade_runs(self, symbol: str, from_ms: int, until_ms: int, pages: int) -> list[TradeRun]:
        """Everybody's trades between two market times, both included, oldest first: at most so many pages of them."""
        runs: list[TradeRun] = []
        parameters: dict[str, Any] = {"startTime": from_ms, "endTime": until_ms}
        for _ in range(pages):
            asked = {"symbol": translate.market_id(symbol), "limit": PAGE, **parameters}
            rows = await self.client.call("publicGetAggTrades", asked)
            if not isinstance(rows, list):
                raise BadReply("the venue's aggTrades aren't a list")
            runs += translate.trade_runs_of(rows)
            if len(rows) < PAGE or runs[-1].trade_ms > until_ms:
                break
            parameters = {"fromId": rows[-1]["a"] + 1}
        return runs

    async def fetch_balances(self) -> dict[str, Balance]:
        """Every currency the account holds anything of."""
        return translate.balances_of(await self._account())

    async def _account(self) -> Any:
        account = await self.client.call("privateGetAccount", {"omitZeroBalances": "true"})
        self.client.taker_fee = translate.taker_fee_of(account)
        return account

    async def fetch_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> translate.OrderReport:
        """One order as it stands, by our id or by the venue's. VenueError NOT_FOUND when the venue knows none."""
        parameters = {"symbol": translate.market_id(symbol)}
        if client_order_id is not None:
            parameters["origClientOrderId"] = client_order_id
        if venue_order_id is not None:
            parameters["orderId"] = venue_order_id
        return translate.order_report_of(await self.client.call("privateGetOrder", parameters), symbol)

    async def fetch_order_fills(self, symbol: str, venue_order_id: str) -> list[Fill]:
        """All trades of one order."""
        parameters = {"symbol": translate.market_id(symbol), "orderId": venue_order_id}
        return translate.trades_of(await self.client.call("privateGetMyTrades", parameters), symbol)

    async def fetch_trades(
        self, symbol: str, from_id: str | None = None, since_ms: int | None = None, limit: int = PAGE
    ) -> list[Fill]:
        """Our trades on one symbol, oldest first: from a trade id on, or from a time on, or the newest."""
        parameters: dict[str, Any] = {"symbol": translate.market_id(symbol), "limit": limit}
        if from_id is not None:
            parameters["fromId"] = from_id
        elif since_ms is not None:
            parameters["startTime"] = since_ms
        return translate.trades_of(await self.client.call("privateGetMyTrades", parameters), symbol)

    async def fetch_open_orders(self) -> list[tuple[str, str]]:
        """(venue's symbol, client order id) of every open order on the account."""
        return [(row.symbol, row.client_order_id) for row in await self.fetch_standing()]

    async def fetch_standing(self, symbol: str = "") -> list[Standing]:
        """Every open order on the account, or on one symbol."""
        rows = await self.client.call("privateGetOpenOrders", {"symbol": translate.market_id(symbol)} if symbol else {})
        if not isinstance(rows, list):
            raise BadReply("the venue's open orders aren't a list")
        try:
            return [Standing(row["symbol"], row["clientOrderId"], _protects(row)) for row in rows]
        except (TypeError, KeyError) as error:
            raise BadReply(f"an open order can't be read: {type(error).__name__}") from None


def _protects(row: dict[str, Any]) -> bool:
    return row["side"] == Side.SELL.value.upper() and row["type"] in _STOPS


def _json_list(symbols: tuple[str, ...]) -> str:
    return "[" + ",".join(f'"{translate.market_id(symbol)}"' for symbol in symbols) + "]"
