"""What self-trade prevention has done, in the JSON shapes of Binance's replies and user stream. Pure."""

from execution.venue.outcome import Prevented, Report
from execution.venue.store import OrderRecord
from execution.venue.symbols import amount_text

Json = dict[str, object]
NO_GROUP = -1  # accounts here belong to no trade group


def taken(order: OrderRecord) -> Json:
    """What an order that is asked for has lost, if anything."""
    if not order.terms.prevented:
        return {}
    quantity = amount_text(order.terms.prevented)
    return {"preventedMatchId": order.terms.prevented_match, "preventedQuantity": quantity}


def part(match: Prevented) -> Json:
    """A trade that wasn't made, as the reply to its taker tells of it."""
    losses = {"takerPreventedQuantity": match.taker_quantity, "makerPreventedQuantity": match.maker_quantity}
    shown = {name: amount_text(quantity) for name, quantity in losses.items() if quantity}
    return {"preventedMatchId": match.id, "makerOrderId": match.maker_id, "price": amount_text(match.price)} | shown


def prevented_match(match: Prevented) -> Json:
    """A row of myPreventedMatches."""
    shown = part(match)
    return {
        "symbol": match.symbol,
        "preventedMatchId": shown.pop("preventedMatchId"),
        "takerOrderId": match.taker_id,
        "makerSymbol": match.symbol,
        "makerOrderId": shown.pop("makerOrderId"),
        "tradeGroupId": NO_GROUP,
        "selfTradePreventionMode": match.mode,
        **shown,
        "transactTime": match.time_ms,
    }


def event_part(report: Report, order: OrderRecord) -> Json:
    """What the user stream adds when an order has lost something."""
    match = report.prevented
    if match is None:
        return {}
    is_maker = match.maker_id == order.id
    last = match.maker_quantity if is_maker else match.taker_quantity
    other = {"u": NO_GROUP, "U": match.taker_id if is_maker else match.maker_id, "Cs": match.symbol}
    return {"v": match.id, "A": amount_text(order.terms.prevented), "B": amount_text(last)} | other
