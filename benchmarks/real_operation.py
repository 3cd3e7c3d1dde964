"""A real operation in a home of its own, started by the real scripts, for benchmarks that hurt it.

Finds its processes by the environment supervisord gave them, never by a name alone. Nothing of it outlives `end()`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.ledger.queries import account_report
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError

ROOT = Path(__file__).resolve().parents[1]
START = ROOT / "scripts" / "init_continuous_operation.sh"
NAE = ROOT / "scripts" / "nae"
SUPERVISORD = "supervisord"
LIVE = ("live_optimus", "live_optimus_standby")
POLL_S = 0.1


class DidNot(RuntimeError):
    """Something that must come didn't, in time."""


@dataclass(frozen=True)
class Member:
    """One process of the operation, as seen at one moment."""

    name: str
    pid: int
    stopped: bool


class RealOperation:
    """One home and what runs in it."""

    def __init__(self, config: str = "", *, folder: Path | None = None, **environment: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="nae-storm-", dir=folder)).resolve()
        (self.root / "nae.toml").write_text(config)
        self.home = Home.find(self.root)
        self._environment = {**os.environ, "NAE_HOME": str(self.root), **environment}
        self._foreground: list[subprocess.Popen[bytes]] = []

    def call(self, *words: str | Path, within_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """A command, as somebody would type it."""
        told = list(map(str, words))
        return subprocess.run(
            told, env=self._environment, capture_output=True, text=True, timeout=within_s, check=False
        )

    def start(self, mode: str = "dual") -> None:
        """Start it and wait until every process has made progress."""
        done = self.call(START, mode)
        if done.returncode:
            raise DidNot(f"the start ended with {done.returncode}: {done.stdout}{done.stderr}")

    def start_like_a_service(self, mode: str = "dual") -> None:
        """Start it and don't wait, as launchd or systemd does after a death."""
        output = (self.root / "logs" / "storm_service.out").open("ab")
        with output:
            self._foreground.append(
                subprocess.Popen(
                    [START, mode, "--foreground"],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def members(self) -> dict[str, Member]:
        """Who lives now, by supervisord's names."""
        for started in self._foreground:
            started.poll()  # else a killed one stays as a zombie
        found = {}
        for process in psutil.process_iter():
            member = self._member(process)
            if member is not None:
                found[member.name] = member
        return found

    def _member(self, process: psutil.Process) -> Member | None:
        try:
            given = process.environ()
            if given.get("NAE_HOME") != str(self.root) or process.pid == os.getpid():
                return None
            status = process.status()
            supervises = "agents.operation" in process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None  # it ended while we looked, or isn't ours
        name = SUPERVISORD if supervises else given.get("SUPERVISOR_PROCESS_NAME")
        if name is None or status == psutil.STATUS_ZOMBIE:
            return None
        return Member(name, process.pid, status == psutil.STATUS_STOPPED)

    def holder(self) -> int | None:
        """The pid of whoever last took the live account, by its lock file."""
        try:
            words = (self.home.account("live") / "account.lock").read_text().split()
            return int(words[words.index("pid") + 1])
        except (OSError, ValueError, IndexError):
            return None

    def status(self) -> dict[str, Any]:
        """What get_status() says to any process that asks."""
        return ContinuousOperationManager(self.root).get_status()

    def all_run(self) -> bool:
        """Is every process of it running?"""
        rows = self.status().get("processes") or {}
        return bool(rows) and all(row.get("state") == "running" for row in rows.values())

    def is_quiet(self, account: str) -> bool:
        """Reconciled, with nothing on its way and no stop at the venue that could still go off, by its ledger."""
        try:
            report = account_report(self.home.ledger(account))
        except (FileNotFoundError, DatabaseError):
            return False  # not there yet, or being made
        return report.reconciled and not (report.open_orders or report.unknown_orders or report.protective_exits)

    def settle(self, within_s: float) -> None:
        """No entries any more, every fate known. DidNot when it takes longer."""
        until(lambda: self.call(NAE, "pause", "the storm is over").returncode == 0, within_s, "pause")
        for account in ("sandbox", "live"):
            until(partial(self.is_quiet, account), within_s, f"a quiet {account} account")

    def stop(self) -> float:
        """In order; how long it took, in seconds. DidNot when something is left."""
        began = time.monotonic()
        done = self.call(NAE, "down")
        took_s = time.monotonic() - began
        left = self.members()
        if done.returncode or left:
            raise DidNot(f"nae down ended with {done.returncode}, {sorted(left)} left: {done.stdout}{done.stderr}")
        return took_s

    def kill_all(self) -> None:
        """kill -9 of everything that lives in this home, supervisord first."""
        members = self.members()
        for name in sorted(members, key=lambda name: name != SUPERVISORD):
            send(members[name].pid, signal.SIGKILL)

    def end(self) -> None:
        """Whatever happened: nothing is left running. The files stay."""
        deadline = time.monotonic() + 15
        while self.members() and time.monotonic() < deadline:
            self.kill_all()
            time.sleep(POLL_S)

    def remove(self) -> None:
        """The files too."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.home.run != self.home.data / "run":
            shutil.rmtree(self.home.run, ignore_errors=True)


def send(pid: int, number: int) -> bool:
    """A signal to a process that may have ended meanwhile: False then."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def until(probe: Callable[[], bool], within_s: float, what: str, every_s: float = POLL_S) -> None:
    """Wait for `probe`. DidNot after `within_s`."""
    deadline = time.monotonic() + within_s
    while not probe():
        if time.monotonic() > deadline:
            raise DidNot(f"no {what} after {within_s:g} s")
        time.sleep(every_s)
