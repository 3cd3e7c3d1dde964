"""Judges an operation by its files alone: the venue's own database against each account's ledger, row by row.

`python -m tests.chaos.checker HOME` prints what is wrong and ends with 1. It shares no arithmetic with either side:
balances are added up here from the rows. Run it when nothing is on its way.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError, read_all
from execution.vocabulary.modes import Account

Trade = tuple[str, ...]
ZERO = Decimal(0)


def problems(root: Path) -> list[str]:
    """Everything that must not be, over all accounts that have a ledger."""
    home = Home.find(root)
    found = []
    for account in Account:
        if home.ledger(account).exists():
            venue = home.data / "venue" / "venue.db"
            found += [f"{account}: {problem}" for problem in _problems(venue, home.ledger(account), account)]
    return found


def orders_sent(root: Path) -> int:
    """How many orders the venue has of all accounts; 0 while its database is being made."""
    try:
        return int(read_all(Home.find(root).data / "venue" / "venue.db", "SELECT count(*) FROM orders")[0][0])
    except (FileNotFoundError, DatabaseError):
        return 0


def _problems(venue: Path, ledger: Path, account: str) -> list[str]:
    there = read_all(venue, "SELECT * FROM orders WHERE account = ?", (account,))
    ours = {row["client_order_id"]: row for row in read_all(ledger, "SELECT * FROM orders")}
    return [
        *_orders(there, ours),
        *_intents(ours.values()),
        *_fills(
            read_all(
                venue,
                "SELECT fills.*, client_id FROM fills JOIN orders ON order_id = id WHERE fills.account = ?",
                (account,),
            ),
            read_all(ledger, "SELECT * FROM fills"),
        ),
        *_balances(
            read_all(venue, "SELECT * FROM balances WHERE account = ?", (account,)),
            read_all(ledger, "SELECT * FROM cash_flows"),
            read_all(ledger, "SELECT * FROM fills"),
        ),
    ]


def _orders(there: list[Any], ours: dict[str, Any]) -> list[str]:
    """One order per client id; none the ledger doesn't have; the same fate on both sides."""
    counted = Counter(row["client_id"] for row in there)
    found = [f"{count} orders at the venue as {name}" for name, count in counted.items() if count > 1]
    found += [f"the venue has {name}, the ledger doesn't" for name in counted if name not in ours]
    for row in there:
        mine = ours.get(row["client_id"])
        if mine is not None and Decimal(mine["filled"]) != Decimal(row["filled"]):
            found.append(f"{row['client_id']}: the venue filled {row['filled']}, the ledger has {mine['filled']}")
        if mine is not None and mine["state"].upper() != row["status"]:
            found.append(f"{row['client_id']}: {row['status']} at the venue, {mine['state']} in the ledger")
    never = [row for name, row in ours.items() if name not in counted and row["state"] != "rejected"]
    return found + [f"{row['client_order_id']} is {row['state']}, the venue never had it" for row in never]


def _intents(ours: Iterable[Any]) -> list[str]:
    """One entry per signal, whatever was killed in between."""
    entries = Counter(
        (row["symbol"], row["strategy"], row["signal_bar_ms"]) for row in ours if row["purpose"] == "entry"
    )
    return [f"{count} entries for one signal {signal}" for signal, count in entries.items() if count > 1]


def _fills(there: list[Any], ours: list[Any]) -> list[str]:
    """Every fill exactly once, with the same numbers, under the same order of ours."""
    at_venue = Counter(
        _trade(row, row["trade_id"], row["client_id"], row["commission"], row["time_ms"]) for row in there
    )
    in_ledger = Counter(
        _trade(row, row["trade_id"], row["client_order_id"], row["fee"], row["executed_ms"]) for row in ours
    )
    return [
        *(f"a fill that isn't in the ledger: {trade}" for trade in at_venue - in_ledger),
        *(f"a fill that the venue doesn't have: {trade}" for trade in in_ledger - at_venue),
    ]


def _trade(row: Any, trade_id: object, order: object, fee: str, at_ms: object) -> Trade:
    amounts = (Decimal(row["price"]), Decimal(row["quantity"]), Decimal(fee))
    symbol = row["symbol"].replace("/", "")
    return (
        symbol,
        str(trade_id),
        str(order),
        row["side"].lower(),
        *(f"{n.normalize():f}" for n in amounts),
        str(at_ms),
    )


def _balances(there: list[Any], flows: list[Any], fills: list[Any]) -> list[str]:
    """Equal to the last digit."""
    added: dict[str, Decimal] = {}

    def add(currency: str, amount: Decimal) -> None:
        added[currency] = added.get(currency, ZERO) + amount

    for row in flows:
        add(row["currency"], Decimal(row["delta"]))
    for row in fills:
        base, _, quote = row["symbol"].partition("/")
        sign = 1 if row["side"] == "buy" else -1
        add(base, sign * Decimal(row["quantity"]))
        add(quote, -sign * Decimal(row["quantity"]) * Decimal(row["price"]))
        add(row["fee_currency"], -Decimal(row["fee"]))
    held = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in there}
    return [
        f"{name}: {held.get(name, ZERO)} at the venue, {added.get(name, ZERO)} by the ledger"
        for name in sorted(held.keys() | added.keys())
        if held.get(name, ZERO) != added.get(name, ZERO)
    ]


if __name__ == "__main__":
    told = problems(Path(sys.argv[1]))
    print("\n".join(told) or "everything agrees")
    sys.exit(bool(told))
