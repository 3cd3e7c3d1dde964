"""Between SQL rows and our words, in one place; and the hash that chains one money row to the next. No I/O."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from msgspec import MsgspecError

from execution.ledger.fold import Origin
from execution.runtime.sqlite import Row
from execution.vocabulary.money import text
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Fill, OrderRequest, OrderRow, OrderType, Purpose, Side

ORDER_COLUMNS = (
    "client_order_id, epoch, symbol, side, type, quantity, filled, reference_price, limit_price, purpose, strategy, "
    "reason, signal_bar_ms, correlation_id, state, venue_order_id, created_ms, sent_ms, updated_ms, note"
)
FILL_COLUMNS = (
    "symbol, trade_id, venue_order_id, client_order_id, side, price, quantity, fee, fee_currency, executed_ms"
)
WRITTEN_OFF = "written_off"  # the kind of cash flow that is a WriteOff
FILL_WIDTH = FILL_COLUMNS.count(",") + 1
_FILL_COLUMNS_OF_FILLS = ", ".join(f"fills.{name}" for name in FILL_COLUMNS.split(", "))
FILLS_WITH_ORIGIN = f"""
SELECT {_FILL_COLUMNS_OF_FILLS}, fills.hash, fills.number, orders.strategy AS o_strategy,
orders.signal_bar_ms AS o_signal_bar_ms, orders.reason AS o_reason
FROM fills LEFT JOIN orders ON orders.client_order_id = fills.client_order_id
WHERE fills.number >= ? ORDER BY fills.number
"""  # noqa: S608
CHAIN_START = "0" * 32
_SIDES = {str(side): side for side in Side}  # a look-up: a thousand orders are read at a time
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """A non-negative whole number in base 36."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = DIGITS[rest] + digits
    return digits or "0"


def new_order(request: OrderRequest, client_order_id: str, epoch: int, created_ms: int, sent_ms: int) -> OrderRow:
    """The row of a decision just taken."""
    return OrderRow(
        client_order_id=client_order_id,
        epoch=epoch,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        filled=Decimal(0),
        reference_price=request.reference_price,
        limit_price=request.limit_price,
        purpose=request.purpose,
        strategy=request.strategy,
        reason=request.reason,
        signal_bar_ms=request.signal_bar_ms,
        correlation_id=request.correlation_id,
        state=OrderState.INTENT,
        venue_order_id=None,
        created_ms=created_ms,
        sent_ms=sent_ms,
        updated_ms=created_ms,
    )


def order_values(order: OrderRow) -> tuple[str | int | None, ...]:
    """In the order of ORDER_COLUMNS."""
    return (
        order.client_order_id,
        order.epoch,
        order.symbol,
        order.side,
        order.type,
        text(order.quantity),
        text(order.filled),
        text(order.reference_price),
        None if order.limit_price is None else text(order.limit_price),
        order.purpose,
        order.strategy,
        order.reason,
        order.signal_bar_ms,
        order.correlation_id,
        order.state,
        order.venue_order_id,
        order.created_ms,
        order.sent_ms,
        order.updated_ms,
        order.note,
    )


