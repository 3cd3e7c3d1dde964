"""Copies of a ledger: made while its writer works, each one file, whole, of one moment; some kept, the oldest removed.

A copy is made by SQLite's own backup and by nothing else: see runtime/sqlite.py. Whoever uses one has it read from its
first row before (`is_sound`).
"""

import asyncio
import logging
import shutil
from contextlib import closing
from pathlib import Path

from execution.ledger.books import read_anew
from execution.ledger.facts import Facts
from execution.ledger.following import look_over
from execution.ledger.rows import UNREADABLE, LedgerDamaged
from execution.ledger.schema import FORMAT, format_of
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock, file_stamp
from execution.runtime.sqlite import DatabaseError, copy_database, open_reader, read_all
from execution.vocabulary.limits import BACKUP_EVERY_S, BACKUPS_KEPT, DISK_LOW_BYTES

LOG = logging.getLogger("nae.ledger")


def backups_folder(ledger: Path) -> Path:
    """Where the copies of this ledger are kept."""
    return ledger.parent / "backups"


def backups(ledger: Path) -> list[Path]:
    """The copies that are kept, newest first."""
    return sorted(backups_folder(ledger).glob(f"{ledger.stem}-*.db"), reverse=True)


def back_up(ledger: Path, clock: Clock, target: Path | None = None) -> Path:
    """Copy the ledger to `target`, or among the copies that are kept; the file. Raises FileNotFoundError without a
    ledger, FileExistsError for a target that is there, LedgerDamaged for a copy that SQLite finds broken, OSError and
    sqlite's DatabaseError when the disk refuses."""
    if target is not None:
        copy_database(ledger, target)
        return target
    path = backups_folder(ledger) / f"{ledger.stem}-{file_stamp(clock.now_ms())}.db"
    copy_database(ledger, path)
    try:
        with closing(open_reader(path)) as connection:
            look_over(connection)
    except (LedgerDamaged, DatabaseError):
        path.unlink()  # it would take a sound one's place
        raise
    for old in backups(ledger)[BACKUPS_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def is_due(ledger: Path, clock: Clock) -> bool:
    """Is the newest copy older than a day, or is there none?"""
    kept = backups(ledger)
    return not kept or clock.now_ms() / 1000 - kept[0].stat().st_mtime >= BACKUP_EVERY_S


async def keep_backed_up(ledger: Ledger, clock: Clock) -> None:
    """Make a copy when one is due, beside whatever else the loop does. Raises as `back_up` does. Where the disk has
    little room left, none is made, and that is said: the room is for trading."""
    if not is_due(ledger.path, clock):
        return
    if shutil.disk_usage(ledger.path.parent).free < DISK_LOW_BYTES + ledger.path.stat().st_size:
        LOG.warning("no backup of %s: the disk has too little room", ledger.path)
        return
    made = await asyncio.to_thread(back_up, ledger.path, clock)
    ledger.begin_journal()
    LOG.info("backed up to %s", made)


def account_of(copy: Path) -> str:
    """Whose ledger this file is; '' when it is none."""
    try:
        found = read_all(copy, "SELECT value FROM facts WHERE name = 'account'")
    except (DatabaseError, FileNotFoundError):
        return ""
    return str(found[0]["value"]) if found else ""


def why_not_sound(copy: Path, account: str) -> str:
    """Why this copy can't be used as the ledger of `account`; '' when it can. Every row of it is read and checked."""
    try:
        with closing(open_reader(copy)) as connection:
            look_over(connection)
            facts = Facts(connection)
            if (owner := facts.get("account")) != account:
                return f"it is the ledger of {owner or 'no account'}, not of {account}"
            if (found := format_of(connection)) > FORMAT:
                return f"a newer build made it: it has format {found}, and this build knows {FORMAT}"
            books = read_anew(connection, facts.lot_steps())
            if found == FORMAT:
                books.check(connection, facts.seal())
    except (*UNREADABLE, DatabaseError, OSError) as error:
        return str(error)
    return ""


def newest_sound(ledger: Path, account: str) -> Path | None:
    """The newest copy that can be used; those that can't are said in the log."""
    for copy in backups(ledger):
        why = why_not_sound(copy, account)
        if not why:
            return copy
        LOG.warning("%s can't be used: %s", copy, why)
    return None
