"""The trading accounts as `nae status` shows them: from the traders' own word, else from their ledger files."""

from typing import Any

from execution.console.account_reading import NoAccountYet, account_read
from execution.ledger.queries import AccountReport
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import PROGRAMS

FACTS = (
    "trade_mode",
    "trading_state",
    "venue",
    "equity",
    "fills",
    "open_orders",
    "unknown_orders",
    "reconciled",
)


def accounts_of(home: Home, status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """account -> trade_mode, trading_state, venue, equity, fills, open_orders, unknown_orders, reconciled, ..."""
    accounts = {}
    for account in Account:
        known = _said_by_its_trader(account, status) or _from_ledger(home, account)
        if known is not None:
            accounts[account.value] = {name: known.get(name) for name in FACTS} | {
                name: value for name, value in known.items() if name not in FACTS
            }
    return accounts


def _said_by_its_trader(account: str, status: dict[str, Any]) -> dict[str, Any] | None:
    """The facts of the process that trades the account; a standby's say nothing of it."""
    rows = [status["processes"].get(program.name) or {} for program in PROGRAMS if program.account == account]
    said = [row.get("facts") or {} for row in rows]
    active = [facts for facts in said if "trading_state" in facts]
    return max(active, key=lambda facts: int(facts.get("epoch") or 0), default=None)


def _from_ledger(home: Home, account: str) -> dict[str, Any] | None:
    try:
        return facts_of(account_read(home, account))
    except NoAccountYet:
        return None
    except ConfigError as error:
        return {"trading_state": "unknown", "note": str(error)}


def facts_of(report: AccountReport) -> dict[str, Any]:
    """What a ledger alone can say; equity needs prices and a trader."""
    return {
        "trading_state": report.trading_state,
        "reason": report.reason,
        "fills": report.fills,
        "open_orders": report.open_orders,
        "unknown_orders": report.unknown_orders,
        "reconciled": report.reconciled,
        "note": "from the ledger; its trader isn't running",
    }
