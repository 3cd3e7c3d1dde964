"""Starts supervisord and sees the operation to its first progress; stops it in order. The one door to subprocess.

One spawner, ever: this starts supervisord, and supervisord starts everything else.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from execution.autonomous import crash_memory
from execution.autonomous.builds import Builds, module_command
from execution.autonomous.commands import forget
from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.family import Family, Members, Orphans
from execution.autonomous.ground import check_not_running
from execution.autonomous.stop_marker import request_stop, withdraw_stop
from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.autonomous.supervisord_config import render
from execution.autonomous.vitals import command_line
from execution.runtime.clock import Clock, block
from execution.runtime.config import absolute_market, load
from execution.runtime.files import tail_lines, write_atomically
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import holder_pid, is_held
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.limits import JUDGE_PERIOD_S, READY_WITHIN_S, STOP_ALL_WITHIN_S
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import programs_of

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_STATE_HOME", "LD_LIBRARY_PATH")
FROM_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # for supervisord itself, which drops them
POLL_S = 0.15
CRASHES_TOO_MANY = 3
KILLED_WITHIN_S = 3.0
LEFT_ALONE_END_WITHIN_S = 2.0  # orphans end by themselves, and the manager or an heir ends the others: if those live
LINES_SHOWN = 8
LINES_LOOKED_AT = 500

Progress = Callable[[dict[str, Any]], None]


class StartFailed(Exception):
    """The operation didn't come up. The text holds the reason and the log lines that show it."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Stopped:
    """How a stop went. `killed` names the pids that didn't end by themselves."""

    seconds: float
    killed: tuple[int, ...]


def environment(home: Home, mode: OperationMode) -> dict[str, str]:
    """What the processes get to see: a short list of the ordinary, NAE_*, and never a secret."""
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("NAE_")}
    if "NAE_MARKET" in kept:  # said where the user is; the processes are in the home
        kept["NAE_MARKET"] = absolute_market(kept["NAE_MARKET"], Path.cwd())
    return kept | {
        "NAE_HOME": str(home.root),
        "NAE_RUN": str(home.run),
        "NAE_PYTHON": sys.executable,
        "NAE_MODE": mode,
        "NAE_STANDBY": "1" if load(home.config_file).operation.standby else "0",
        "NAE_PROJECT": str(PROJECT_ROOT),
        "PYTHONPATH": str(home.builds / "current"),
        "PYTHONUNBUFFERED": "1",
    }


def _command(home: Home, mode: OperationMode) -> list[str]:
    withdraw_stop(home.run)
    forget(home.run)
    crash_memory.forget(home.run)
    builds = Builds(home)
    builds.begin(builds.snapshot())
    builds.prune(set(), is_alive=lambda pid: command_line(pid) != "")
    write_atomically(home.run / "supervisord.conf", render(mode, load(home.config_file).operation.standby))
    return module_command("agents.operation")


def run_in_foreground(home: Home, mode: OperationMode) -> NoReturn:
    """Become supervisord. For services and containers."""
    command = _command(home, mode)
    known = environment(home, mode) | {name: os.environ[name] for name in FROM_SYSTEMD if name in os.environ}
    os.chdir(home.root)
    os.execve(command[0], command, known)  # noqa: S606 - an argument list, no shell


