"""Judges an operation's books by its files alone: the venue's own database against each account's ledger, row by row.

`python -m tests.chaos.checker HOME` prints what is wrong and ends with 1. Run it when nothing is on its way. The
comparison itself is benchmarks/books.py, which the judge of the storms uses too.
"""

import sys
from pathlib import Path

from benchmarks.books import disagreements
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError, read_all


def orders_sent(root: Path) -> int:
    """How many orders the venue has of all accounts; 0 while its database is being made."""
    try:
        return int(read_all(Home.find(root).data / "venue" / "venue.db", "SELECT count(*) FROM orders")[0][0])
    except (FileNotFoundError, DatabaseError):
        return 0


if __name__ == "__main__":
    told = disagreements(Home.find(Path(sys.argv[1])))
    print("\n".join(f"{finding.kind}: {finding.text}" for finding in told) or "everything agrees")
    sys.exit(bool(told))
