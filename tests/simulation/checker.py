"""Judges a world by two things alone: the venue's log, and the file of the ledger. Shares no arithmetic with either.

One order per intent, every fill once, held = known, no limit passed, no two traders at a time, nothing left unknown.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from execution.runtime.sqlite import read_all
from tests.simulation.trader import EXPOSURE_MAX, POSITION_MAX
from tests.simulation.venue import OURS, Accepted, Entry, Flowed, Order, SimVenue, Traded

ZERO = Decimal(0)
SLIPPED = Decimal("1.03")  # what is bought may cost a little more than it was worth when it was decided
CARRIED_MS = 6_000  # a request may be under way this long at most: its window, and a little of the venue's time
Changes = list[tuple[str, Decimal]]
UNSETTLED = ("intent", "sent", "unknown", "open", "partially_filled")


def judge(venue: SimVenue, ledger: Path) -> list[str]:
    """Every sentence is something that must not be."""
    orders = read_all(ledger, "SELECT * FROM orders ORDER BY number")
    fills = read_all(ledger, "SELECT * FROM fills")
    flows = read_all(ledger, "SELECT * FROM cash_flows")
    accepted = [entry for entry in venue.log if isinstance(entry, Accepted) and not _stranger(entry.client_id)]
    log = _after_the_books(venue, flows)
    if log is None:
        return ["the books were opened with what the account never held"]
    trades = [entry for entry in log if isinstance(entry, Traded)]
    return [
        *_one_order_per_intent(accepted, orders),
        *_states(venue, orders),
        *_fills(trades, fills),
        *_money(venue, log, fills, flows),
        *_accepted(log, flows),
        *_limits([trade for trade in trades if not _stranger(trade.client_id)]),
        *_one_trader(accepted, orders),
    ]


def _stranger(client_id: str) -> bool:
    return client_id.startswith("web_")


def _one_order_per_intent(accepted: list[Accepted], orders: list[Any]) -> list[str]:
    known = {row["client_order_id"]: row for row in orders}
    times = Counter(entry.client_id for entry in accepted)
    found = [f"doubled: {count} orders at the venue as {name}" for name, count in times.items() if count > 1]
    found += [f"forgotten: the venue has {name}, the ledger doesn't" for name in times if name not in known]
    signals = Counter(
        (row["symbol"], row["strategy"], row["signal_bar_ms"]) for row in orders if row["purpose"] == "entry"
    )
    found += [f"doubled: {count} entries for signal {signal}" for signal, count in signals.items() if count > 1]
    return found


def _states(venue: SimVenue, orders: list[Any]) -> list[str]:
    at_venue = {order.client_id: order for order in venue.orders.values() if order.owner == OURS}
    found = []
    for row in orders:
        name, there = row["client_order_id"], at_venue.get(row["client_order_id"])
        if row["state"] in UNSETTLED:
            found.append(f"unsettled: {name} is {row['state']} when all is quiet")
        elif there is None and row["state"] != "rejected":
            found.append(f"invented: {name} is {row['state']}, the venue never had it")
        elif there is not None and row["state"] != there.status.lower() and not _one_end(venue, there, row["state"]):
            found.append(f"differs: {name} is {row['state']}, at the venue {there.status}")
        if there is not None and Decimal(row["filled"]) != there.executed:
            found.append(f"forgotten: {name} has filled {row['filled']}, at the venue {there.executed}")
    return found


def _one_end(venue: SimVenue, there: Order, state: str) -> bool:
    """Of an order that was archived nobody can know whether it was cancelled or expired."""
    return venue.archived(there) and {state, there.status.lower()} == {"canceled", "expired"}


def _fills(trades: list[Traded], fills: list[Any]) -> list[str]:
    there = Counter(
        (
            trade.symbol,
            str(trade.trade_id),
            None if _stranger(trade.client_id) else trade.client_id,
            trade.side.lower(),
            trade.price.normalize(),
            trade.quantity.normalize(),
            trade.fee.normalize(),
            trade.fee_asset,
        )
        for trade in trades
    )
    here = Counter(
        (
            row["symbol"].replace("/", ""),
            row["trade_id"],
            row["client_order_id"],
            row["side"],
            *(Decimal(row[name]).normalize() for name in ("price", "quantity", "fee")),
            row["fee_currency"],
        )
        for row in fills
    )
    found = [f"forgotten: the fill {trade} isn't in the ledger" for trade in there - here]
    return found + [f"invented: the ledger's fill {trade} isn't the venue's" for trade in here - there]


def _added(held: dict[str, Decimal], changes: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    total = dict(held)
    for asset, delta in changes:
        total[asset] = total.get(asset, ZERO) + delta
    return {asset: amount for asset, amount in total.items() if amount}


def _changes(side: str, symbol: str, price: Decimal, quantity: Decimal, fee: Decimal, asset: str) -> Changes:
    sign = 1 if side == "buy" else -1
    base = symbol.removesuffix("USDT")
    return [(base, sign * quantity), ("USDT", -sign * quantity * price), (asset, -fee)]


def _changes_of(entry: Entry) -> Changes:
    if isinstance(entry, Flowed):
        return [(entry.asset, entry.delta)]
    if isinstance(entry, Traded):
        side = entry.side.lower()
        return _changes(side, entry.symbol, entry.price, entry.quantity, entry.fee, entry.fee_asset)
    return []


def _after_the_books(venue: SimVenue, flows: list[Any]) -> list[Entry] | None:
    """What happened after the account's books were opened: where its opening is what the account held. None: never."""
    opening = _added({}, ((row["currency"], Decimal(row["delta"])) for row in flows if row["kind"] == "opening"))
    held = _added(venue.opening, [])
    for number, entry in enumerate([*venue.log, None]):
        if held == opening:
            return venue.log[number:]
        if entry is None or (isinstance(entry, Accepted) and not _stranger(entry.client_id)):
            return None
        held = _added(held, _changes_of(entry))
    return None


