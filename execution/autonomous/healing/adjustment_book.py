"""Writes the settings that the operation changes by itself: added with their cause, taken out by their id.

What may stand there, and what each means, is in runtime/adjustments.py. One writer: the manager. It applies nothing:
whoever adds one has the process take it up.
"""

import logging
from collections.abc import Sequence

from execution.autonomous.healing.remedy import CannotHeal, Hands
from execution.runtime.adjustments import (
    TUNABLE,
    Adjustment,
    AdjustmentsRefused,
    Value,
    decode,
    encode,
    file_in,
    laid_over,
    last_good,
    read,
    stands,
    value_in,
)
from execution.runtime.clock import Clock, file_stamp
from execution.runtime.config import as_written
from execution.runtime.files import sync_folder, write_atomically
from execution.runtime.home import Home
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.healing")


class AdjustmentBook:
    """The adjustments of one operation. All methods raise OSError when the disk refuses; nothing is changed then."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self.path = file_in(home.data)
        self._home = home
        self._clock = clock

    def all(self) -> list[Adjustment]:
        """What stands in the file, oldest first; of one that can't be used, what the last good one has."""
        return read(self.path)[0]

    def in_force(self) -> list[Adjustment]:
        """Those that nae.toml, as it is now, leaves standing. Raises ConfigError."""
        config = as_written(self._home.config_file)
        return [row for row in self.all() if stands(row, config)]

    def value(self, key: str, process: str = "") -> Value:
        """What holds now, for a process. Raises ConfigError."""
        return value_in(laid_over(as_written(self._home.config_file), self.all(), process), key)

    def bounds(self, key: str) -> tuple[float, float]:
        """Between what a number may be adjusted. Raises ConfigError."""
        return TUNABLE[key].bounds(key, value_in(as_written(self._home.config_file), key))

    def free_id(self) -> str:
        """An id for the next one: what is to be kept for its revert can be written down before it is added."""
        taken, number = {row.id for row in self.all()}, self._clock.now_ms()
        while f"a{number:x}" in taken:
            number += 1
        return f"a{number:x}"

    def add(self, key: str, value: Value, cause: str, process: str = "", name: str = "") -> Adjustment:
        """One more, `name` its id. Raises AdjustmentsRefused when it can't be, ConfigError when nae.toml can't be
        read."""
        if key not in TUNABLE:
            raise AdjustmentsRefused(f"{key} can't be adjusted; what can: {', '.join(TUNABLE)}")
        config, rows = as_written(self._home.config_file), self.all()
        adjustment = Adjustment(
            id=name or self.free_id(),
            key=key,
            value=value,
            before=value_in(laid_over(config, rows, process), key),
            base=value_in(config, key),
            cause=cause,
            at_ms=self._clock.now_ms(),
            process=process,
        )
        if wrong := adjustment.problem():
            raise AdjustmentsRefused(wrong)
        self._write([*(row for row in rows if stands(row, config)), adjustment])
        return adjustment

    def revert(self, name: str) -> Adjustment | None:
        """Take the one of this id out; it, or None when it isn't there (any more)."""
        rows = self.all()
        found = next((row for row in rows if row.id == name), None)
        if found is not None:
            self._write([row for row in rows if row.id != name])
        return found

    def mend(self) -> str:
        """Set a file that can't be used aside, and put the last good one in its place; what was wrong, '' if none."""
        rows, problem = read(self.path)
        if problem:
            aside = self.path.with_name(f"adjustments.refused-{file_stamp(self._clock.now_ms())}.json")
            self.path.rename(aside)
            self._write(rows)
            log.error("%s; set aside as %s, %d of the last good one hold", problem, aside.name, len(rows))
        return problem

    def _write(self, rows: Sequence[Adjustment]) -> None:
        copy = last_good(self.path)
        if not rows:  # as if there had never been any
            self.path.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
            if self.path.parent.exists():
                sync_folder(self.path.parent)
            return
        content = encode(rows)
        decode(content)  # what would be refused isn't written
        write_atomically(self.path, content)
        write_atomically(copy, content)


async def put_back(name: str, hands: Hands) -> str:
    """Take the adjustment of this id out, and have who runs take that up; what was put back. Raises CannotHeal."""
    try:
        row = AdjustmentBook(hands.home, hands.clock).revert(name)
    except OSError as error:
        raise CannotHeal(f"{name} couldn't be put back: {error}; make room and say it again") from error
    if row is None:
        raise CannotHeal(f"there is no adjustment {name} any more; nae doctor shows those in force")
    done = f"{row.key} is {row.before} again" + (f" for {row.process}" if row.process else "")
    try:
        await hands.ask(row.process or MANAGER, "settings")
    except CannotHeal:
        return f"{done}, from the next start on"
    return done if row.key != "operation.request_timeout_s" else f"{done}, for each process from its next start on"
