"""What a flood of bad messages is said to be: each kind once in a while, with how many there were. Every one is
counted by whoever complains."""

import logging

from execution.runtime.clock import Clock

SAID_EVERY_S = 60.0


class Complaints:
    """Says the first of a kind at once and the next after a while."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._said_at: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def say(self, kind: str, text: str, every_s: float = SAID_EVERY_S) -> None:
        """`text` stands for all of its kind since the last line."""
        now = self._clock.monotonic()
        said_at = self._said_at.get(kind)
        if said_at is not None and now - said_at < every_s:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return
        self._said_at[kind] = now
        unsaid = self._unsaid.pop(kind, 0)
        more = f" (and {unsaid} more since this was said last)" if unsaid else ""
        self._log.warning("%s: %s%s", kind, text, more)