def _money(venue: SimVenue, log: list[Entry], fills: list[Any], flows: list[Any]) -> list[str]:
    """What the account holds, people's payments left out on both sides: equal to the last digit."""
    paid = [(entry.asset, -entry.delta) for entry in log if isinstance(entry, Flowed)]
    there = _added(venue.totals(), paid)
    here = _added({}, ((row["currency"], Decimal(row["delta"])) for row in flows if row["kind"] == "opening"))
    for row in fills:
        price, quantity, fee = (Decimal(row[name]) for name in ("price", "quantity", "fee"))
        name = row["symbol"].replace("/", "")
        here = _added(here, _changes(row["side"], name, price, quantity, fee, row["fee_currency"]))
    return [
        f"differs: {name} is {here.get(name, ZERO)} by the ledger, {there.get(name, ZERO)} at the venue"
        for name in sorted(there.keys() | here.keys())
        if here.get(name, ZERO) != there.get(name, ZERO)
    ]


def _accepted(log: list[Entry], flows: list[Any]) -> list[str]:
    """What a person has accepted as money from elsewhere was somebody's payment, and not a fill that was told late."""
    booked = _added({}, ((row["currency"], Decimal(row["delta"])) for row in flows if row["kind"] != "opening"))
    paid: dict[str, set[Decimal]] = {}
    for entry in log:
        if isinstance(entry, Flowed):
            sums = paid.setdefault(entry.asset, {ZERO})
            sums |= {known + entry.delta for known in sums}
    return [
        f"invented: {amount} {asset} came from elsewhere by the ledger, not by the venue"
        for asset, amount in booked.items()
        if amount not in paid.get(asset, {ZERO})
    ]


def _limits(trades: list[Traded]) -> list[str]:
    """Held at cost, trade by trade: a second purchase in place of one would pass the limit."""
    held: dict[str, tuple[Decimal, Decimal]] = {}
    found = []
    for trade in trades:
        quantity, cost = held.get(trade.symbol, (ZERO, ZERO))
        if trade.side == "BUY":
            quantity, cost = quantity + trade.quantity, cost + trade.quantity * trade.price
        else:
            cost -= cost * trade.quantity / quantity if quantity else ZERO
            quantity -= trade.quantity
        if quantity < 0:
            found.append(f"oversold: {trade.symbol} by {-quantity} with trade {trade.trade_id} of {trade.client_id}")
            quantity, cost = ZERO, ZERO
        held[trade.symbol] = (quantity, cost)
        if cost > POSITION_MAX * SLIPPED or sum(each for _, each in held.values()) > EXPOSURE_MAX * SLIPPED:
            found.append(f"doubled: {trade.symbol} cost {cost:.2f} with {trade.client_id}, more than may be held")
    return found[:3]


def _one_trader(accepted: list[Accepted], orders: list[Any]) -> list[str]:
    """Epochs follow each other, in the ledger at once, at the venue as soon as what was under way has arrived."""
    found = []
    epochs = [row["epoch"] for row in orders]
    if epochs != sorted(epochs):
        found.append(f"two traders: the ledger's orders are of epochs {epochs}")
    epoch_of = {row["client_order_id"]: row["epoch"] for row in orders}
    newest, since = 0, 0
    for entry in accepted:
        epoch = epoch_of.get(entry.client_id, newest)
        if epoch > newest:
            newest, since = epoch, entry.at_ms
        elif epoch < newest and entry.at_ms > since + CARRIED_MS:
            found.append(f"two traders: {entry.client_id} came {entry.at_ms - since} ms after epoch {newest}'s first")
    return found
