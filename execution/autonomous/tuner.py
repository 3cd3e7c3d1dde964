"""Changes settings on trial and puts them back, as trials.py decides: written down as adjustments, taken up by whom
they concern, recorded with their evidence, their bounds and their verdict. A manager that begins puts back what the
one before it had on trial: it has lost its evidence.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.autonomous.overseer import Overseer
from execution.autonomous.trials import (
    INTERVAL,
    LOG_LEVEL,
    PATIENCE,
    Action,
    Adjust,
    Judge,
    Setting,
    Signals,
    State,
    Verdict,
    forgotten,
    step,
)
from execution.autonomous.tuning import Interval
from execution.runtime.adjustments import AdjustmentsRefused, Value
from execution.runtime.clock import Clock
from execution.runtime.config import as_written
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.programs import MANAGER

log = logging.getLogger("nae.manager")
OURS = (INTERVAL, PATIENCE, LOG_LEVEL)
CANT = (AdjustmentsRefused, ConfigError, OSError)


class Tuner:
    """Of one operation. `take_up` has a process read its settings again; it says itself when it can't be reached."""

    def __init__(self, overseer: Overseer, home: Home, clock: Clock, take_up: Callable[[str], Awaitable[None]]) -> None:
        self._overseer = overseer
        self._clock = clock
        self._take_up = take_up
        self._book = AdjustmentBook(home, clock)
        self._ids: dict[Setting, str] = {}
        self._begun = False
        base = as_written(home.config_file).operation
        now = clock.monotonic()
        interval = Interval(base.health_interval_s, base.health_interval_s, now)
        self._state = State(interval, base.hang_after_s, base.log_level)

    @property
    def interval_s(self) -> float:
        """How often the full health report comes now."""
        return self._state.interval.current_s

    async def _begin(self) -> None:
        """Set a damaged file aside, and put back what was on trial."""
        try:
            self._book.mend()
            for row in self._book.all():
                if row.key in OURS:
                    self._book.revert(row.id)
                    log.info("put back", extra={"fields": {"setting": row.key, "process": row.process, "id": row.id}})
                    await self._tell((row.key, row.process), row.base)
        except CANT as error:
            log.error("adjustments can't be put back: %s", error)

    async def look(self) -> None:
        """Look once, and do what follows."""
        if not self._begun:
            self._begun = True
            await self._begin()
        now = self._clock.monotonic()
        here = {row.id for row in self._book.all()}
        for setting in [name for name in self._state.trials if self._ids.get(name) not in here]:
            self._state = forgotten(self._state, setting, now)
            self._ids.pop(setting, None)
            await self._tell(setting, self._base(setting))
        self._state, actions = step(self._state, self._signals(), now)
        for action in actions:
            await self._carry_out(action)

    def _signals(self) -> Signals:
        overseer = self._overseer
        return Signals(
            errors_per_minute=overseer.errors_per_minute(),
            load_per_core=overseer.machine.load_per_core if overseer.machine else 0.0,
            kills=overseer.asleep_killed,
            errors={
                (name, error.fingerprint): error.count
                for name, row in overseer.watched.items()
                if row.heartbeat and name != MANAGER
                for error in row.heartbeat.errors
            },
        )

    async def _carry_out(self, action: Action) -> None:
        key, process = action.setting
        former = self._ids.pop(action.setting, None)
        try:
            if isinstance(action, Adjust):
                row = self._book.add(key, action.value, action.cause, process)
                self._ids[action.setting] = row.id
                self._say(action, adjustment=row.id, before=row.before, after=row.value, bounds=self._bounds(key))
            elif action.verdict is Verdict.KEPT and former is not None:
                self._ids[action.setting] = former
            if former is not None and self._ids.get(action.setting) != former:
                self._book.revert(former)
        except CANT as error:
            log.error("not adjusted", extra={"fields": {"setting": key, "process": process, "error": error}})
            return
        if isinstance(action, Judge):
            self._say(action, adjustment=former or "")
        if not (isinstance(action, Judge) and action.verdict is Verdict.KEPT):
            await self._tell(action.setting, action.value if isinstance(action, Adjust) else self._base(action.setting))

    def _bounds(self, key: str) -> list[Value]:
        return ["DEBUG"] if key == LOG_LEVEL else list(self._book.bounds(key))

    def _say(self, action: Action, **details: Any) -> None:
        key, process = action.setting
        if isinstance(action, Adjust):
            kind, what = "adjustment", f"{key} = {action.value}"
            metric: dict[str, Any] = {"metric": action.metric, "metric_before": round(action.before, 3)}
        else:
            kind, what = "verdict", f"{key}: {action.verdict}"
            metric = {"metric": action.metric, "metric_before": round(action.before, 3)}
            metric |= {"metric_after": round(action.after, 3), "verdict": action.verdict.value}
        self._overseer.record(kind, process or MANAGER, what, action.cause, **details, **metric)

    def _base(self, setting: Setting) -> Value:
        state = self._state
        bases: dict[str, Value] = {
            INTERVAL: state.interval.base_s,
            PATIENCE: state.patience_s,
            LOG_LEVEL: state.level,
        }
        return bases[setting[0]]

    async def _tell(self, setting: Setting, value: Value) -> None:
        """Those whom it concerns take it up."""
        key, process = setting
        if key == PATIENCE:
            self._overseer.pulses.limit_s = float(value)
        elif key == LOG_LEVEL:
            await self._take_up(process)
