"""The one door to supervisord: XML-RPC over its Unix socket, every call with a time-out, so that a hung
supervisord hangs nobody else."""

import contextlib
import http.client
import socket
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from execution.vocabulary.limits import RPC_TIMEOUT_S


class SupervisorUnavailable(Exception):
    """supervisord doesn't answer: not running, hung, or stopping."""


class SupervisorRefused(Exception):
    """supervisord answered no (the program is already running, is unknown, ...)."""


@dataclass(frozen=True)
class ProgramState:
    """What supervisord knows of one program. `since_s` is how long it has been in this state, by its clock."""

    name: str
    group: str
    state: str  # STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN
    pid: int
    since_s: float
    exit_status: int
    explanation: str


@dataclass(frozen=True)
class Exits:
    """How often a program has ended, how often of that by plan, and its last exit code (or minus the signal)."""

    count: int
    planned: int
    last_status: int


@dataclass(frozen=True)
class PlugInState:
    """What our plug-in inside supervisord says of itself. Not `working`: `problem` says why, and what holds instead."""

    working: bool
    problem: str
    spawn: str = "fork"  # or posix_spawn
    wakes: int = 0
    held: tuple[str, ...] = ()
    exits: Mapping[str, Exits] = field(default_factory=dict)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path, self._timeout_s)


class SupervisorDoor:
    """Asks and tells one supervisord. Raises SupervisorUnavailable and SupervisorRefused."""

    def __init__(self, socket_path: Path, timeout_s: float = RPC_TIMEOUT_S) -> None:
        self._path = socket_path
        self._timeout_s = timeout_s

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = _Transport(str(self._path), self._timeout_s)
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise SupervisorRefused(f"{method}{arguments}: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError) as error:  # the last: cut off
            raise SupervisorUnavailable(f"supervisord at {self._path}: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                transport.close()

    def operating(self) -> bool:
        """Is it up and not shutting down?"""
        return bool(self._call("supervisor.getState")["statename"] == "RUNNING")

    def programs(self) -> list[ProgramState]:
        """Every program and its state."""
        return [_program_state(row) for row in self._call("supervisor.getAllProcessInfo")]

    def start(self, program: ProgramState) -> None:
        """Start a stopped program, without waiting for it."""
        self._call("supervisor.startProcess", f"{program.group}:{program.name}", False)

    def stop(self, program: ProgramState) -> None:
        """Tell a running program to end, without waiting for it; it stays down until it is started."""
        self._call("supervisor.stopProcess", f"{program.group}:{program.name}", False)

    def signal(self, program: ProgramState, name: str) -> None:
        """Send a signal ("KILL", "TERM") to a running program."""
        self._call("supervisor.signalProcess", f"{program.group}:{program.name}", name)

    def look(self, held: Iterable[str] | None) -> tuple[list[ProgramState], PlugInState]:
        """Every program, what our plug-in says, and the list of those who stay down said again, in one call."""
        words: list[tuple[str, list[Any]]] = [("supervisor.getAllProcessInfo", []), ("nae.getPlugIn", [])]
        words += [] if held is None else [("nae.holdBack", [sorted(held)])]
        rows, told, *_ = self._call("system.multicall", [{"methodName": one, "params": given} for one, given in words])
        if isinstance(rows, dict):
            raise SupervisorRefused(f"getAllProcessInfo: {rows.get('faultString')}")
        programs = [_program_state(row) for row in rows]
        if "faultString" in told:
            return programs, PlugInState(False, f"supervisord runs without the plug-in: {told['faultString']}")
        return programs, _plug_in_state(told)

    def plug_in(self) -> PlugInState:
        """What our plug-in says; a supervisord that has none is said to have none."""
        try:
            return _plug_in_state(self._call("nae.getPlugIn"))
        except SupervisorRefused as refused:
            return PlugInState(False, f"supervisord runs without the plug-in: {refused}")

    def hold_back(self, names: Iterable[str]) -> None:
        """Say the whole list of those that stay down when they end; everybody else that is down starts now. To be
        said at least once a second, also when it is empty: it is the manager's sign of life."""
        self._call("nae.holdBack", sorted(names))


def _plug_in_state(told: dict[str, Any]) -> PlugInState:
    exits = {name: Exits(row["count"], row["planned"], row["last_status"]) for name, row in told["exits"].items()}
    held = tuple(told["held"])
    return PlugInState(told["working"], told["problem"], told["spawn"], told["wakes"], held, exits)


def _program_state(row: dict[str, Any]) -> ProgramState:
    return ProgramState(
        name=row["name"],
        group=row["group"],
        state=row["statename"],
        pid=row["pid"],
        since_s=max(0.0, float(row["now"] - max(row["start"], row["stop"]))),
        exit_status=row["exitstatus"],
        explanation=row["spawnerr"] or row["description"],
    )
