"""Between the venue's JSON and our words. Pure. Amounts go from text to Decimal and back, never through a float.

Whatever can't be read raises BadReply naming the field, not the content: the caller then knows nothing, and says so.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from execution.exchange.classify import BadReply
from execution.exchange.trade_bars import TradeRun
from execution.vocabulary import money
from execution.vocabulary.market import Candle, Quote, SymbolRules, Trade
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.order_states import OrderEvent
from execution.vocabulary.orders import STOPS, Balance, Fill, OrderRequest, OrderType, Side

T = TypeVar("T")

_EVENTS = {
    "NEW": OrderEvent.ACKNOWLEDGED,
    "PENDING_NEW": OrderEvent.ACKNOWLEDGED,
    "PENDING_CANCEL": OrderEvent.ACKNOWLEDGED,
    "PARTIALLY_FILLED": OrderEvent.PARTLY_FILLED,
    "FILLED": OrderEvent.FILLED_IN_FULL,
    "CANCELED": OrderEvent.CANCELED,
    "REJECTED": OrderEvent.REJECTED,
    "EXPIRED": OrderEvent.EXPIRED,
    "EXPIRED_IN_MATCH": OrderEvent.EXPIRED,
}

_STOP_TYPES = (OrderType.STOP_LOSS.value, OrderType.STOP_LOSS_LIMIT.value)  # the better one first


class OrderReport(msgspec.Struct, frozen=True):
    """What the venue says of one order. `fills` may be fewer than `executed` adds up to: then they must be fetched."""

    symbol: str
    venue_order_id: str
    client_order_id: str
    event: OrderEvent
    executed: Decimal
    fills: list[Fill]


def market_id(symbol: str) -> str:
    """'BTC/USDT' as the venue writes it."""
    return symbol.replace("/", "")


def order_parameters(request: OrderRequest, client_order_id: str, timestamp_ms: int) -> dict[str, Any]:
    """The order as the venue wants it, amounts in plain digits; the reply must list the fills."""
    parameters: dict[str, Any] = {
        "symbol": market_id(request.symbol),
        "side": request.side.upper(),
        "type": request.type.upper(),
        "quantity": text(request.quantity),
        "newClientOrderId": client_order_id,
        "newOrderRespType": "FULL",
        "timestamp": timestamp_ms,
    }
    if request.type in STOPS:
        parameters["stopPrice"] = text(request.reference_price)
    if request.type in (OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT):
        if request.limit_price is None:
            raise ValueError("a limit order needs a limit price")
        parameters |= {"price": text(request.limit_price), "timeInForce": "IOC" if request.immediate else "GTC"}
    return parameters


def rules_of(exchange_info: Any, taker_fee: Decimal) -> dict[str, SymbolRules]:
    """The venue's rules by symbol. Symbols that can't be traded are listed with `trading` False."""

    def read() -> dict[str, SymbolRules]:
        return {rules.symbol: rules for entry in exchange_info["symbols"] for rules in [_rules(entry, taker_fee)]}

    return _reading("exchangeInfo", read)


def _rules(entry: Mapping[str, Any], taker_fee: Decimal) -> SymbolRules:
    filters = {each["filterType"]: each for each in entry["filters"]}
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    return SymbolRules(
        symbol=f"{entry['baseAsset']}/{entry['quoteAsset']}",
        base=entry["baseAsset"],
        quote=entry["quoteAsset"],
        price_tick=amount(filters["PRICE_FILTER"]["tickSize"]),
        lot_step=amount(filters["LOT_SIZE"]["stepSize"]),
        lot_min=amount(filters["LOT_SIZE"]["minQty"]),
        notional_min=amount(notional["minNotional"]),
        taker_fee=taker_fee,
        trading=entry["status"] == "TRADING",
        stop_type=next((kind for kind in _STOP_TYPES if kind.upper() in entry.get("orderTypes", ())), ""),
    )


def taker_fee_of(account: Any) -> Decimal | None:
    """What this account pays as taker, as a share; None when the venue doesn't say."""
    rates = account.get("commissionRates") if isinstance(account, dict) else None
    if not isinstance(rates, dict) or "taker" not in rates:
        return None
    return _reading("account.commissionRates", lambda: amount(rates["taker"]))


def candles_of(rows: Any) -> list[Candle]:
    """Kline rows, oldest first."""
    return _reading("klines", lambda: [candle_of_row(row) for row in rows])


def candle_of_row(row: list[Any]) -> Candle:
    """One kline row: open time, open, high, low, close, volume, …"""
    return _candle(int(row[0]), row[1], row[2], row[3], row[4], row[5])


def candle_of_stream(kline: Mapping[str, Any]) -> Candle:
    """The `k` of a kline event. Raises BadReply."""
    return _reading(
        "kline", lambda: _candle(int(kline["t"]), kline["o"], kline["h"], kline["l"], kline["c"], kline["v"])
    )


def _candle(open_ms: int, *numbers: str) -> Candle:
    first, high, low, close, volume = (amount(number) for number in numbers)
    if not 0 < low <= min(first, close) <= max(first, close) <= high or volume < 0:
        raise ValueError("a candle whose prices contradict each other")
    return Candle(open_ms, first, high, low, close, volume)


