"""What the manager remembers of crashes and restarts beyond its own death: else a crash loop would begin anew, and be
let off, whenever the manager dies too.

One small file, written anew when something has happened. Its times are monotonic, which go on over a death but not over
a reboot: a file of another boot, or one that can't be read, is no memory at all.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from execution.autonomous.restart_policy import History
from execution.autonomous.supervisor_door import Exits
from execution.autonomous.watched import Watched
from execution.runtime.clock import Clock
from execution.runtime.files import write_atomically

log = logging.getLogger("nae.manager")
NAME = "crash_memory.json"
KEPT_FOR_S = 86_400.0  # restarts are told for a day
STEP_S = 60.0  # the wall clock is set now and then; after a reboot the two clocks differ by far more


class CrashMemory:
    """Of one operation. `supervisord` is the pid of who counts exits now: another's counts begin at zero."""

    def __init__(self, run: Path, clock: Clock, supervisord: int | None = None) -> None:
        self._path = run / NAME
        self._clock = clock
        self._supervisord = os.getppid() if supervisord is None else supervisord
        self._kept: dict[str, Any] = {}

    def recall(self, watched: Mapping[str, Watched]) -> None:
        """Give each what was remembered of it."""
        try:
            text = json.loads(self._path.read_text())
            passed_s = self._clock.monotonic() - text["monotonic_s"]
            if passed_s < 0 or abs(self._clock.now_ms() / 1000 - text["wall_ms"] / 1000 - passed_s) > STEP_S:
                return
            same = text["supervisord"] == self._supervisord
            for name in text["programs"].keys() & watched.keys():
                self._give(watched[name], text["programs"][name], same)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("no memory of earlier crashes", extra={"fields": {"file": self._path, "error": error}})

    def _give(self, watched: Watched, row: dict[str, Any], same_supervisord: bool) -> None:
        now = self._clock.monotonic()
        counted = Exits(**row["counted"]) if row["counted"] and same_supervisord else None
        watched.history = History(
            counted=counted,
            crashes=int(row["crashes"]),
            crashed_last=bool(row["crashed_last"]) and same_supervisord,  # its heir starts everybody once
            own=tuple(map(float, row["own"])),
            quarantined=bool(row["quarantined"]),
            bad_at=now,  # the good minutes that make us forget are seen by ourselves
        )
        watched.restarted_at.extend(float(at) for at in row["restarted_at"] if now - at < KEPT_FOR_S)
        watched.restarts = len(watched.restarted_at)

    def keep(self, watched: Mapping[str, Watched]) -> None:
        """Write down what has changed. A full disk costs the memory, never the judge."""
        rows = {name: _row(one) for name, one in watched.items() if one.history.crashes or one.restarted_at}
        if rows == self._kept:
            return
        self._kept = rows
        now = {"monotonic_s": self._clock.monotonic(), "wall_ms": self._clock.now_ms()}
        try:
            write_atomically(self._path, json.dumps({**now, "supervisord": self._supervisord, "programs": rows}))
        except OSError as error:
            log.warning("crashes not remembered", extra={"fields": {"file": self._path, "error": error}})


def _row(watched: Watched) -> dict[str, Any]:
    known = asdict(watched.history)
    names = ("counted", "crashes", "crashed_last", "own", "quarantined")
    return {name: known[name] for name in names} | {"restarted_at": list(watched.restarted_at)}


def forget(run: Path) -> None:
    """A person starts the whole operation: what was is over."""
    (run / NAME).unlink(missing_ok=True)
