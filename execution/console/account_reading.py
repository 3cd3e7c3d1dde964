"""An account's report for a command that needs one; where there is none, which of three it is: never begun, its ledger
gone, or its ledger damaged. Reads only."""

from execution.ledger.queries import AccountReport, account_report
from execution.ledger.rebuild import was_begun
from execution.ledger.rows import UNREADABLE
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import ConfigError

MEND = (
    "nae restart of its trader (or nae up) builds it again from its newest backup, its journal and the venue; "
    "nae restore puts a backup of your choice back"
)


class NoAccountYet(Exception):
    """Nothing has been traded on this account, ever."""


def account_read(home: Home, account: str) -> AccountReport:
    """The account as its ledger tells it. NoAccountYet; ConfigError when its ledger is gone or damaged."""
    path = home.ledger(account)
    try:
        return account_report(path)
    except FileNotFoundError as gone:
        if not was_begun(path):
            raise NoAccountYet(
                f"no {account} account here yet; it appears with the first start: scripts/nae up"
            ) from None
        raise ConfigError(f"{path} is gone, though the account was begun: {MEND}") from gone
    except (DatabaseError, *UNREADABLE) as error:
        raise ConfigError(f"{path} can't be trusted: {error}; {MEND}") from error
