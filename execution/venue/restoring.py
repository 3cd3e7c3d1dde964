"""Open orders and order lists from the store back into the books. What can't go back, because its market is gone or has
other steps now, ends, and the money it held is free again."""

import logging
from collections.abc import Iterable, Mapping
from decimal import Decimal

from execution.venue import errors, filters
from execution.venue.accounts import Accounts
from execution.venue.book import BUY, EXPIRED, NO_LIST, Order
from execution.venue.engine import Engine
from execution.venue.outcome import ListState
from execution.venue.store import USUAL, OrderRecord, Store, Terms
from execution.venue.symbols import Symbol

log = logging.getLogger("nae.venue")


def restore_orders(engine: Engine, store: Store, now_ms: int) -> tuple[list[OrderRecord], list[ListState]]:
    """Fill the engine's books; the orders and lists that have ended. Raises DatabaseError."""
    found = {record.id: (record, to_order(record, engine.symbols)) for record in store.open_orders()}
    lost_lists = {record.terms.list_id for record, order in found.values() if order is None} - {NO_LIST}
    lost: list[OrderRecord] = []
    for record, order in found.values():
        if order is None or record.terms.list_id in lost_lists:
            lost.append(record)
        else:
            engine.restore(order)
    ended = []
    for state in store.order_lists():
        first, second = (found[leg.order_id][1] if leg.order_id in found else None for leg in state.legs)
        if state.id in lost_lists or first is None or second is None:
            ended.append(state._replace(open=False, updated_ms=now_ms))
        else:
            engine.restore_list(state, (first, second))
    _give_back(engine.accounts, engine.symbols, lost)
    return [record._replace(status=EXPIRED, updated_ms=now_ms) for record in lost], ended


def to_order(record: OrderRecord, symbols: Mapping[str, Symbol]) -> Order | None:
    """A stored open order for its book; None when its market is gone or has other steps now."""
    symbol = symbols.get(record.symbol)
    if symbol is None:
        return None
    try:
        ticks = _ticks(record.price, symbol)
        stop_ticks = _ticks(record.terms.stop_price, symbol)
        lots = filters.to_steps("quantity", record.quantity, symbol.lot, symbol.most_lots, "LOT_SIZE")
    except errors.ApiError:
        return None
    return Order(
        record.id,
        record.account,
        record.symbol,
        record.client_id,
        record.side,
        record.type,
        record.time_in_force,
        ticks,
        lots,
        record.created_ms,
        quote_budget=record.quote_budget,
        filled_lots=int(record.filled / symbol.lot),
        filled_quote=record.filled_quote,
        status=record.status,
        updated_ms=record.updated_ms,
        stop_ticks=stop_ticks,
        waiting=record.terms.waiting,
        working_ms=record.working_ms,
        prevention=record.terms.prevention,
        list_id=record.terms.list_id,
        prevented_lots=int(record.terms.prevented / symbol.lot),
        prevented_match=record.terms.prevented_match,
        strategy_id=record.terms.strategy_id,
        strategy_type=record.terms.strategy_type,
        iceberg_lots=int(record.terms.iceberg / symbol.lot),
        shown_lots=int(record.terms.shown / symbol.lot),
    )


def to_record(symbol: Symbol, order: Order) -> OrderRecord:
    """An order as it is stored and shown."""
    words = (order.id, order.account, order.symbol, order.client_id, order.side, order.type, order.time_in_force)
    amounts = (symbol.price(order.ticks), symbol.quantity(order.lots), order.quote_budget)
    filled = (symbol.quantity(order.filled_lots), order.filled_quote)
    prevention = (order.prevention, order.list_id, symbol.quantity(order.prevented_lots), order.prevented_match)
    iceberg = (symbol.quantity(order.iceberg_lots), symbol.quantity(order.shown_lots))
    rare = (*prevention, order.strategy_id, order.strategy_type, *iceberg)
    terms = USUAL
    if order.stop_ticks or rare != USUAL[3:]:
        terms = Terms(symbol.price(order.stop_ticks), order.waiting, order.working_ms, *rare)
    return OrderRecord(*words, *amounts, *filled, order.status, order.created_ms, order.updated_ms, terms)


def _ticks(price: Decimal, symbol: Symbol) -> int:
    return filters.to_steps("price", price, symbol.tick, symbol.most_ticks, "PRICE_FILTER") if price else 0


def _give_back(accounts: Accounts, symbols: Mapping[str, Symbol], lost: Iterable[OrderRecord]) -> None:
    """What the lost orders locked is free again; the two of a list locked what the dearer of them needs."""
    alone: list[tuple[OrderRecord, Decimal]] = []
    by_list: dict[int, tuple[OrderRecord, Decimal]] = {}
    for record in lost:
        needed = record.quantity - record.filled - record.terms.prevented
        if record.side == BUY:
            needed *= record.price or record.terms.stop_price
        list_id = record.terms.list_id
        if list_id == NO_LIST or record.filled:
            alone.append((record, needed))
        elif list_id not in by_list or by_list[list_id][1] < needed:
            by_list[list_id] = (record, needed)
        log.warning("an open order's market is gone", extra={"fields": {"order": record.id, "symbol": record.symbol}})
    for record, needed in [*alone, *by_list.values()]:
        accounts.unlock(record.account, _asset(accounts, symbols.get(record.symbol), record, needed), needed)


def _asset(accounts: Accounts, symbol: Symbol | None, record: OrderRecord, needed: Decimal) -> str:
    if symbol is not None:
        return symbol.quote if record.side == BUY else symbol.base
    for asset in accounts.balances(record.account):
        fits = record.symbol.endswith(asset) if record.side == BUY else record.symbol.startswith(asset)
        if fits and accounts.balance(record.account, asset).locked >= needed:
            return asset
    raise AssertionError(f"order {record.id} on {record.symbol} locks nothing of {record.account}")
