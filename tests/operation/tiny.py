"""A tiny operation: the real supervisord and the real manager, over workers of one line each. It starts in a second."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from execution.autonomous.family import Orphans
from execution.autonomous.launch import environment
from execution.autonomous.stop_marker import stop_is_requested, withdraw_stop
from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.autonomous.supervisord_config import FOLDER
from execution.runtime.home import Home
from execution.runtime.locks import is_held, read_holder
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import MANAGER
from tests.support import ROOT, eventually, is_running

WILLING = "import sys; sys.stdin.read()"  # ends with its parent, as a worker does
STUBBORN = "import time; [time.sleep(9) for _ in range(99)]"  # doesn't notice: an orphan that somebody must end
WORKERS = {"willing": WILLING, "stubborn": STUBBORN}


class TinyOperation:
    """One home, the manager, and the workers named in WORKERS."""

    def __init__(self, root: Path) -> None:
        self.home = Home.find(root)
        self.home.prepare()
        sections = [(FOLDER / "supervisord.conf").read_text()]
        for name, code in WORKERS.items():
            (self.home.root / f"{name}.py").write_text(code)
            sections.append(section(name, str(self.home.root / f"{name}.py")))
        sections.append(section(MANAGER, "-m agents.manager"))
        (self.home.run / "supervisord.conf").write_text("\n".join(sections))
        self.door = SupervisorDoor(self.home.socket("supervisor.sock"))
        self.started: list[subprocess.Popen[bytes]] = []

    def spawn(self, **more: str) -> "subprocess.Popen[bytes]":
        """supervisord, as the start command starts it."""
        known = environment(self.home, OperationMode.SANDBOX) | {"PYTHONPATH": str(ROOT)} | more
        with self.home.boot_log("supervisord").open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "agents.operation"],
                env=known,
                cwd=self.home.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started.append(child)
        return child

    def up(self, **more: str) -> "TinyOperation":
        """Started and complete, the manager at work."""
        withdraw_stop(self.home.run)
        self.spawn(**more)
        self.is_complete()
        return self

    def is_complete(self, but_not: int = 0) -> dict[str, int]:
        """Wait until supervisord (not of pid `but_not`) has everybody up and the manager watches; all the pids."""
        eventually(lambda: self.supervisord() not in (0, but_not), within_s=15)
        pids = eventually(self._pids, within_s=20) or {}
        eventually(lambda: " state=running " in self._manager_said(pids[MANAGER]), within_s=20)
        return pids

    def _manager_said(self, pid: int) -> str:
        """The manager's log since the start of the process `pid`."""
        text = self.said(MANAGER)
        return text.rpartition(f"starting process={MANAGER} pid={pid} ")[2] if f" pid={pid} " in text else ""

    def _pids(self) -> dict[str, int] | None:
        try:
            programs = self.door.programs()
        except (SupervisorUnavailable, SupervisorRefused):
            return None
        up = {program.name: program.pid for program in programs if program.state == "RUNNING"}
        return up if set(up) == {*WORKERS, MANAGER} else None

    def supervisord(self) -> int:
        """The pid of whoever holds the operation's lock; 0 when nobody does."""
        lock = self.home.operation_lock
        words = read_holder(lock).split()
        return int(words[1]) if is_held(lock) and len(words) > 1 else 0

    def program(self, name: str) -> ProgramState:
        return next(program for program in self.door.programs() if program.name == name)

    def everybody(self) -> list[int]:
        """Whatever runs in this home: supervisord, and who was started by one."""
        return [*Orphans(self.home.root).living(), *filter(None, [self.supervisord()])]

    def said(self, name: str) -> str:
        """The log of a process, or of supervisord."""
        log = self.home.log_file(name)
        return log.read_text() if log.exists() else ""

    def is_requested_to_stop(self) -> bool:
        return stop_is_requested(self.home.run)

    def end(self) -> None:
        for _ in range(100):
            everybody = self.everybody()
            for pid in everybody:
                try:
                    psutil.Process(pid).kill()
                except psutil.NoSuchProcess:
                    continue  # it ended with the one before
            if not everybody:
                break
        for child in self.started:
            child.kill()
            child.wait()


def section(name: str, arguments: str) -> str:
    """A program of supervisord's that is started with these arguments to Python."""
    template = (FOLDER / "program.conf").read_text()
    lines = [line for line in template.splitlines() if not line.startswith(("command=", "priority=", "startsecs="))]
    command = f'command="%(ENV_NAE_PYTHON)s" -P {arguments}'
    return "\n".join([*lines, command, "startsecs=0"]).replace("{name}", name) + "\n"


def gone(*pids: int) -> bool:
    return not any(map(is_running, pids))


def kill(*pids: int, number: int = signal.SIGKILL) -> None:
    for pid in pids:
        os.kill(pid, number)


@contextmanager
def tiny_operation(root: Path) -> Iterator[TinyOperation]:
    """A tiny operation that isn't started yet; nothing of it outlives the test."""
    operation = TinyOperation(root)
    try:
        yield operation
    finally:
        operation.end()
