"""The lock of a trading account: whoever holds it may write the account's ledger and trade. For the live account it is
the live lease. Taken by its Optimus, or by a command-line tool while no Optimus runs."""

from execution.runtime.home import Home
from execution.runtime.locks import FileLock


def account_lock(home: Home, account: str) -> FileLock:
    """The lock of `account` in this home, not yet taken."""
    return FileLock(home.account(account) / "account.lock")