def start(home: Home, mode: OperationMode, clock: Clock, progress: Progress) -> dict[str, Any]:
    """Start supervisord in the background and wait until every process has made progress; the status then.

    Raises StartFailed with reason and log lines, and nothing is left running; BusyError when another was quicker.
    """
    boot_log = home.boot_log("supervisord")
    for program in programs_of(mode, load(home.config_file).operation.standby):
        home.refusal(program.name).unlink(missing_ok=True)
    with boot_log.open("ab") as output:
        child = subprocess.Popen(
            _command(home, mode),
            env={name: value for name, value in environment(home, mode).items() if name != "NAE_SERVICE"},
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _wait_until_running(home, mode, child, clock, progress)
    except StartFailed:
        if child.poll() is None:
            stop(home, clock)
        raise
    except KeyboardInterrupt:
        stop(home, clock)
        raise


def _wait_until_running(
    home: Home, mode: OperationMode, child: "subprocess.Popen[Any]", clock: Clock, progress: Progress
) -> dict[str, Any]:
    manager = ContinuousOperationManager(home.root, clock)
    door = SupervisorDoor(home.socket("supervisor.sock"))
    expected = {program.name for program in programs_of(mode, load(home.config_file).operation.standby)}
    deadline = clock.monotonic() + READY_WITHIN_S
    status: dict[str, Any] = {}
    while clock.monotonic() < deadline:
        if child.poll() is not None:
            code = child.returncode
            check_not_running(home)  # two started at once, and the other was quicker
            raise _failure(home, "supervisord", f"supervisord ended with code {code}", _own(code))
        _check_programs(home, door, expected)
        status = manager.get_status()
        progress(status)
        rows = status["processes"]
        for name, row in rows.items():
            if row.get("restarts", 0) >= CRASHES_TOO_MANY:
                raise _failure(home, name, f"{name} has crashed {row['restarts']} times", ExitCode.UNAVAILABLE)
        if set(rows) == expected and all(map(_come_up, rows.values())):
            return _judged(manager, status, clock)
        block(POLL_S)
    waiting = [name for name in sorted(expected) if not _come_up(status.get("processes", {}).get(name, {}))]
    problem = f"not running after {READY_WITHIN_S:g} s: {', '.join(waiting)}"
    raise _failure(home, waiting[0] if waiting else "supervisord", problem, ExitCode.UNAVAILABLE)


def _come_up(row: dict[str, Any]) -> bool:
    """It makes progress, or a person has stopped it meanwhile: that is no failure of the start."""
    return row.get("state") == "running" or row.get("stopped_by_operator") is True


def _own(code: int) -> int:
    """supervisord's exit code where it is one of ours (75: another holds the lock), else "didn't come up"."""
    return code if code in list(ExitCode) and code != ExitCode.OK else ExitCode.UNAVAILABLE


def _judged(manager: ContinuousOperationManager, status: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """The status once the judge, who looks once a second, has seen the last process run too."""
    deadline = clock.monotonic() + 3 * JUDGE_PERIOD_S
    while status["overall_status"] != HealthStatus.HEALTHY and clock.monotonic() < deadline:
        block(POLL_S)
        status = manager.get_status()
    return status


def _check_programs(home: Home, door: SupervisorDoor, expected: set[str]) -> None:
    for name in sorted(expected):
        if home.refusal(name).exists():
            code, _, reason = home.refusal(name).read_text().partition(" ")
            raise _failure(home, name, f"{name} can't start: {reason}", int(code))
    try:
        programs = door.programs()
    except (SupervisorUnavailable, SupervisorRefused):
        return  # not up yet; the deadline and the child's own end are watched beside this
    for program in programs:
        if program.state == "FATAL":
            raise _failure(home, program.name, _why(program), ExitCode.UNAVAILABLE)


def _why(program: ProgramState) -> str:
    return f"{program.name} doesn't start: {program.explanation}"


def _failure(home: Home, name: str, problem: str, code: int) -> StartFailed:
    written = _since_last_start(tail_lines(home.log_file(name), LINES_LOOKED_AT))
    lines = [*tail_lines(home.boot_log(name), LINES_SHOWN), *written[-LINES_SHOWN:]]
    telling = [line for line in lines if " ERROR " in line or "Error" in line] or lines
    shown = "\n".join(f"  {line}" for line in telling[-LINES_SHOWN:])
    return StartFailed(f"{problem}\n{home.log_file(name)}:\n{shown or '  (empty)'}", code)


def _since_last_start(lines: list[str]) -> list[str]:
    """What an earlier start has said explains nothing about this one."""
    starts = [number for number, line in enumerate(lines) if " nae.process: starting " in line]
    return lines[starts[-1] :] if starts else lines


def operation_pid(home: Home) -> int | None:
    """The pid of the running operation's supervisord, by its lock; None when nothing runs."""
    return holder_pid(home.operation_lock)


def stop(home: Home, clock: Clock) -> Stopped | None:
    """Stop everything in order and wait until nothing is left; None when nothing ran.

    What is still there after STOP_ALL_WITHIN_S, or LEFT_ALONE_END_WITHIN_S after its supervisord has gone, is killed,
    by identity and not by number alone, and named; what even that doesn't end (stuck in the kernel) isn't waited for.
    """
    began = clock.monotonic()
    if home.run.exists():  # said first, and also when nobody is seen: an heir may be about to take the lock
        request_stop(home.run, f"nae down (pid {os.getpid()})", clock)
    pid = operation_pid(home)
    kin: list[Members] = [Orphans(home.root)] if pid is None else [Family(pid)]
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it has died since; what it left ends
            os.kill(pid, signal.SIGTERM)
    elif not kin[0].living():
        return None
    killed: tuple[int, ...] = ()
    patience_s = STOP_ALL_WITHIN_S
    while _living(kin, home):
        spent = clock.monotonic() - began
        if not is_held(home.operation_lock):
            patience_s = min(patience_s, spent + LEFT_ALONE_END_WITHIN_S)
        if spent > patience_s and not killed:
            killed = tuple(pid for members in kin for pid in members.kill())
        if spent > patience_s + KILLED_WITHIN_S:
            break
        block(0.05)
    return Stopped(clock.monotonic() - began, killed)


def _living(kin: list[Members], home: Home) -> bool:
    """Is anybody left? When supervisord's family has gone, one look for orphans: it may have died on the way."""
    for members in kin:
        members.look()
    if not any(members.living() for members in kin) and len(kin) == 1:
        kin.append(Orphans(home.root))
    return any(members.living() for members in kin)
