"""Healing's books while no manager runs: looked at, and what a person says written down, under the same lock."""

import asyncio
from collections.abc import Callable
from typing import Any

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.answers import LOOKS, answer
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.hands import IdleHands
from execution.autonomous.healing.healer import Healer
from execution.autonomous.healing.healing_record import HealingRecord
from execution.autonomous.healing.memory import LOCK
from execution.autonomous.healing.persons_word import CannotObey
from execution.autonomous.healing.remedy import folder_of
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.runtime.locks import FileLock


def answer_idle(
    home: Home, clock: Clock, arguments: dict[str, Any], audit: Callable[..., None] | None = None
) -> dict[str, Any]:
    """The answer that the manager would give. Raises CannotObey; BusyError when somebody holds the books after all;
    OSError."""
    if arguments.get("act") not in LOOKS and not folder_of(home).is_dir():
        raise CannotObey("healing has had nothing to do in this home yet: nae heal list --all")
    lock = FileLock(folder_of(home) / LOCK)
    if arguments.get("act") not in LOOKS or folder_of(home).is_dir():
        lock.acquire("nae heal")
    try:
        changes = ChangeLog(home.change_log, clock)
        hands = IdleHands(home, clock)
        healer = Healer(home, clock, Catalogue(), hands=lambda kept: hands, record=HealingRecord(changes, audit))
        return asyncio.run(answer(healer, changes, clock, arguments))
    finally:
        lock.release()
