"""An account's ledger against the venue's own database, row by row. Reads both, read-only; shares no arithmetic with
either side: balances are added up here from the rows. Read it when nothing is on its way.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from execution.vocabulary.modes import Account

Trade = tuple[str, ...]
ZERO = Decimal(0)
_STATUS = {"open": "NEW"}  # every other state has the venue's own name


class Kind(StrEnum):
    """What can be wrong."""

    DOUBLED = "doubled"
    FORGOTTEN = "forgotten"
    ORPHAN = "orphan"
    DIFFERS = "differs"


class Finding(NamedTuple):
    """One thing that must not be."""

    kind: Kind
    text: str


def disagreements(home: Home) -> list[Finding]:
    """Everything that must not be, over all accounts that have a ledger."""
    venue = home.data / "venue" / "venue.db"
    found = []
    for account in Account:
        if home.ledger(account).exists():
            found += [
                one._replace(text=f"{account}: {one.text}") for one in _account(venue, home.ledger(account), account)
            ]
    return found


def _account(venue: Path, ledger: Path, account: str) -> list[Finding]:
    orders = read_all(venue, "SELECT * FROM orders WHERE account = ?", (account,))
    fills = "SELECT fills.*, client_id FROM fills JOIN orders ON order_id = id WHERE fills.account = ?"
    balances = read_all(venue, "SELECT * FROM balances WHERE account = ?", (account,))
    ours = {row["client_order_id"]: row for row in read_all(ledger, "SELECT * FROM orders")}
    booked = read_all(ledger, "SELECT * FROM fills")
    return [
        *_orders(orders, ours),
        *_intents(ours.values()),
        *_fills(read_all(venue, fills, (account,)), booked),
        *_balances(balances, read_all(ledger, "SELECT * FROM cash_flows"), booked),
    ]


def _orders(there: list[Any], ours: dict[str, Any]) -> list[Finding]:
    """One order per client id; none the ledger doesn't have; the same fate on both sides."""
    counted = Counter(row["client_id"] for row in there)
    found = [
        Finding(Kind.DOUBLED, f"{count} orders at the venue as {name}") for name, count in counted.items() if count > 1
    ]
    found += [Finding(Kind.ORPHAN, f"the venue has {name}, the ledger doesn't") for name in counted if name not in ours]
    for row in there:
        mine = ours.get(row["client_id"])
        if mine is not None and Decimal(mine["filled"]) != Decimal(row["filled"]):
            text = f"{row['client_id']}: the venue filled {row['filled']}, the ledger has {mine['filled']}"
            found.append(Finding(Kind.FORGOTTEN, text))
        if mine is not None and _STATUS.get(mine["state"], mine["state"].upper()) != row["status"]:
            text = f"{row['client_id']}: {row['status']} at the venue, {mine['state']} in the ledger"
            found.append(Finding(Kind.DIFFERS, text))
    never = [row for name, row in ours.items() if name not in counted and row["state"] != "rejected"]
    text = "{client_order_id} is {state}, the venue never had it"
    return found + [Finding(Kind.ORPHAN, text.format(**dict(row))) for row in never]


def _intents(ours: Iterable[Any]) -> list[Finding]:
    """One entry per signal, whatever was killed in between."""
    entries = Counter(
        (row["symbol"], row["strategy"], row["signal_bar_ms"]) for row in ours if row["purpose"] == "entry"
    )
    return [
        Finding(Kind.DOUBLED, f"{count} entries for one signal {signal}")
        for signal, count in entries.items()
        if count > 1
    ]


def _fills(there: list[Any], ours: list[Any]) -> list[Finding]:
    """Every fill exactly once, with the same numbers, under the same order of ours."""
    at_venue = Counter(
        _trade(row, row["trade_id"], row["client_id"], row["commission"], row["time_ms"]) for row in there
    )
    in_ledger = Counter(
        _trade(row, row["trade_id"], row["client_order_id"], row["fee"], row["executed_ms"]) for row in ours
    )
    lost, invented = at_venue - in_ledger, in_ledger - at_venue
    return [
        *(Finding(Kind.FORGOTTEN, f"a fill that isn't in the ledger: {trade}") for trade in lost),
        *(Finding(Kind.ORPHAN, f"a fill that the venue doesn't have: {trade}") for trade in invented),
    ]


def _trade(row: Any, trade_id: object, order: object, fee: str, at_ms: object) -> Trade:
    amounts = (Decimal(row["price"]), Decimal(row["quantity"]), Decimal(fee))
    symbol = row["symbol"].replace("/", "")
    numbers = tuple(f"{number.normalize():f}" for number in amounts)
    return (symbol, str(trade_id), str(order), row["side"].lower(), *numbers, str(at_ms))


def _balances(there: list[Any], flows: list[Any], fills: list[Any]) -> list[Finding]:
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
        Finding(Kind.DIFFERS, f"{name}: {held.get(name, ZERO)} at the venue, {added.get(name, ZERO)} by the ledger")
        for name in sorted(held.keys() | added.keys())
        if held.get(name, ZERO) != added.get(name, ZERO)
    ]
