"""The REST door of the simulated venue: a request's words in, status and JSON out; the account's clock rules."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from tests.simulation.venue import Order, Refusal, SimVenue, Traded, text

BAD_TIME = "Timestamp for this request is outside of the recvWindow."
Words = dict[str, str]


class Door:
    """Answers for one venue."""

    def __init__(self, venue: SimVenue) -> None:
        self.venue = venue

    def answer(self, method: str, path: str, words: Words) -> tuple[int, str]:
        """What the venue makes of a request, now."""
        try:
            if "timestamp" in words:
                self.check_time(words)
            return 200, json.dumps(self._answer(method, path.rpartition("/api/v3/")[2], words))
        except Refusal as no:
            return no.status, json.dumps({"code": no.code, "msg": no.message})

    def check_time(self, words: Words) -> None:
        """As it is checked at the door, and once more right before matching."""
        stamp, now = int(words["timestamp"]), self.venue.now_ms()
        if not (stamp < now + 1000 and now - stamp <= int(words.get("recvWindow", "5000"))):
            raise Refusal(-1021, BAD_TIME)

    def _answer(self, method: str, path: str, words: Words) -> Any:
        venue = self.venue
        match method, path:
            case "GET", "time":
                return {"serverTime": venue.now_ms()}
            case "GET", "exchangeInfo":
                return {"symbols": [_rules(name) for name in venue.prices]}
            case "GET", "account":
                return self._account()
            case "POST", "order":
                return self._place(words)
            case "DELETE", "order":
                order = venue.cancel(words["symbol"], words["origClientOrderId"])
                return _state(order, order.status, order.executed, venue.now_ms()) | {
                    "clientOrderId": f"cancel{order.id}",
                    "origClientOrderId": order.client_id,
                }
            case "GET", "order":
                number = int(words["orderId"]) if "orderId" in words else None
                found = venue.find(words["symbol"], words.get("origClientOrderId"), number, venue.as_of())
                return _state(*found, venue.now_ms())
            case "GET", "myTrades":
                return self._trades(words)
            case "GET", "openOrders":
                return [{"symbol": o.symbol, "clientOrderId": o.client_id} for o in venue.open_orders.values()]
        raise Refusal(-1020, f"This operation is not supported: {method} {path}", 404)

    def _account(self) -> Any:
        as_of = self.venue.as_of()
        held, locked = self.venue.totals(as_of), self.venue.locked(as_of)
        rows = [
            {
                "asset": asset,
                "free": text(amount - locked.get(asset, Decimal(0))),
                "locked": text(locked.get(asset, Decimal(0))),
            }
            for asset, amount in held.items()
        ]
        return {"balances": rows, "commissionRates": {"maker": "0.00100000", "taker": "0.00100000"}}

    def _place(self, words: Words) -> Any:
        price = Decimal(words["price"]) if "price" in words else None
        order = self.venue.place(
            words["symbol"],
            words["side"],
            words["type"],
            Decimal(words["quantity"]),
            price,
            words["newClientOrderId"],
            int(words["timestamp"]),
            Decimal(words["stopPrice"]) if "stopPrice" in words else None,
            words.get("timeInForce") == "IOC",
        )
        fills = [_fill(trade) for trade in order.trades]
        return _state(order, order.status, order.executed, self.venue.now_ms()) | {"fills": fills}

    def _trades(self, words: Words) -> Any:
        as_of = self.venue.as_of()
        rows = [trade for trade in self.venue.trades.get(words["symbol"], []) if trade.at_ms <= as_of]
        if "orderId" in words:
            rows = [trade for trade in rows if trade.order_id == int(words["orderId"])]
        limit = int(words.get("limit", "500"))
        if "fromId" in words:
            return [_my_trade(trade) for trade in rows if trade.trade_id >= int(words["fromId"])][:limit]
        if "startTime" in words:
            return [_my_trade(trade) for trade in rows if trade.at_ms >= int(words["startTime"])][:limit]
        return [_my_trade(trade) for trade in rows][-limit:]


def words_of(query: str) -> Words:
    """The words of a query or a form."""
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True))
    return dict(word.split("=", 1) for word in query.split("&") if word)  # all of ours, and cheaper


def _state(order: Order, status: str, executed: Decimal, now_ms: int) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "clientOrderId": order.client_id,
        "side": order.side,
        "status": status,
        "executedQty": text(executed),
        "transactTime": now_ms,
    }


def _fill(trade: Traded) -> dict[str, Any]:
    return {
        "tradeId": trade.trade_id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "commission": text(trade.fee),
        "commissionAsset": trade.fee_asset,
    }


def _my_trade(trade: Traded) -> dict[str, Any]:
    row = _fill(trade)
    own = {"id": row.pop("tradeId"), "orderId": trade.order_id, "symbol": trade.symbol}
    return row | own | {"isBuyer": trade.side == "BUY", "time": trade.at_ms}


def _rules(name: str) -> dict[str, Any]:
    return {
        "symbol": name,
        "baseAsset": name.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "status": "TRADING",
        "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "stepSize": "0.0001", "minQty": "0.0001"},
            {"filterType": "NOTIONAL", "minNotional": "5"},
        ],
    }
