"""A whole operation for a test: its own home, its own ports, real processes; nothing of it outlives the test."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import eventually

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "scripts" / "init_continuous_operation.sh"
NAE = ROOT / "scripts" / "nae"


@dataclass
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Operation:
    """One home and what runs in it."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[int, float]] = field(default_factory=set)  # (pid, its start): a pid alone may be reused

    def run(self, *words: str | Path, timeout_s: float = 90) -> Finished:
        environment = {**os.environ, "NAE_HOME": str(self.home), **self.environment}
        done = subprocess.run(
            list(map(str, words)), env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        self.note_processes()
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(self, mode: str = "dual", *options: str) -> Finished:
        return self.run(START, mode, *options)

    def started(self, mode: str = "dual", *options: str) -> "Operation":
        done = self.start(mode, *options)
        assert done.code == 0, done.text
        return self

    def nae(self, *words: str) -> Finished:
        return self.run(NAE, *words)

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.nae("status", "--json").out)
        return document

    def account(self, name: str) -> dict[str, Any]:
        account: dict[str, Any] = self.status()["accounts"].get(name, {})
        return account

    def pid(self, name: str) -> int:
        pid = self.status()["processes"][name]["pid"]
        assert isinstance(pid, int), f"{name} isn't running"
        return pid

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def processes(self) -> list[psutil.Process]:
        """Everything alive that belongs to this home, found by its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("NAE_HOME") == str(self.home) and process.pid != os.getpid():
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended while we looked, or isn't ours
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def note_processes(self) -> None:
        self.seen |= {(process.pid, process.create_time()) for process in self.processes()}

    def kill_everything(self) -> None:
        """kill -9 of every process of this home, supervisord first."""
        processes = self.processes()
        for process in sorted(processes, key=lambda one: "agents.operation" not in " ".join(one.cmdline())):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue  # it ended with supervisord
        eventually(lambda: not self.processes(), within_s=5)

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text()

    def configure(self, text: str) -> "Operation":
        (self.home / "nae.toml").write_text(text)
        return self

    def running(self, name: str, but_not: int) -> bool:
        row = self.status()["processes"].get(name, {})
        return row.get("state") == "running" and row.get("pid") not in (None, but_not)


@pytest.fixture
def operation(tmp_path: Path) -> Iterator[Operation]:
    """A home with nothing in it yet."""
    home = tmp_path / "home"
    home.mkdir()
    yield from _cared_for(Operation(home))


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    """A dual operation on the default market, shared by the tests of one module."""
    operation = Operation(tmp_path_factory.mktemp("dual"))
    for ready in _cared_for(operation):
        yield ready.started()


def _cared_for(operation: Operation) -> Iterator[Operation]:
    try:
        yield operation
    finally:
        left = operation.processes()
        supervisors = [process for process in left if "agents.operation" in " ".join(process.cmdline())]
        for process in supervisors:
            process.terminate()
        psutil.wait_procs(left, timeout=15)
        for process in operation.processes():
            process.kill()
