"""A crash to the replacement's first act, under every supervisor there is, interleaved in one run.

The floor is the same payload started by this program itself, right after it has seen its child's death.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.payload import Payload
from benchmarks.supervisors import Place, Supervisor

FLOOR = "floor: wait and spawn"
FIRST_WITHIN_S = 30.0
REST_S = 1.1  # runsv and s6-supervise rest when a program lived for less than a second


@dataclass
class Contender:
    """Somebody who brings the payload back, and how long it took each time, in milliseconds."""

    name: str
    place: Place
    supervisor: Supervisor | None
    times_ms: list[float] = field(default_factory=list)
    pipe: int = -1
    pid: int = 0
    began: float = 0.0
    child: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the supervisor and wait for the payload's first act."""
        self.place.folder.mkdir(parents=True)
        os.mkfifo(self.place.folder / "pipe")
        self.pipe = os.open(self.place.folder / "pipe", os.O_RDWR)  # both ends, so that it never comes to an end
        if self.supervisor is None:
            self._spawn()
        else:
            self.supervisor.start(self.place)
        self._read()

    def _spawn(self) -> None:
        given = {**os.environ, "PAYLOAD_PIPE": str(self.place.folder / "pipe")}
        command = [self.place.program]
        self.child = subprocess.Popen(command, env=given, close_fds=False, stdin=subprocess.DEVNULL)

    def _read(self) -> None:
        ready, _, _ = select.select([self.pipe], [], [], FIRST_WITHIN_S)
        if not ready:
            raise SystemExit(f"{self.name} started nothing in {FIRST_WITHIN_S:g} s: {self.place.folder / 'output'}")
        self.pid = int(os.read(self.pipe, 64).split()[-1])
        self.began = time.monotonic()

    def round(self) -> None:
        """Kill the payload and wait for its successor."""
        rest = self.began + REST_S - time.monotonic()
        if rest > 0:
            time.sleep(rest)
        began = time.perf_counter()
        os.kill(self.pid, signal.SIGKILL)
        if self.child is not None:
            self.child.wait()
            self._spawn()
        self._read()
        self.times_ms.append((time.perf_counter() - began) * 1000)

    def stop(self) -> None:
        """Nothing of it is left."""
        if self.supervisor is not None and self.pipe >= 0:
            self.supervisor.end(self.place)
        self.place.stop()
        if self.child is not None:
            self.child.kill()
            self.child.wait()
        if self.pipe >= 0:
            os.close(self.pipe)


def contenders(
    supervisors: Iterable[Supervisor], payload: Payload, folder: Path, find: Callable[[str], str | None]
) -> tuple[list[Contender], list[str]]:
    """The floor and everybody who is installed; and who isn't."""
    found = [Contender(FLOOR, Place(folder / "0", payload, find), None)]
    missing = []
    for number, supervisor in enumerate(supervisors, 1):
        if supervisor.program is not None and find(supervisor.program) is None:
            missing.append(supervisor.name)
        else:
            found.append(Contender(supervisor.name, Place(folder / str(number), payload, find), supervisor))
    return found, missing


def race(entrants: list[Contender], rounds: int, told: Callable[[str], None]) -> None:
    """Round after round, everybody in turn; the times are in the contenders."""
    try:
        for contender in entrants:
            told(f"starting {contender.name}")
            contender.start()
        for number in range(rounds):
            turn = number % len(entrants)  # nobody always comes right after the same neighbour's work
            for contender in entrants[turn:] + entrants[:turn]:
                told(f"round {number + 1} of {rounds}: {contender.name}")
                contender.round()
    finally:
        for contender in entrants:
            contender.stop()
