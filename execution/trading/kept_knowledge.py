"""What has been learned, by kind and name, as it stands in memory and in the account's knowledge file.

What can't be kept now is kept later; a file that can't be read is put aside, and its owner learns again. It doesn't
know what the lessons mean.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from execution.learning.execution_quality import Quality
from execution.learning.knowledge import Score
from execution.learning.order_failures import Minimum, Refusals
from execution.ledger.knowledge_file import KnowledgeFile
from execution.runtime.breaker import BreakerState, CircuitBreaker
from execution.runtime.sqlite import DatabaseError, may_pass

log = logging.getLogger("nae.trading")


class Mark(msgspec.Struct, frozen=True):
    """How far the ledger has been learned: closed trades, the last of them, and when the newest order was decided."""

    trades: int = 0
    last_trade: str = ""
    order_ms: int = 0


class Learned(msgspec.Struct):
    """Everything, by kind and name, as the file has it."""

    coin: dict[str, Score] = {}
    strategy: dict[str, Score] = {}
    minimum: dict[str, Minimum] = {}
    refusals: dict[str, Refusals] = {}
    execution: dict[str, Quality] = {}  # "BTC/USDT market"
    mark: dict[str, Mark] = {}

    def take(self, kind: str) -> dict[str, Any]:
        """All of one kind."""
        found: dict[str, Any] = getattr(self, kind)
        return found


KINDS = Learned.__struct_fields__
MARK = "ledger"


class KeptKnowledge:
    """`known` is what holds. `load` before anything else; `save` tells the file."""

    def __init__(
        self, file: KnowledgeFile, breaker: CircuitBreaker, note_error: Callable[[BaseException], object]
    ) -> None:
        self.known = Learned()
        self.errors = 0
        self._file = file
        self._breaker = breaker
        self._note_error = note_error
        self._changed: set[tuple[str, str]] = set()

    @property
    def mark(self) -> Mark:
        """How far the ledger has been learned."""
        return self.known.mark.get(MARK, Mark())

    def move_mark(self, **changes: Any) -> None:
        """It has been learned further."""
        self.put("mark", MARK, msgspec.structs.replace(self.mark, **changes))

    def put(self, kind: str, name: str, value: Any) -> None:
        """Know it, or with None forget it."""
        rows = self.known.take(kind)
        if value is None:
            rows.pop(name, None)
        else:
            rows[name] = value
        self._changed.add((kind, name))

    @property
    def waiting(self) -> int:
        """How much of it isn't in the file yet."""
        return len(self._changed)

    @property
    def failing(self) -> bool:
        """Does the file refuse what is to be kept?"""
        return self._breaker.state is not BreakerState.CLOSED or (self.errors > 0 and bool(self._changed))

    def load(self) -> None:
        """What the file has; nothing when it is new or can't be read. One that never will be is put aside."""
        try:
            rows = self._file.read()
            self.known = msgspec.convert({kind: rows.get(kind, {}) for kind in KINDS}, Learned)
        except (DatabaseError, OSError, msgspec.DecodeError) as error:
            self._failed(error)
            if not may_pass(error):
                self._put_aside()

    def _put_aside(self) -> None:
        try:
            self._file.begin_anew()
        except OSError as error:
            self._failed(error)

    def save(self) -> None:
        """Keep what is new, unless the file has just refused it."""
        if not self._changed or not self._breaker.can_execute():
            return
        try:
            self._file.write({(kind, name): self.known.take(kind).get(name) for kind, name in self._changed})
        except (DatabaseError, OSError) as error:
            self._failed(error)
        else:
            self._changed.clear()
            self._breaker.record_success()

    def close(self) -> None:
        """Keep what is left, and let go of the file."""
        self.save()
        self._file.close()

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        self._breaker.record_failure(f"{type(error).__name__}: {error}")
        self._note_error(error)
        log.warning("knowledge file: %s", error)
