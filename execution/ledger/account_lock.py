"""The lock of a trading account: whoever holds it may write the account's ledger and trade. For the live account it is
the live lease. Taken by its Optimus, or by a command-line tool while no Optimus runs.

An account on a real exchange is locked once more, by its API key and for the whole machine: two homes may hold the same
key, and each would take the other's trades for a stranger's."""

import asyncio
import os

from execution.runtime.home import Home, user_state
from execution.runtime.locks import FileLock, is_held, read_holder
from execution.vocabulary.exit_codes import BusyError

PREDECESSOR_S = 3.0  # a killed holder keeps the lock until the kernel has taken it apart


class AccountLock(FileLock):
    """A lock that can tell when it keeps nobody out any more: its file was removed or replaced, and can be locked again
    by somebody else while we still hold the old one."""

    async def acquire_soon(self, holder: str, within_s: float = PREDECESSOR_S) -> None:
        """At once, or after a dying predecessor. BusyError names a holder that lives on."""
        try:
            self.acquire(holder)
        except BusyError as busy:
            try:
                await asyncio.wait_for(self.acquire_when_free(holder), within_s)
            except TimeoutError:
                raise busy from None

    def lost(self) -> str | None:
        """Why nothing may be sent under this lock; None while all is well."""
        if self._descriptor is None:
            return f"{self.path} isn't held"
        ours = os.fstat(self._descriptor)
        try:
            there = self.path.stat()
        except OSError as error:
            return f"{self.path} can't be seen any more ({error.strerror}): somebody else may hold the account"
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            return f"{self.path} was replaced: somebody else may hold the account"
        return None


def account_lock(home: Home, account: str) -> AccountLock:
    """The lock of `account` in this home, not yet taken."""
    return AccountLock(home.account(account) / "account.lock")


def key_lock(fingerprint: str) -> AccountLock:
    """The lock of one API key on this machine, not yet taken; the key itself is told to nobody. Its holder's text is
    `key_holder(...)`. Raises OSError and ConfigError when the user's state folder isn't fit."""
    return AccountLock(user_state() / f"key-{fingerprint}.lock")


def key_holder(process: str, home: Home) -> str:
    """Who holds a key, for the one that is refused: the process and its operation's home."""
    return f"{process} pid {os.getpid()} of {home.root}"


def holder_of(home: Home, account: str) -> str:
    """The process that holds the account now, by its name; '' when none does."""
    path = account_lock(home, account).path
    words = read_holder(path).split()
    return words[0] if words and is_held(path) else ""
