"""A ledger that can't be trusted, built again: the newest sound backup (or none), then what the journal beside it knows
that came later. What the venue knows, its trades and what became of each order, comes with the reconciliation of every
start; until that agrees nothing is bought, and what is held is looked after.

The old file is kept aside, never removed. A kill at any moment leaves the old one, refused, or the new one.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from execution.ledger.backups import backups, newest_sound, why_not_sound
from execution.ledger.following import LedgerFollower
from execution.ledger.high_water import HighWater
from execution.ledger.journal import JournalLine, journal_path, lines_of
from execution.ledger.opening import LedgerUntrusted, open_ledger
from execution.ledger.rows import LedgerDamaged
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock, file_stamp
from execution.runtime.files import sync_folder
from execution.runtime.sqlite import copy_database
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderState

LOG = logging.getLogger("nae.ledger")
_LOST = "known from the journal alone: its row was lost"
_NAMED_MAX = 5


class Rebuilt(msgspec.Struct, frozen=True):
    """What was done. `base` is the backup it began with, `orders` those that only the journal knew, `missing` what not
    even that knows; `aside` is where the old file is."""

    base: str
    orders: int
    cash_flows: int
    missing: list[int]
    aside: str

    def __str__(self) -> str:
        began = f"built again from {self.base or 'its journal'}"
        knew = f"{self.orders} orders and {self.cash_flows} cash flows since come from the journal"
        lost = f"; orders {', '.join(map(str, self.missing[:_NAMED_MAX]))} are in neither" if self.missing else ""
        return f"{began}; {knew}{lost}; the old one is in {self.aside}. Nothing is bought until the venue agrees"


def was_begun(path: Path) -> bool:
    """Is there a ledger, or anything that tells of one that was lost? Such an account trades, or has traded."""
    return path.exists() or any(path.parent.glob(f"{path.stem}.*")) or bool(backups(path))


def open_or_rebuild(
    path: Path,
    account: str,
    clock: Clock,
    followed: LedgerFollower | None = None,
    note_error: Callable[[BaseException], object] = str,
) -> Ledger:
    """The ledger of `account`, opened to trade on; built again first when it can't be trusted, and `note_error` hears
    why. The caller holds the account's lock. Raises as open_ledger does: ConfigError also when there is nothing to
    build it from."""
    try:
        return open_ledger(path, account, clock, followed)
    except LedgerUntrusted as refusal:
        LOG.error("%s", refusal)
        note_error(refusal)
        rebuilt = rebuild(path, account, clock, refusal)
    LOG.warning("%s: %s", path, rebuilt)
    return open_ledger(path, account, clock)


def rebuild(path: Path, account: str, clock: Clock, why: Exception | None = None, base: Path | None = None) -> Rebuilt:
    """Put a ledger in the place of the one at `path`, from `base` or the newest sound backup, and the journal.

    Raises `why` when there is neither, LedgerDamaged when `base` isn't sound.
    """
    if base is not None and (reason := why_not_sound(base, account)):
        raise LedgerDamaged(f"{base} can't be used: {reason}")
    base = base or newest_sound(path, account)
    lines = list(lines_of(path))
    if base is None and not any(line.kind == "opened" for line in lines):
        raise why or LedgerDamaged(f"there is no backup of {path}, and its journal doesn't begin with its opening")
    new = path.with_name(f"{path.stem}-rebuilt.db")
    _remove(new)
    if base is not None:
        copy_database(base, new, wal=True)
    ledger = _Rebuilding(new, account, clock)
    try:
        orders, cash_flows, missing = ledger.take_in(lines, _mark_of(path))
    finally:
        ledger.close()
    aside = put_in_place(new, path, clock)
    return Rebuilt("" if base is None else str(base), orders, cash_flows, missing, str(aside))


class _Rebuilding(Ledger):
    """A ledger that is being built from a journal, beside the place where it will stand."""

    def take_in(self, lines: list[JournalLine], mark: tuple[int, ...]) -> tuple[int, int, list[int]]:
        """Add what isn't in it yet, in one commit: how many orders, how many cash flows; and the numbers of orders that
        are in neither. `mark` is how far the old ledger had come."""
        intents = {line.order.client_order_id: line for line in lines if line.order is not None}
        lost = [line for name, line in intents.items() if self._orders.find(name) is None]
        known = self._last_cash_flow()
        flows = [line.cash for line in lines if line.cash is not None and line.number > known]
        state = max((line.state for line in lines if line.state is not None), key=lambda fact: fact.at_ms, default=None)
        with self._writing("rebuild"):
            for line in sorted(lost, key=lambda line: line.number):
                assert line.order is not None
                self._orders.next_number = max(self._orders.next_number, line.number)
                self._orders.insert(msgspec.structs.replace(line.order, state=OrderState.UNKNOWN, note=_LOST))
            self._insert(flows)
            for line in lines:
                if line.kind == "opened" and self.opened_ms is None:
                    self._facts.put("opened_ms", str(line.number))
                    for symbol, trade_id in line.swept.items():
                        self._facts.put(f"swept:{symbol}", trade_id)
            if state is not None and state.at_ms >= self._facts.trading_state().at_ms:
                self._facts.put_json("trading_state", state)
            epochs = [line.number for line in lines if line.kind == "epoch"]
            self._facts.put("epoch", str(max(self.epoch, *epochs, *mark[:1])))
        missing = self._missing(max(self._orders.next_number - 1, *mark[1:2]))
        if missing and self.trading_state()[0] is TradingState.ACTIVE:
            self._mine = {self._facts.get("epoch")}
            reason = f"{len(missing)} orders were lost with the ledger: see that the venue's and its agree, then resume"
            self.set_trading_state(TradingState.REDUCE_ONLY, reason, "ledger")
        return len(lost), len(flows), missing

    def _last_cash_flow(self) -> int:
        return int(self._connection.execute("SELECT MAX(number) FROM cash_flows").fetchone()[0] or 0)

    def _missing(self, last: int) -> list[int]:
        found = {row["number"] for row in self._connection.execute("SELECT number FROM orders").fetchall()}
        return sorted(set(range(1, last + 1)) - found)


def _mark_of(path: Path) -> tuple[int, ...]:
    """How far the old ledger had come; zeros when its mark can't be read."""
    with suppress(ValueError, OSError):
        return HighWater(path).read() or (0, 0)
    return 0, 0


def put_in_place(new: Path, path: Path, clock: Clock) -> Path:
    """Have the database `new` stand at `path`, and what stood there aside; the folder where that is now. Nobody has
    either of them open. The mark goes last: until then the old one says that what stands there isn't what it was."""
    aside = path.parent / f"replaced-{file_stamp(clock.now_ms())}"
    aside.mkdir(exist_ok=True)
    for name in (
        f"{path.name}-wal",
        f"{path.name}-shm",
    ):  # never left beside another database: they'd be read as its own
        if (path.parent / name).exists():
            (path.parent / name).rename(aside / name)
    if path.exists():
        os.link(path, aside / path.name)
    sync_folder(aside)
    new.rename(path)
    old_mark, new_mark = HighWater(path).path, HighWater(new).path
    if old_mark.exists():
        os.link(old_mark, aside / old_mark.name)
    new_mark.rename(old_mark)
    sync_folder(path.parent)
    journal_path(new).unlink(missing_ok=True)
    return aside


def _remove(new: Path) -> None:
    """What an earlier attempt has left."""
    for path in (
        new,
        HighWater(new).path,
        journal_path(new),
        *(new.with_name(f"{new.name}-{end}") for end in ("wal", "shm")),
    ):
        path.unlink(missing_ok=True)