def order_of(row: Row) -> OrderRow:
    """The order in a row that has ORDER_COLUMNS. Raises ValueError or ArithmeticError when the file is damaged."""
    limit_price = row["limit_price"]
    return OrderRow(
        client_order_id=row["client_order_id"],
        epoch=row["epoch"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        quantity=Decimal(row["quantity"]),
        filled=Decimal(row["filled"]),
        reference_price=Decimal(row["reference_price"]),
        limit_price=None if limit_price is None else Decimal(limit_price),
        purpose=Purpose(row["purpose"]),
        strategy=row["strategy"],
        reason=row["reason"],
        signal_bar_ms=row["signal_bar_ms"],
        correlation_id=row["correlation_id"],
        state=OrderState(row["state"]),
        venue_order_id=row["venue_order_id"],
        created_ms=row["created_ms"],
        sent_ms=row["sent_ms"],
        updated_ms=row["updated_ms"],
        note=row["note"],
    )


def fill_values(fill: Fill) -> tuple[str | int | None, ...]:
    """In the order of FILL_COLUMNS."""
    return (
        fill.symbol,
        fill.trade_id,
        fill.venue_order_id,
        fill.client_order_id,
        fill.side,
        text(fill.price),
        text(fill.quantity),
        text(fill.fee),
        fill.fee_currency,
        fill.executed_ms,
    )


def fill_of(row: Row | tuple[Any, ...]) -> Fill:
    """The fill in a row that begins with FILL_COLUMNS. ValueError or ArithmeticError when the file is damaged."""
    symbol, trade_id, venue_order_id, client_order_id, side, price, quantity, fee, fee_currency, executed_ms, *_ = row
    return Fill(
        symbol,
        trade_id,
        venue_order_id,
        client_order_id,
        _SIDES.get(side) or Side(side),
        Decimal(price),
        Decimal(quantity),
        Decimal(fee),
        fee_currency,
        executed_ms,
    )


def origin_of(row: Row | tuple[Any, ...]) -> Origin | None:
    """Whose order a row of FILLS_WITH_ORIGIN belongs to; None when it isn't ours."""
    strategy, signal_bar_ms, reason = row[FILL_WIDTH + 2 :]
    return None if strategy is None else Origin(strategy, signal_bar_ms, reason)


@cache
def _line(width: int) -> str:
    return "%s\x1e" + "\x1f".join(["%s"] * width)


def chained(previous: str, values: tuple[str | int | None, ...]) -> str:
    """The hash of a row and of everything before it."""
    if None in values:
        values = tuple(["" if value is None else value for value in values])
    return hashlib.sha256((_line(len(values)) % (previous, *values)).encode()).hexdigest()[:32]


def orders_query(states: Iterable[OrderState] | None, limit: int) -> tuple[str, tuple[Any, ...]]:
    """SQL and its parameters for the newest orders first; all states when `states` is None, no limit when -1."""
    wanted = None if states is None else sorted(states)
    condition = "" if wanted is None else f"WHERE state IN ({', '.join('?' * len(wanted))})"
    query = f"SELECT {ORDER_COLUMNS} FROM orders {condition} ORDER BY number DESC LIMIT ?"  # noqa: S608
    return query, (*(wanted or ()), limit)


def fill_order(fill: Fill) -> tuple[int, str]:
    """Sorts the fills of one symbol as they were executed: venues number trades upwards. Their clocks may step back,
    and a sale put before its purchase would leave a position that nobody holds."""
    return len(fill.trade_id), fill.trade_id


class WriteOff(msgspec.Struct, frozen=True):
    """A person's word that so much of a position of ours is gone, after the trade of that id. In the rows it is a cash
    flow of nothing: it moves a position, and no money."""

    symbol: str
    quantity: Decimal
    after: str

    @property
    def order(self) -> tuple[int, str]:
        """Its place among the fills of its symbol, as `fill_order` puts them."""
        return len(self.after), f"{self.after}~"

    def __str__(self) -> str:
        return f"{self.symbol} {text(self.quantity)} {self.after}"


def write_off_of(note: str) -> WriteOff:
    """What the note of such a cash flow says."""
    symbol, quantity, after = note.split()
    return WriteOff(symbol, Decimal(quantity), after)


class LedgerDamaged(Exception):
    """The file's rows contradict each other; the message names the first bad one. Restore a backup or rebuild."""


# what a damaged row is read as: where a bit says which kind of value follows, anything may
UNREADABLE = (LedgerDamaged, ValueError, ArithmeticError, TypeError, AttributeError, LookupError, MsgspecError)


class LedgerTaken(Exception):
    """Another process has opened the ledger to write it: its rows follow on its own books now, not on ours."""


def verified(previous: str, values: tuple[str | int | None, ...], stored: str, kind: str, number: int) -> str:
    """The row's hash, when it is what the row and everything before it give; LedgerDamaged otherwise."""
    expected = chained(previous, values)
    if stored != expected:
        raise _broken(kind, number)
    return expected


def checked_fills(
    new: Iterable[tuple[Any, ...]], chain: str
) -> tuple[str, list[tuple[tuple[int, str], Fill, Origin | None]]]:
    """The fills in rows of FILLS_WITH_ORIGIN, each with its place and its order's origin, and the hash of the last.
    `chain` is that of the row before them. All in one go: there may be fifty thousand.

    LedgerDamaged names a row that doesn't fit; ValueError or ArithmeticError when one can't be read.
    """
    found = []
    for row in new:
        symbol, trade_id, venue_id, client_id, side, price, quantity, fee, currency, at_ms, stored, number, *rest = row
        line = f"{chain}\x1e{symbol}\x1f{trade_id}\x1f{venue_id}\x1f{'' if client_id is None else client_id}\x1f{side}"
        line = f"{line}\x1f{price}\x1f{quantity}\x1f{fee}\x1f{currency}\x1f{at_ms}"
        chain = hashlib.sha256(line.encode()).hexdigest()[:32]
        if chain != stored:
            raise _broken("fill", number)
        strategy, bar_ms, reason = rest
        if strategy is None and client_id is not None:  # its position would be forgotten
            raise LedgerDamaged(f"fill {number} is of order {client_id}, which is gone")
        amounts = Decimal(price), Decimal(quantity), Decimal(fee)
        fill = Fill(symbol, trade_id, venue_id, client_id, _SIDES.get(side) or Side(side), *amounts, currency, at_ms)
        place = len(trade_id), trade_id
        found.append((place, fill, None if strategy is None else Origin(strategy, bar_ms, reason)))
    return chain, found


def _broken(kind: str, number: int) -> LedgerDamaged:
    return LedgerDamaged(f"{kind} {number} doesn't match its hash: it, or a row before it, was changed or lost")
