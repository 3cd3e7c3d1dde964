"""data/<account>/state.json: the account in brief, for people and their scripts.

Derived from the ledger, never read back by a decision; delete it and it is written again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from execution.runtime.clock import Clock, SystemClock, iso
from execution.runtime.files import remove_leftovers, write_atomically
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.orders import Fill, Position
from execution.vocabulary.performance import ClosedTrade

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class StateStore:
    """Writes the brief at `path`. Hours and days are UTC."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        remove_leftovers(path)
        self._executed: dict[tuple[str, str], int] = {}  # today's fills by identity: told twice, counted once

    def update_from_fills(
        self, fills: Iterable[Fill], positions: Mapping[str, Position], closed: Iterable[ClosedTrade] = ()
    ) -> None:
        """Take in fills (known ones are harmless) and write the brief. `closed`: all finished round trips.

        Raises OSError when the disk refuses; the old brief then stays.
        """
        now = self._clock.now_ms()
        for fill in fills:
            self._executed[fill.symbol, fill.trade_id] = fill.executed_ms
        today = now - now % _DAY_MS
        self._executed = {key: at for key, at in self._executed.items() if at >= today}
        hour = now - now % _HOUR_MS
        trades = list(closed)
        brief = {
            "updated": iso(now),
            "trades_today": len(self._executed),
            "trades_this_hour": sum(1 for at in self._executed.values() if at >= hour),
            "realised_pnl": text(sum((trade.pnl_quote for trade in trades), ZERO)),
            "realised_pnl_today": text(sum((trade.pnl_quote for trade in trades if trade.closed_ms >= today), ZERO)),
            "closed_trades": len(trades),
            "positions": {symbol: _position(position) for symbol, position in sorted(positions.items())},
        }
        write_atomically(self.path, msgspec.json.format(msgspec.json.encode(brief), indent=2) + b"\n")


def _position(position: Position) -> dict[str, str]:
    return {
        "quantity": text(position.quantity),
        "cost": text(position.cost),
        "entry_price": text(position.entry_price),
        "strategy": position.strategy,
        "opened": iso(position.opened_ms),
    }
