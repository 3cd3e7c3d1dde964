"""Workers that misbehave, each in one way and once: its second life behaves. `python misbehaving.py NAME HOW`."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from agents.process import Context, run_process
from execution.runtime.build import build_id
from execution.runtime.tasks import Task
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.messages import Heartbeat

MIB = 2**20
FLOOD_RUNS = 40  # two seconds, and longer where it is short of a core
EACH_S = 0.05
LINES_EACH = 500  # 10,000 a second
FACTS_EACH = 100  # 2,000 a second
CHILDREN_IN_ITS_GROUP = 16
CHILDREN_THAT_LEFT_IT = 16  # neither part alone is too many
BORN = "born"  # the file in the home's data folder where a bomb writes down its children
log = logging.getLogger("nae.misbehaving")


def spin() -> None:
    while True:
        pass


class Misbehaving:
    """An agent with one task, which does as the word says."""

    def __init__(self, context: Context, how: str) -> None:
        self._context = context
        once: Path = context.home.data / f"{context.name}.once"
        self._how = "well" if once.exists() else how
        once.touch()
        self._runs = 0
        self._kept: list[Any] = []

    async def start(self) -> None:
        """It is ready at once."""

    def tasks(self) -> list[Task]:
        return [Task("work", 1.0 if self._how in ("well", "spin") else EACH_S, self._work)]

    async def _work(self) -> None:
        self._runs += 1
        floods = self._runs <= FLOOD_RUNS
        if self._how == "spin" and self._runs == 2:
            threading.Thread(target=spin, daemon=True).start()
            await asyncio.Event().wait()
        if self._how == "leak memory":
            self._kept.append(b"x" * (MIB // 2))
        if self._how == "leak descriptors":
            self._kept += [os.open(os.devnull, os.O_RDONLY) for _ in range(10)]
        if self._how == "bomb" and self._runs == 2:
            whose = [False] * CHILDREN_IN_ITS_GROUP + [True] * CHILDREN_THAT_LEFT_IT
            for own in whose:
                self._kept.append(subprocess.Popen(["sleep", "60"], start_new_session=own))
                with (self._context.home.data / BORN).open("a") as file:
                    file.write(f"{self._kept[-1].pid}\n")
        if self._how == "flood the log" and floods:
            for number in range(LINES_EACH):
                log.info("another line that nobody wants to read, and another", extra={"fields": {"n": number}})
        if self._how == "flood the bus" and floods:
            beat = self._heartbeat()
            for _ in range(FACTS_EACH):
                await self._context.bus.publish(beat)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            process=self._context.name,
            sent_ms=self._context.clock.now_ms(),
            pid=os.getpid(),
            build=build_id(),
            state=ProcessState.RUNNING,
            sequence=0,
            uptime_s=1.0,
        )

    def components(self) -> dict[str, ComponentHealth]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {}

    async def stop(self) -> None:
        """Nothing to give back."""


if __name__ == "__main__":
    sys.exit(run_process(sys.argv[1], lambda context: Misbehaving(context, sys.argv[2])))
