"""Is a venue's journal whole, and does it tell what the store tells? Reads both, also while the venue writes them."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from execution.runtime.sqlite import Row, read_all
from execution.venue.journal import BEGINS
from execution.venue.journal_chain import Checked, beginning, rows, verify

TRIES = 3  # what differs each time differs; the rest was on its way from the store to the journal
ENDED = ("CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")
Numbers = tuple[str, ...]


class Told(NamedTuple):
    """What a journal says: each order's last state, each trade's numbers; from which order and trade on it says all."""

    states: dict[int, str]
    trades: dict[tuple[int, int], Numbers]
    first_order: int | None
    first_trade: int | None


class Verdict(NamedTuple):
    """What a check found. `compared` is how many orders and trades were held against the store."""

    chain: Checked
    compared: int
    differences: list[str]

    @property
    def problems(self) -> list[str]:
        """Everything that must not be."""
        return [*self.chain.problems, *self.differences]


def check(path: Path, store: Path) -> Verdict:
    """The journal at `path`, beside the database at `store` when that is there. Raises OSError, DatabaseError."""
    chain = verify(path)
    if not store.exists():
        return Verdict(chain, 0, [])
    if chain.nothing:
        (count,) = (row["count"] for row in read_all(store, "SELECT count(*) AS count FROM orders"))
        lost = f"the journal has no whole line, the store has {count} orders"
        return Verdict(chain, 0, [lost] if count else [])
    removed = _removed(path, store)
    told = read_told(path)
    found = differences(told, store)
    for _ in range(TRIES - 1):
        if found:
            again = differences(read_told(path), store)
            found = [text for text in found if text in again]
    return Verdict(chain, len(told.states) + len(told.trades), [*removed, *found])


def _removed(path: Path, store: Path) -> list[str]:
    """Has there been another journal before this one? The store remembers how each began."""
    noted = read_all(store, "SELECT value FROM market WHERE name = ?", (BEGINS,))
    known = " ".join(row["value"] for row in noted).split()
    begins = beginning(path)
    times = len({*known, *([begins] if begins else [])}) - 1
    if not known or not times:
        return []
    return [
        f"{path}: the journal was removed {'once' if times == 1 else f'{times} times'}, and another begun in its place"
    ]


def read_told(path: Path) -> Told:
    """All that the journal says of orders and trades."""
    told = Told({}, {}, None, None)
    for _, _, row in rows(path):
        event = row.get("event") if row is not None else None
        if row is None or event not in ("order", "trade"):
            continue
        number, whole = int(row["order"]), "recovered" not in row
        if event == "trade":
            told.trades[int(row["trade"]), number] = _numbers(row, "fee", "fee_asset")
            if whole and told.first_trade is None:
                told = told._replace(first_trade=int(row["trade"]))
        else:
            told.states[number] = str(row["state"])
            if whole and told.first_order is None and row["state"] == "NEW":
                told = told._replace(first_order=number)
    return told


def differences(told: Told, store: Path) -> list[str]:
    """What one of the two has and the other hasn't, or has otherwise."""
    orders = {row["id"]: row for row in read_all(store, "SELECT * FROM orders")}
    fills = {
        (row["trade_id"], row["order_id"]): _numbers(row, "commission", "commission_asset")
        for row in read_all(store, "SELECT * FROM fills")
    }
    found = [f"order {number} isn't in the store" for number in told.states.keys() - orders.keys()]
    found += [
        f"trade {trade} of order {order} isn't in the store" for trade, order in told.trades.keys() - fills.keys()
    ]
    for trade, order in fills.keys() - told.trades.keys():
        if told.first_trade is not None and trade >= told.first_trade:
            found.append(f"trade {trade} of order {order} isn't in the journal")
    for key in fills.keys() & told.trades.keys():
        if fills[key] != told.trades[key]:
            found.append(f"trade {key[0]} of order {key[1]}: {told.trades[key]}, in the store {fills[key]}")
    if told.first_order is not None:
        found += _orders(told, [row for number, row in orders.items() if number >= told.first_order])
    return sorted(found)


def _orders(told: Told, orders: list[Row]) -> list[str]:
    """Each order is there, has ended as it has, and is filled by its trades."""
    filled: dict[int, Decimal] = defaultdict(Decimal)
    for (_, order), numbers in told.trades.items():
        filled[order] += Decimal(numbers[1])
    found = []
    for row in orders:
        number, status, state = row["id"], row["status"], told.states.get(row["id"])
        if state is None:
            found.append(f"order {number} isn't in the journal")
        elif state != status and (state in ENDED or status in ENDED):
            found.append(f"order {number} is {state}, in the store {status}")
        elif filled[number] != Decimal(row["filled"]):
            found.append(f"order {number} is filled by {filled[number]}, in the store by {row['filled']}")
    return found


def _numbers(row: Any, fee: str, asset: str) -> Numbers:
    amounts = (f"{Decimal(row[name]).normalize():f}" for name in ("price", "quantity", fee))
    return (*amounts, str(row[asset]), str(row["account"]), str(row["side"]))
