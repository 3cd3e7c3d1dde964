"""Opening a ledger to trade on it: looked over first, and refused with a sentence and the next step when it is damaged.

A damaged ledger is never begun anew in silence: an account that forgets what it holds would buy it again. Repairs
nothing; a person restores a copy or moves the file away.
"""

from pathlib import Path

import msgspec

from execution.ledger.rows import LedgerDamaged
from execution.ledger.store import Ledger
from execution.runtime.clock import Clock
from execution.runtime.sqlite import DatabaseError, read_all
from execution.vocabulary.exit_codes import ConfigError

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def open_ledger(path: Path, account: str, clock: Clock) -> Ledger:
    """The ledger of `account`, opened to be written. The caller holds the account's lock.

    Raises ConfigError naming the file and the next step when it is damaged, older than it once was, or another
    account's; sqlite's DatabaseError when the disk refuses (full, read-only), which may pass.
    """
    try:
        _look_over(path)
        ledger = Ledger(path, account, clock)
    except DatabaseError as error:
        if not str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGE):
            raise
        raise _refused(path, error) from error
    except (LedgerDamaged, ValueError, ArithmeticError, msgspec.MsgspecError) as error:
        raise _refused(path, error) from error
    try:
        ledger.trading_state(), ledger.reconciliation(), ledger.restore_runtime_state()
    except msgspec.MsgspecError as error:
        ledger.close()
        raise _refused(path, error) from error
    return ledger


def _look_over(path: Path) -> None:
    """SQLite's own quick look at every page, before anything is written. LedgerDamaged tells what it found."""
    if path.exists():
        told = str(read_all(path, "PRAGMA quick_check(1)")[0][0])
        if told != "ok":
            raise LedgerDamaged(told)


def _refused(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path}: the ledger can't be trusted: {error}. Nothing is traded on this account until it is mended. Keep a "
        f"copy of {path.parent}; then put a sound {path.name} back, with its -wal if it has one (for an older copy, "
        f"remove the .high_water), or move the whole folder away: new books begin with what the venue says we hold"
    )
