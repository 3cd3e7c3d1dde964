"""The venue's rules as a process of the same account wrote them down a moment ago.

Asking for them is dear, and after a crash or a takeover somebody has only just asked. A note counts for a minute, and
only until the venue itself has started anew. Whoever starts from a note asks again within a minute.
"""

import logging
from collections.abc import Awaitable, Callable

import msgspec

from agents.embedded import port_file
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.market import SymbolRules

log = logging.getLogger("nae.venue_access")
GOOD_FOR_MS = 60_000
Load = Callable[[], Awaitable[dict[str, SymbolRules]]]


class _Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at_ms: int
    venue: list[int]  # which start of the venue said so
    rules: dict[str, SymbolRules]


class RulesNote:
    """The note of one account in one home."""

    def __init__(self, home: Home, account: str) -> None:
        self.path = home.account(account) / "venue_rules.json"
        self._home = home

    def read(self, now_ms: int) -> dict[str, SymbolRules] | None:
        """The rules, if they still count."""
        try:
            note = msgspec.json.decode(self.path.read_bytes(), type=_Note)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the note of the venue's rules can't be read", extra={"fields": {"error": error}})
            return None
        fresh = 0 <= now_ms - note.at_ms <= GOOD_FOR_MS
        return note.rules if fresh and note.venue == self._venue() else None

    async def renew(self, load: Load, now_ms: Callable[[], int]) -> dict[str, SymbolRules]:
        """Load the rules and write them down. A disk that takes no note is no reason to do without them."""
        venue = self._venue()  # as it is before it answers: one that starts meanwhile may have other rules
        rules = await load()
        try:
            write_atomically(self.path, msgspec.json.encode(_Note(now_ms(), venue, rules)))
        except OSError as error:
            log.warning("no note of the venue's rules", extra={"fields": {"error": error}})
        return rules

    def _venue(self) -> list[int]:
        """What changes with each start of the venue: it then writes anew where it listens."""
        try:
            status = port_file(self._home).stat()
        except FileNotFoundError:
            return []
        return [status.st_ino, status.st_mtime_ns]
