"""What other processes may know of an account: read-only looks into its ledger file, each finished at once.

Writes nothing, with one exception: a tool may set the trading state while no Optimus holds the account.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from execution.ledger import rows
from execution.ledger.account_lock import account_lock
from execution.ledger.facts import (
    ReconciliationFact,
    TradingStateFact,
    lot_steps_of,
    reconciliation_of,
    trading_state_of,
)
from execution.ledger.fold import AccountFold
from execution.ledger.opening import open_ledger
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Fill, OrderRow, Position
from execution.vocabulary.performance import ClosedTrade

LAST_FILLS_MAX = 200
_OPEN = (OrderState.INTENT, OrderState.SENT, OrderState.OPEN, OrderState.PARTIALLY_FILLED)


class AccountReport(msgspec.Struct, frozen=True):
    """One account as its ledger file tells it. Amounts are Decimal; balances by currency, positions by symbol."""

    trading_state: TradingState
    reason: str
    balances: dict[str, Decimal]
    positions: dict[str, Position]
    dust: dict[str, Decimal]
    fills: int
    open_orders: int
    unknown_orders: int
    reconciled: bool
    reconciled_at_ms: int
    differences: list[str]
    last_fills: list[Fill]
    closed_trades: list[ClosedTrade]


class AccountReader:
    """Keeps the fold of a ledger file it doesn't own; each look reads only the rows that are new since the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget({})

    def _forget(self, lot_steps: dict[str, Decimal]) -> None:
        self._fold = AccountFold(lot_steps=lot_steps)
        self._fills_count = self._fill_number = self._cash_number = 0
        self._last_fills: deque[Fill] = deque(maxlen=LAST_FILLS_MAX)
        self._newest: dict[str, tuple[int, str]] = {}

    def report(self, last_fills: int = 10, last_trades: int = 50) -> AccountReport:
        """The account now. Raises FileNotFoundError when there is no ledger yet, sqlite's DatabaseError."""
        self._catch_up()
        facts = _facts(self.path)
        state: TradingStateFact = trading_state_of(facts.get("trading_state"))
        reconciliation: ReconciliationFact = reconciliation_of(facts.get("reconciliation"))
        counts = _order_counts(self.path)
        return AccountReport(
            trading_state=state.state,
            reason=state.reason,
            balances=dict(self._fold.balances),
            positions=self._fold.positions(),
            dust=self._fold.dust(),
            fills=self._fills_count,
            open_orders=sum(counts.get(state, 0) for state in _OPEN),
            unknown_orders=counts.get(OrderState.UNKNOWN, 0),
            reconciled=reconciliation.reconciled,
            reconciled_at_ms=reconciliation.at_ms,
            differences=reconciliation.differences,
            last_fills=list(self._last_fills)[:last_fills],
            closed_trades=self._fold.closed[-last_trades:] if last_trades else [],
        )

    def positions(self) -> dict[str, Position]:
        """What our own fills add up to, by symbol."""
        self._catch_up()
        return self._fold.positions()

    def closed_trades(self) -> list[ClosedTrade]:
        """All finished round trips, oldest first."""
        self._catch_up()
        return list(self._fold.closed)

    def _catch_up(self) -> None:
        steps = lot_steps_of(_facts(self.path).get("lot_steps"))
        if steps != self._fold.lot_steps or not self._take_new_rows():
            self._forget(steps)  # what counts as dust has changed, or a fill came late: add up anew, in trade order
            self._take_new_rows()

    def _take_new_rows(self) -> bool:
        """Add what is new; False, and nothing added, when a fill is older than what is added already."""
        cash = read_all(self.path, _NEW_CASH, (self._cash_number,))
        fill_rows = read_all(self.path, rows.FILLS_WITH_ORIGIN, (self._fill_number,))
        new = [(rows.fill_of(row), rows.origin_of(row), row) for row in fill_rows]
        if any(rows.fill_order(fill) < self._newest.get(fill.symbol, (0, "")) for fill, _, _ in new):
            return False
        for row in cash:
            self._fold.apply_cash_flow(row["currency"], Decimal(row["delta"]))
            self._cash_number = row["number"]
        for fill, origin, _ in sorted(new, key=lambda entry: rows.fill_order(entry[0])):
            self._fold.apply_fill(fill, origin)
            self._newest[fill.symbol] = rows.fill_order(fill)
        self._fold.closed_in_time()
        for fill, _, row in new:
            self._last_fills.appendleft(fill)
            self._fill_number = row["number"]
        self._fills_count += len(new)
        return True


_NEW_CASH = "SELECT number, currency, delta FROM cash_flows WHERE number > ? ORDER BY number"


def account_report(path: Path) -> AccountReport:
    """One look at one account; keep an AccountReader instead when looking again and again."""
    return AccountReader(path).report()


def positions(path: Path) -> dict[str, Position]:
    """What our own fills add up to, by symbol."""
    return AccountReader(path).positions()


def closed_trades(path: Path) -> list[ClosedTrade]:
    """All finished round trips, oldest first."""
    return AccountReader(path).closed_trades()


def recent_fills(path: Path, count: int = 20) -> list[Fill]:
    """The last recorded fills, newest first."""
    query = f"SELECT {rows.FILL_COLUMNS} FROM fills ORDER BY number DESC LIMIT ?"  # noqa: S608
    return [rows.fill_of(row) for row in read_all(path, query, (count,))]


def recent_orders(path: Path, count: int = 20, states: Iterable[OrderState] | None = None) -> list[OrderRow]:
    """The newest orders first, of the given states only."""
    return [rows.order_of(row) for row in read_all(path, *rows.orders_query(states, count))]


def set_trading_state_offline(
    home: Home, account: str, state: TradingState, reason: str, by: str = "operator"
) -> TradingState:
    """Change what the account may do while no Optimus runs; the state that then holds: a halt stays one, for it is
    read under the lock. BusyError, naming the holder, when one runs. ConfigError when the ledger is damaged."""
    lock = account_lock(home, account)
    lock.acquire(by)
    try:
        ledger = open_ledger(home.ledger(account), account, SystemClock())
        try:
            if ledger.trading_state()[0] is TradingState.HALTED:
                return TradingState.HALTED
            ledger.set_trading_state(state, reason, by)
            return state
        finally:
            ledger.close()
    finally:
        lock.release()


def _facts(path: Path) -> dict[str, str]:
    return {row["name"]: row["value"] for row in read_all(path, "SELECT name, value FROM facts")}


def _order_counts(path: Path) -> dict[str, int]:
    counted = read_all(path, "SELECT state, COUNT(*) AS number FROM orders GROUP BY state")
    return {row["state"]: row["number"] for row in counted}
