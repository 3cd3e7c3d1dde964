"""The fills of one symbol as trades from the first buy to the last sale, by the same fold that keeps the positions.

Pure but for one look into the ledger file. What isn't ours (a stranger's fill) belongs to no trade.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from execution.ledger import rows
from execution.ledger.facts import lot_steps_of
from execution.ledger.fold import AccountFold, Origin
from execution.runtime.sqlite import read_all
from execution.vocabulary.orders import Fill, Position, Side
from execution.vocabulary.performance import ClosedTrade


class RoundTrip(msgspec.Struct, frozen=True):
    """One trade: its fills in order, and either how it ended or what is still held of it."""

    symbol: str
    fills: list[Fill]
    closed: ClosedTrade | None = None
    position: Position | None = None

    def orders(self) -> list[str]:
        """Our orders behind it, in the order of their first fill."""
        return list(dict.fromkeys(fill.client_order_id for fill in self.fills if fill.client_order_id))


def round_trips(
    symbol: str, owned: Iterable[tuple[Fill, Origin | None]], lot_steps: Mapping[str, Decimal]
) -> list[RoundTrip]:
    """All trades of `symbol`, oldest first; the last one may be open. `owned` comes in any order, of any symbols."""
    fold = AccountFold(lot_steps=dict(lot_steps))
    found: list[RoundTrip] = []
    fills: list[Fill] = []
    ours = [(fill, origin) for fill, origin in owned if fill.symbol == symbol and origin is not None]
    for fill, origin in sorted(ours, key=lambda pair: rows.fill_order(pair[0])):
        ended = len(fold.closed)
        held = symbol in fold.positions() or symbol in fold.dust()
        fold.apply_fill(fill, origin)
        if held or fill.side is Side.BUY:  # else something was sold that was no position of ours: a liquidation
            fills.append(fill)
        if len(fold.closed) > ended:
            found.append(RoundTrip(symbol, fills, fold.closed[-1]))
            fills = []
    return [*found, RoundTrip(symbol, fills, position=fold.positions().get(symbol))] if fills else found


def round_trips_of(path: Path, symbol: str) -> list[RoundTrip]:
    """The same from a ledger file. FileNotFoundError without one; sqlite's DatabaseError."""
    stored = read_all(path, "SELECT value FROM facts WHERE name = 'lot_steps'")
    owned = [(rows.fill_of(row), rows.origin_of(row)) for row in read_all(path, rows.FILLS_WITH_ORIGIN, (0,))]
    return round_trips(symbol, owned, lot_steps_of(stored[0]["value"] if stored else None))
