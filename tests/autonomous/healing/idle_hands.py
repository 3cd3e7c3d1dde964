"""What a remedy may use where no process runs: a home, a clock, and a memory of what was asked for."""

from typing import Any

from execution.autonomous.healing.remedy import CannotHeal, Undo
from execution.runtime.clock import Clock, SystemClock
from execution.runtime.home import Home


class QuietHands:
    """`answers`: what processes say, by name. `exposed`: the accounts that hold something."""

    pace = 1.0

    def __init__(self, home: Home, clock: Clock | None = None) -> None:
        self.home = home
        self.clock = clock or SystemClock()
        self.answers: dict[str, dict[str, Any]] = {}
        self.renewed: list[str] = []
        self.kept: list[Undo] = []
        self.exposed: set[str] = set()

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        if process not in self.answers:
            raise CannotHeal(f"{process} isn't running")
        return self.answers[process]

    async def renew(self, process: str, cause: str) -> None:
        self.renewed.append(process)

    def is_exposed(self, account: str) -> bool:
        return account in self.exposed

    def twin_of_sandbox(self) -> str:
        return ""

    def keep(self, undo: Undo) -> None:
        self.kept.append(dict(undo))
