"""How far a ledger has come, kept beside it: a ledger that has gone back since then has lost what it had promised.

A database whose write-ahead log is gone, or which is an old copy, looks perfectly sound and is only older; its ids
would be given out twice. Written after each commit and not forced to disk: after a power loss the mark may be
behind the ledger, never ahead of it.
"""

import logging
import os
from pathlib import Path

LOG = logging.getLogger("nae.ledger")
FIELDS = ("epoch", "orders", "fills", "commits")
_ONCE = 3  # of them were kept by older builds
_WIDTH = 20


class HighWater:
    """The mark of one ledger file: numbers that only grow."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_suffix(".high_water")
        self._known: tuple[int, ...] = ()

    def read(self) -> tuple[int, ...]:
        """The mark, or nothing when there is none yet. ValueError when it can't be read."""
        try:
            words = self.path.read_text().split()
        except FileNotFoundError:
            return ()
        if not words:  # whoever made the file was killed before its first write
            return ()
        if len(words) not in (_ONCE, len(FIELDS)):
            raise ValueError(f"{self.path} must hold {len(FIELDS)} numbers ({', '.join(FIELDS)}), not {len(words)}")
        return tuple(map(int, words))

    def lost(self, *now: int) -> str:
        """What the ledger has less of than it once had, in words; '' when nothing."""
        behind = [
            f"{name} {have} where there were {had}"
            for name, have, had in zip(FIELDS, now, self.read(), strict=False)
            if have < had
        ]
        return ", ".join(behind)

    def reach(self, *now: int) -> None:
        """The ledger has come this far, durably. One small write in place, and none while nothing has grown.

        A disk that refuses costs the mark, said in the log, and never the caller's work: that is durable already.
        """
        if now == self._known:
            return
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, "".join(f"{number:>{_WIDTH}}\n" for number in now).encode(), 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            LOG.warning("%s can't be written: %s", self.path, error)
        self._known = now
