"""Keeps what the plug-in knows between two passes of supervisord's loop: the exits, the manager's list, the manager's
signs of life. Each decision is a pure function of exit_record.py or manager_watch.py.
"""

from collections.abc import Iterable
from typing import Any

from execution.autonomous.plug_in import exit_record, manager_watch
from execution.autonomous.plug_in.exit_record import ExitLimit, ExitRecord, HoldList
from execution.autonomous.plug_in.manager_watch import ManagerWatch, Patience
from execution.runtime.clock import Clock


class Steward:
    """One for the life of supervisord, through its reloads."""

    def __init__(self, clock: Clock, limit: ExitLimit, patience: Patience, manager: str) -> None:
        self._clock = clock
        self._limit = limit
        self._patience = patience
        self._manager = manager
        self._list = HoldList()
        self._watch = ManagerWatch()
        self._let_go = False
        self.records: dict[str, ExitRecord] = {}

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def ended(self, name: str, status: int, asked: bool) -> None:
        """One more exit. `asked`: it had been told to stop."""
        record = self.records.get(name, ExitRecord())
        self.records[name] = exit_record.ended(record, status, asked, self.monotonic(), self._limit)

    def may_start(self, name: str) -> bool:
        """It is down, and nobody stopped it: start it now?"""
        now = self.monotonic()
        record = self.records.get(name, ExitRecord())
        let_go = self._let_go and name != self._manager
        return exit_record.due(self._list.holds(name, now), let_go, record, now, self._limit)

    def hold_back(self, names: Iterable[str], processes: Iterable[Any]) -> None:
        """The manager says whom it holds; all others that are down start now."""
        now = self.monotonic()
        self._watch = manager_watch.spoke(self._watch, now)
        self._list = exit_record.said(names, self._manager, now)
        self._let_go = True
        try:
            for process in processes:
                process.transition()
        finally:
            self._let_go = False

    def manager_hangs(self, pid: int) -> bool:
        """Asked once in each pass of the loop, with the manager's pid or 0."""
        self._watch, hung = manager_watch.look(self._watch, pid, self.monotonic(), self._patience)
        return hung
