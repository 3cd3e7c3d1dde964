"""Orders, fills and balances in the exact JSON shapes of Binance's REST replies and user stream. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from execution.venue import prevented_shapes
from execution.venue.accounts import Balance
from execution.venue.outcome import Fill, ListState, Prevented, Report
from execution.venue.settlement import BNB, BNB_SHARE
from execution.venue.store import OrderRecord
from execution.venue.symbols import amount_text

Json = dict[str, object]
ZERO_TEXT = "0.00000000"


def _sizes(order: OrderRecord) -> Json:
    return {
        "price": amount_text(order.price),
        "origQty": amount_text(order.quantity),
        "executedQty": amount_text(order.filled),
        "origQuoteOrderQty": amount_text(order.quote_budget),
        "cummulativeQuoteQty": amount_text(order.filled_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def order_reply(order: OrderRecord, fills: Sequence[Fill], kind: str, prevented: Sequence[Prevented] = ()) -> Json:
    """The reply to a new order: ACK, RESULT or FULL."""
    reply: Json = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.terms.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }
    if kind == "ACK":
        return reply
    reply |= _sizes(order)
    reply |= _stop_part(order) | _strategy(order)
    reply |= {"preventedQuantity": amount_text(order.terms.prevented)} if order.terms.prevented else {}
    reply |= {"preventedMatches": [prevented_shapes.part(match) for match in prevented]} if prevented else {}
    reply |= {"workingTime": order.working_ms, "selfTradePreventionMode": order.terms.prevention}
    if kind == "FULL":
        reply["fills"] = [_fill_part(fill) for fill in fills]
    return reply


def _stop_part(order: OrderRecord) -> Json:
    values = {"stopPrice": order.terms.stop_price, "icebergQty": order.terms.iceberg}
    return {name: amount_text(value) for name, value in values.items() if value}


def _strategy(order: OrderRecord) -> Json:
    values = {"strategyId": order.terms.strategy_id, "strategyType": order.terms.strategy_type}
    return {name: value for name, value in values.items() if value is not None}


def commission_for_order(fees: tuple[Decimal, Decimal], in_bnb: bool) -> Json:
    """What a test order says of its fees. `fees` are (taker, maker) as shares."""
    taker, maker = (amount_text(fee) for fee in fees)
    nothing = {"maker": ZERO_TEXT, "taker": ZERO_TEXT}
    return {
        "standardCommissionForOrder": {"maker": maker, "taker": taker},
        "specialCommissionForOrder": nothing,
        "taxCommissionForOrder": nothing,
        "discount": {
            "enabledForAccount": in_bnb,
            "enabledForSymbol": True,
            "discountAsset": BNB,
            "discount": amount_text(1 - BNB_SHARE),
        },
    }


def _fill_part(fill: Fill) -> Json:
    return {
        "price": amount_text(fill.price),
        "qty": amount_text(fill.quantity),
        "commission": amount_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    }


def order_state(order: OrderRecord) -> Json:
    """An order that is asked for."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.terms.list_id,
        "clientOrderId": order.client_id,
        **_sizes(order),
        "stopPrice": amount_text(order.terms.stop_price),
        "icebergQty": amount_text(order.terms.iceberg),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": not order.terms.waiting,
        "workingTime": order.working_ms,
        "selfTradePreventionMode": order.terms.prevention,
        **prevented_shapes.taken(order),
        **_strategy(order),
    }


def cancel_reply(order: OrderRecord, cancel_id: str) -> Json:
    """The reply to a cancel; the cancel has a client id of its own."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": order.terms.list_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_sizes(order),
        **_stop_part(order),
        **_strategy(order),
        "selfTradePreventionMode": order.terms.prevention,
    }


def order_list(state: ListState) -> Json:
    """An order list that is asked for."""
    return {
        "orderListId": state.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if state.open else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if state.open else "ALL_DONE",
        "listClientOrderId": state.client_id,
        "transactionTime": state.updated_ms,
        "symbol": state.symbol,
        "orders": [
            {"symbol": state.symbol, "orderId": leg.order_id, "clientOrderId": leg.client_id} for leg in state.legs
        ],
    }


def list_reply(state: ListState, order_reports: Sequence[Json]) -> Json:
    """The reply to a new order list, or to its cancel."""
    return order_list(state) | {"orderReports": list(order_reports)}


def list_status(state: ListState, now_ms: int) -> Json:
    """The user stream's word on an order list."""
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": state.symbol,
        "g": state.id,
        "c": "OCO",
        "l": "EXEC_STARTED" if state.open else "ALL_DONE",
        "L": "EXECUTING" if state.open else "ALL_DONE",
        "r": "NONE",
        "C": state.client_id,
        "T": state.updated_ms,
        "O": [{"s": state.symbol, "i": leg.order_id, "c": leg.client_id} for leg in state.legs],
    }


def my_trade(fill: Fill) -> Json:
    """A row of myTrades."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": fill.list_id,
        "price": amount_text(fill.price),
        "qty": amount_text(fill.quantity),
        "quoteQty": amount_text(fill.quote),
        "commission": amount_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def account(
    balances: Mapping[str, Balance], fees: tuple[Decimal, Decimal], uid: int, now_ms: int, omit_zero: bool
) -> Json:
    """The account: what it has and what it pays. `fees` are (taker, maker) as shares."""
    taker, maker = fees
    rows = [
        {"asset": asset, "free": amount_text(held.free), "locked": amount_text(held.locked)}
        for asset, held in sorted(balances.items())
        if not omit_zero or held.free or held.locked
    ]
    rates = {"maker": amount_text(maker), "taker": amount_text(taker), "buyer": ZERO_TEXT, "seller": ZERO_TEXT}
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": rows,
        "permissions": ["SPOT"],
        "uid": uid,
    }


def execution_report(report: Report, order: OrderRecord, now_ms: int) -> Json:
    """The user stream's word on an order."""
    fill = report.fill
    return {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": amount_text(order.quantity),
        "p": amount_text(order.price),
        "P": amount_text(order.terms.stop_price),
        "F": amount_text(order.terms.iceberg),
        "g": order.terms.list_id,
        "C": order.client_id if report.kind == "CANCELED" else "",
        "x": report.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": amount_text(fill.quantity) if fill else ZERO_TEXT,
        "z": amount_text(order.filled),
        "L": amount_text(fill.price) if fill else ZERO_TEXT,
        "n": amount_text(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.id,
        "w": order.status in ("NEW", "PARTIALLY_FILLED") and not order.terms.waiting,
        "m": bool(fill and fill.is_maker),
        "M": False,
        "O": order.created_ms,
        "Z": amount_text(order.filled_quote),
        "Y": amount_text(fill.quote) if fill else ZERO_TEXT,
        "Q": amount_text(order.quote_budget),
        "W": order.working_ms,
        "V": order.terms.prevention,
        **prevented_shapes.event_part(report, order),
        **_strategy_event(order),
    }


def _strategy_event(order: OrderRecord) -> Json:
    values = {"j": order.terms.strategy_id, "J": order.terms.strategy_type}
    return {name: value for name, value in values.items() if value is not None}


def account_position(balances: Iterable[tuple[str, Balance]], now_ms: int) -> Json:
    """The user stream's word on balances that have changed."""
    rows = [{"a": asset, "f": amount_text(held.free), "l": amount_text(held.locked)} for asset, held in balances]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": rows}
