"""What other processes may know of an account: read-only looks into its ledger file, each finished at once.

Writes nothing, with one exception: a tool may set the trading state while no Optimus holds the account.
"""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execution.ledger import rows
from execution.ledger.account_lock import account_lock
from execution.ledger.facts import (
    ReconciliationFact,
    TradingStateFact,
    reconciliation_of,
    trading_state_of,
)
from execution.ledger.fold import AccountFold
from execution.ledger.following import LedgerFollower
from execution.ledger.opening import open_ledger
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.money import ZERO
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import STOPS, Fill, OrderRow, Position
from execution.vocabulary.performance import ClosedTrade

_GUARDS = "guards"
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
    protective_exits: int = 0  # stops that stand at the venue; they aren't among the open orders


class AccountReader:
    """Keeps the fold of a ledger file it doesn't own; each look reads only the rows that are new since the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._follower = LedgerFollower(path, standing=False)

    def report(self, last_fills: int = 10, last_trades: int = 50) -> AccountReport:
        """The account now. Raises FileNotFoundError without a ledger, LedgerDamaged, sqlite's DatabaseError."""
        fold = self._caught_up()
        facts = self._follower.facts
        state: TradingStateFact = trading_state_of(facts.get("trading_state"))
        reconciliation: ReconciliationFact = reconciliation_of(facts.get("reconciliation"))
        counts = _order_counts(self.path)
        return AccountReport(
            trading_state=state.state,
            reason=state.reason,
            balances=dict(fold.balances),
            positions=fold.positions(),
            dust=fold.dust(),
            fills=self._follower.books.fills_count,
            open_orders=sum(count for state, count in counts.items() if state in _OPEN),
            unknown_orders=counts.get(OrderState.UNKNOWN, 0),
            protective_exits=counts.get(_GUARDS, 0),
            reconciled=reconciliation.reconciled,
            reconciled_at_ms=reconciliation.at_ms,
            differences=reconciliation.differences,
            last_fills=recent_fills(self.path, last_fills),
            closed_trades=fold.closed[-last_trades:] if last_trades else [],
        )

    def positions(self) -> dict[str, Position]:
        """What our own fills add up to, by symbol."""
        return self._caught_up().positions()

    def closed_trades(self) -> list[ClosedTrade]:
        """All finished round trips, oldest first."""
        return list(self._caught_up().closed)

    def _caught_up(self) -> AccountFold:
        if not self._follower.catch_up():
            raise FileNotFoundError(self.path)
        return self._follower.books.fold


def account_report(path: Path) -> AccountReport:
    """One look at one account; keep an AccountReader instead when looking again and again."""
    return AccountReader(path).report()


def positions(path: Path) -> dict[str, Position]:
    """What our own fills add up to, by symbol."""
    return AccountReader(path).positions()


def closed_trades(path: Path) -> list[ClosedTrade]:
    """All finished round trips, oldest first."""
    return AccountReader(path).closed_trades()


def cash_flows(path: Path) -> dict[str, Decimal]:
    """What came and went without a trade, by currency: opening balances, deposits, withdrawals."""
    found: dict[str, Decimal] = {}
    for row in read_all(path, "SELECT currency, delta FROM cash_flows"):
        found[row["currency"]] = found.get(row["currency"], ZERO) + Decimal(row["delta"])
    return found


def runtime_state(path: Path) -> dict[str, Any]:
    """What its trader keeps in the ledger beside the books; empty when it has kept nothing yet."""
    found = read_all(path, "SELECT value FROM facts WHERE name = 'runtime_state'")
    return msgspec.json.decode(found[0]["value"], type=dict[str, Any]) if found else {}


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


def _order_counts(path: Path) -> dict[str, int]:
    stops = ", ".join(f"'{kind}'" for kind in sorted(STOPS))
    standing = f"CASE WHEN type IN ({stops}) AND state IN ('open', 'partially_filled') THEN '{_GUARDS}' ELSE state END"
    counted = read_all(path, f"SELECT {standing} AS state, COUNT(*) AS number FROM orders GROUP BY 1")  # noqa: S608
    return {row["state"]: row["number"] for row in counted}
