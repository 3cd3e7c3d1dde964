"""ContinuousOperationManager: the running operation as seen from any process. It asks; it never guesses from an empty
object of its own. The manager's process itself (agents/manager.py) answers from its Overseer.
"""

from pathlib import Path
from typing import Any

from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.runtime.clock import Clock, SystemClock
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import is_held, read_holder
from execution.vocabulary.programs import MANAGER

try:
    from execution.runtime.bus import NoAnswer, Refused, ask
    from execution.vocabulary.health import HealthStatus
except ModuleNotFoundError as error:
    problem = f"{error}: this Python hasn't NAE's packages; {PROJECT_ROOT}/.venv/bin/python has"
    raise ModuleNotFoundError(problem, name=error.name) from error


class ContinuousOperationManager:
    """The operation of one home (default: $NAE_HOME, else the project's root)."""

    def __init__(self, home: str | Path | None = None, clock: Clock | None = None) -> None:
        self._home = Home.find(home)
        self._clock = clock or SystemClock()

    def get_status(self) -> dict[str, Any]:
        """The running operation: running, mode, overall_status, enhancements_applied, error_rate, learning_active,
        processes{name: status, state, pid, uptime_seconds, error_count, ...}, system_resources.

        When the manager doesn't answer, what supervisord knows, as CRITICAL; with neither, `running` is False.
        """
        try:
            return ask(self._home.run, MANAGER, "status", self._clock)
        except (NoAnswer, Refused) as silence:
            return self._without_manager(str(silence))

    def _without_manager(self, cause: str) -> dict[str, Any]:
        status: dict[str, Any] = {
            "running": False,
            "mode": None,
            "overall_status": None,
            "enhancements_applied": 0,
            "error_rate": 0.0,
            "learning_active": False,
            "processes": {},
            "system_resources": {},
            "note": cause,
        }
        if not is_held(self._home.operation_lock):
            start = "start it with ./scripts/init_continuous_operation.sh"
            return status | {"note": f"not running; {start} (the home is {self._home.root})"}
        status |= {"running": True, "overall_status": HealthStatus.CRITICAL, "mode": self._mode()}
        try:
            programs = SupervisorDoor(self._home.socket("supervisor.sock")).programs()
        except (SupervisorUnavailable, SupervisorRefused) as error:
            if "SHUTDOWN_STATE" in str(error):
                return status | {"note": "stopping: supervisord is ending every process"}
            return status | {"note": f"{cause}; {error}; within seconds it is taken over, else: nae down, then nae up"}
        return status | {"processes": {program.name: _row(program) for program in programs}}

    def _mode(self) -> str | None:
        words = read_holder(self._home.operation_lock).split()
        return words[words.index("mode") + 1] if "mode" in words else None


def _row(program: ProgramState) -> dict[str, Any]:
    running = program.state == "RUNNING"
    return {
        "status": HealthStatus.DEGRADED if running or program.state == "STARTING" else HealthStatus.CRITICAL,
        "state": "ready" if running else program.state.lower(),
        "pid": program.pid or None,
        "uptime_seconds": program.since_s,
        "error_count": 0,
        "causes": ["not judged: the manager doesn't answer"],
    }
