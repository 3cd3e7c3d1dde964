"""The live account's two traders as a test sees them: who holds the account, who waits, what each says of itself."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from execution.ledger.account_lock import holder_of
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from tests.chaos.checker import orders_sent
from tests.chaos.family import Family, family_in
from tests.support import ROOT, eventually

FIRST, SECOND = "live_optimus", "live_optimus_standby"
OTHER = {FIRST: SECOND, SECOND: FIRST}
TAKEN = "took the account over"


class Twins:
    """A venue and both live traders."""

    def __init__(self, family: Family) -> None:
        self.family = family

    def says(self, name: str) -> dict[str, Any]:
        """A trader's own status; {} while it doesn't answer."""
        try:
            return ask(self.family.home.run, name, "status", SystemClock())
        except (NoAnswer, Refused):
            return {}

    def holder(self) -> str:
        return eventually(lambda: holder_of(self.family.home, "live"), within_s=20)

    def ready(self) -> tuple[str, str]:
        """(holder, its standby), once the second could take over at once. Many starts in one minute use up what the
        venue lets one address ask in it: then the next minute is waited for."""
        pair = eventually(self._both_ready, within_s=90)
        assert pair is not None
        return pair

    def _both_ready(self) -> tuple[str, str] | None:
        """The active one too: it answers a little after it has taken the account."""
        active = [name for name in OTHER if self.says(name).get("role") == "active"]
        if len(active) != 1 or not self.says(OTHER[active[0]]).get("standby_ready"):
            return None
        return active[0], OTHER[active[0]]

    def taken_over(self, name: str, epoch: int) -> str:
        """The line in which `name` says that it has taken the account over, as `epoch`."""
        told = eventually(lambda: self._lines(name, f"{TAKEN} epoch={epoch} "), within_s=15, every_s=0.005)
        return str(told[-1])

    def _lines(self, name: str, text: str) -> list[str]:
        return [line for line in self.family.log(name).splitlines() if text in line]

    def epoch(self) -> int:
        """The active one's."""
        return int(eventually(lambda: int(self.says(self.holder()).get("epoch", 0)), within_s=15))

    def trades_on(self) -> None:
        before = orders_sent(self.family.home.root)
        eventually(lambda: orders_sent(self.family.home.root) > before, within_s=30, every_s=0.005)

    def settle(self) -> None:
        """No entries any more, every fate known, everybody stopped in order; then the judge's word on it."""
        eventually(lambda: self._paused(self.holder()), within_s=15)
        eventually(lambda: self.family.is_quiet("live"), within_s=20, every_s=0.1)
        for name in (OTHER[self.holder()], self.holder(), "venue"):
            assert self.family.stop(name) == 0
        judged = subprocess.run(
            [sys.executable, "-m", "benchmarks.judge", str(self.family.home.root)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert judged.returncode == 0, judged.stdout + judged.stderr

    def _paused(self, name: str) -> bool:
        try:
            return bool(ask(self.family.home.run, name, "pause", SystemClock(), deadline_s=5, reason="the end"))
        except (NoAnswer, Refused):
            return False


@contextmanager
def twins_in(root: Path, speed: int = 300) -> Iterator[Twins]:
    """Both traders and their venue, trading."""
    with family_in(root, speed=speed) as family:
        twins = Twins(family)
        family.start("venue", FIRST)
        twins.holder()  # the order they are started in is the order they come in, however loaded the machine is
        family.start(SECOND)
        yield twins
