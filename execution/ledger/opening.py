"""Opening a ledger to trade on it: looked over first, and refused with a sentence and the next step when it is damaged.

A damaged ledger is never begun anew in silence: an account that forgets what it holds would buy it again. Repairs
nothing: rebuild.py does, for whoever trades.
"""

import gc
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from execution.ledger.books import BooksDiffer
from execution.ledger.following import LedgerFollower, look_over
from execution.ledger.rows import UNREADABLE
from execution.ledger.schema import LedgerFromLater
from execution.ledger.store import Ledger, WrongAccount
from execution.runtime.clock import Clock
from execution.runtime.sqlite import DatabaseError, open_reader, open_writer
from execution.vocabulary.exit_codes import ConfigError

_HALF_WRITTEN = "SQLITE_READONLY"
LOG = logging.getLogger("nae.ledger")
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH")


class LedgerUntrusted(ConfigError):
    """What is in the file can't be relied on; it may be built again (rebuild.py)."""


def open_ledger(path: Path, account: str, clock: Clock, followed: LedgerFollower | None = None) -> Ledger:
    """The ledger of `account`, opened to be written. The caller holds the account's lock.

    `followed` has looked at this file before and kept its books: then only what is new is read and checked, within
    milliseconds. Where anything is not as it was followed, the ledger is opened as if nobody had followed it. Either
    way the follower is at its end: its books belong to the ledger now.

    Raises ConfigError naming the file and the next step when it is damaged, older than it once was, or another
    account's; sqlite's DatabaseError when the disk refuses (full, read-only), which may pass.
    """
    try:
        ledger = _opened(path, account, clock, followed)
    except DatabaseError as error:
        if not is_damage(error):
            raise
        raise _refused(path, error) from error
    except LedgerFromLater as error:
        raise ConfigError(
            f"{path} was written by a newer build: {error}. Nothing is traded on this account by this one: go on with "
            f"the newer build (nae upgrade), or put a backup back that an older one made (nae restore)"
        ) from error
    except WrongAccount as error:
        raise ConfigError(f"{path}: {error}. Put the right one there") from error
    except UNREADABLE as error:
        raise _refused(path, error) from error
    finally:
        if followed is not None:
            followed.close()  # not earlier: while its connection stands, SQLite needn't recover the write-ahead log
    try:
        ledger.trading_state(), ledger.reconciliation(), ledger.restore_runtime_state()
    except msgspec.MsgspecError as error:
        ledger.close()
        raise _refused(path, error) from error
    return ledger


def _opened(path: Path, account: str, clock: Clock, followed: LedgerFollower | None) -> Ledger:
    known = followed.hand_over() if followed is not None else None
    if known is not None:
        try:
            return Ledger(path, account, clock, known)
        except BooksDiffer as difference:
            LOG.warning("%s: %s; it is read from the beginning", path, difference)
    if not path.exists():
        return Ledger(path, account, clock)
    with ThreadPoolExecutor(1, "look-over") as beside, _without_collections():
        looked = beside.submit(_look_over, path)  # SQLite's look needs a core, and not Python
        return Ledger(path, account, clock, before_writing=looked.result)


@contextmanager
def _without_collections() -> Iterator[None]:
    """A hundred thousand rows are read at once, and all of them stay: looking for garbage among them takes a fifth of
    the time and finds none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def is_damage(error: DatabaseError) -> bool:
    """Is the file to blame (also where a table or a column of it is gone), rather than a disk, which may refuse and
    take back its refusal?"""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGE) or "decode to UTF-8" in str(error)


def _look_over(path: Path) -> None:
    try:
        with closing(open_reader(path)) as connection:
            look_over(connection)
    except DatabaseError as error:
        if not str(getattr(error, "sqlite_errorname", "")).startswith(_HALF_WRITTEN):
            raise
        with closing(open_writer(path, "")) as connection:  # killed in its first moment: only a writer takes it back
            look_over(connection)


def _refused(path: Path, error: Exception) -> ConfigError:
    return LedgerUntrusted(
        f"{path}: the ledger can't be trusted: {error}. Nothing is traded on this account until it is mended: put a "
        f"backup back (nae restore), or move the whole folder away and keep it: new books begin with what the venue "
        f"says we hold"
    )