def trade_of_stream(symbol: str, message: Mapping[str, Any], received: float) -> Trade:
    """A trade event. Raises BadReply for what is no trade; whether its price can be true is another question."""
    try:
        number, trade_ms, quantity = message["t"], message["T"], Decimal(message["q"])
        trade = Trade(symbol, number, Decimal(message["p"]), quantity, trade_ms, received)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise BadReply(f"{symbol}: a trade that can't be read: {type(error).__name__} {_hint(error)}") from None
    if type(number) is not int or type(trade_ms) is not int or not quantity.is_finite() or quantity <= 0:
        raise BadReply(f"{symbol}: trade {_hint_of(number)} of {_hint_of(quantity)} at {_hint_of(trade_ms)} is none")
    return trade


def trade_runs_of(rows: Any) -> list[TradeRun]:
    """aggTrades, oldest first."""
    return _reading("aggTrades", lambda: [_trade_run(row) for row in rows])


def _trade_run(row: Mapping[str, Any]) -> TradeRun:
    run = TradeRun(int(row["f"]), int(row["l"]), amount(row["p"]), amount(row["q"]), int(row["T"]))
    if not (0 <= run.first <= run.last and run.price > 0 and run.quantity > 0):
        raise ValueError(f"no trades: {run}")
    return run


def quote_of(symbol: str, bid: str, ask: str, received: float) -> Quote:
    """Best bid and ask. Raises BadReply for a price of zero, not a number, or a crossed book."""
    quote = _reading("quote", lambda: Quote(symbol, amount(bid), amount(ask), received))
    if not 0 < quote.bid <= quote.ask:
        raise BadReply(f"{symbol}: bid {quote.bid} and ask {quote.ask} contradict each other")
    return quote


def balances_of(account: Any) -> dict[str, Balance]:
    """Every currency the account holds anything of."""

    def read() -> dict[str, Balance]:
        held = (Balance(row["asset"], amount(row["free"]), amount(row["locked"])) for row in account["balances"])
        return {balance.currency: balance for balance in held if balance.total != ZERO}

    return _reading("account", read)


def order_report_of(reply: Any, symbol: str) -> OrderReport:
    """An order as it stands, from the reply to POST, GET or DELETE."""

    def read() -> OrderReport:
        client_order_id = reply.get("origClientOrderId") or reply["clientOrderId"]
        venue_order_id = str(reply["orderId"])
        side = Side(reply["side"].lower())
        fills = [
            Fill(
                symbol=symbol,
                trade_id=str(fill["tradeId"]),
                venue_order_id=venue_order_id,
                client_order_id=client_order_id,
                side=side,
                price=amount(fill["price"]),
                quantity=amount(fill["qty"]),
                fee=amount(fill["commission"]),
                fee_currency=fill["commissionAsset"],
                executed_ms=int(reply["transactTime"]),
            )
            for fill in reply.get("fills", [])
        ]
        executed = amount(reply["executedQty"])
        return OrderReport(symbol, venue_order_id, client_order_id, _EVENTS[reply["status"]], executed, fills)

    return _reading("order", read)


def trades_of(rows: Any, symbol: str) -> list[Fill]:
    """Our own trades, oldest first. They don't say our order id: the ledger knows it by the venue's."""

    def read() -> list[Fill]:
        return [
            Fill(
                symbol=symbol,
                trade_id=str(row["id"]),
                venue_order_id=str(row["orderId"]),
                client_order_id=None,
                side=Side.BUY if row["isBuyer"] else Side.SELL,
                price=amount(row["price"]),
                quantity=amount(row["qty"]),
                fee=amount(row["commission"]),
                fee_currency=row["commissionAsset"],
                executed_ms=int(row["time"]),
            )
            for row in rows
        ]

    return _reading("myTrades", read)


def execution_report_of(event: Mapping[str, Any], symbol: str) -> OrderReport:
    """An order's change, from the user stream."""

    def read() -> OrderReport:
        client_order_id = event.get("C") or event["c"]  # a cancel carries its own id, and the order's in C
        venue_order_id = str(event["i"])
        fills = []
        if event["x"] == "TRADE":
            fills.append(
                Fill(
                    symbol=symbol,
                    trade_id=str(event["t"]),
                    venue_order_id=venue_order_id,
                    client_order_id=client_order_id,
                    side=Side(event["S"].lower()),
                    price=amount(event["L"]),
                    quantity=amount(event["l"]),
                    fee=amount(event["n"]),
                    fee_currency=event["N"] or "",
                    executed_ms=int(event["T"]),
                )
            )
        executed = amount(event["z"])
        return OrderReport(symbol, venue_order_id, client_order_id, _EVENTS[event["X"]], executed, fills)

    return _reading("executionReport", read)


def amount(value: Any) -> Decimal:
    """An amount, which the venue must have written as text: a JSON number may have lost digits already."""
    if not isinstance(value, str):
        raise TypeError(f"an amount must be text, not {type(value).__name__}")
    return money.amount(value)


def _reading(place: str, read: Callable[[], T]) -> T:
    """Whatever is wrong with a reply, it is one thing to us: not readable."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise BadReply(f"the venue's {place} can't be read: {type(error).__name__} {_hint(error)}") from None


def _hint(error: Exception) -> str:
    return str(error)[:80]


def _hint_of(value: object) -> str:
    return repr(value)[:40]
