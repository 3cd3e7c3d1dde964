"""Commands about the operation as a whole: up, down, status, doctor."""

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.ground import UnfitError, check_ground
from execution.autonomous.launch import StartFailed, operation_pid, run_in_foreground, start, stop
from execution.autonomous.service import ServiceKeeper, keep_awake
from execution.autonomous.service_files import start_command
from execution.autonomous.service_state import in_shell, in_words
from execution.autonomous.vitals import started_ms
from execution.console.account_status import accounts_of
from execution.console.doctor import examine
from execution.console.output import complain, errors, print_json, say, screen, table
from execution.console.status_view import keeping, problems, show_status
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.modes import OperationMode

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
NEXT = """next:  scripts/nae status          what runs, how well, and both accounts
       scripts/nae fills           what was bought and sold
       scripts/nae logs -f         what each process says (or: tail -f {logs}/*.log)
       scripts/nae down            stop everything (or: kill $(cat {pid_file}))"""


def operation_status(home: Home) -> dict[str, Any]:
    """get_status() with the accounts (the traders' own word, else their ledgers), supervisord, and the service."""
    clock = SystemClock()
    status = ContinuousOperationManager(home.root, clock).get_status()
    pid = operation_pid(home)
    began_ms = started_ms(pid) if pid is not None else None
    up_s = None if began_ms is None else max(0.0, (clock.now_ms() - began_ms) / 1000)
    service = ServiceKeeper(home).found()
    return status | {
        "accounts": accounts_of(home, status),
        "supervisord": {"pid": pid, "uptime_seconds": up_s},
        "service": asdict(service) | {"text": in_words(service)},
    }


def up(
    mode: Annotated[str, typer.Argument(help="dual, sandbox or live.")] = "dual",
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, for services and containers.")] = False,
    no_standby: Annotated[
        bool, typer.Option("--no-standby", help="No second live trader, for small machines.")
    ] = False,
    health_interval: Annotated[
        float | None, typer.Option("--health-interval", help="Seconds between full health samples, 1 to 3600.")
    ] = None,
) -> None:
    """Start the operation in the background and wait for every process's first progress.

    Examples: nae up · nae up sandbox · nae up dual --no-standby --health-interval 60 ·
    NAE_MARKET=replay:candles.parquet NAE_SPEED=60 nae up dual

    Exit codes: 0 all run · 64 unknown mode · 69 didn't come up · 71 disk or rights · 75 runs already · 78 nae.toml or a
    candle file
    """
    if mode not in list(OperationMode):
        complain(f"unknown mode {mode!r}; one of {', '.join(OperationMode)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    _pass_on(no_standby, health_interval)
    home = Home.find()
    for note in _checked_ground(home):
        errors.print(f"note: {note}", style="yellow", markup=False)
    if foreground:
        if os.environ.get("NAE_SERVICE"):
            keep_awake()
        run_in_foreground(home, OperationMode(mode))
    try:
        _start(home, OperationMode(mode))
    except StartFailed as failure:
        then = (
            "mend that and start again" if failure.code == ExitCode.CONFIG else "scripts/nae doctor checks the ground"
        )
        complain(f"{failure}\nnothing is left running; {then}")
        raise typer.Exit(failure.code) from failure
    except BusyError as quicker:
        complain(str(quicker))
        raise typer.Exit(ExitCode.BUSY) from quicker
    except KeyboardInterrupt:
        complain("interrupted; nothing is left running")
        raise
    show_status(operation_status(home))
    screen.print()
    say(NEXT.format(logs=typed(home.logs), pid_file=typed(home.pid_file)))


def _pass_on(no_standby: bool, health_interval: float | None) -> None:
    """Options reach the processes as environment variables; nae.toml stays as it is."""
    if health_interval is not None and not 1 <= health_interval <= 3600:
        complain(f"--health-interval {health_interval:g}: 1 to 3600 seconds would be right")
        raise typer.Exit(ExitCode.USAGE)
    if no_standby:
        os.environ["NAE_STANDBY"] = "0"
    if health_interval is not None:
        os.environ["NAE_HEALTH_INTERVAL"] = f"{health_interval:g}"


def typed(path: Path) -> str:
    """A path as it can be typed here: short inside the folder we are in, quoted where a shell needs it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _checked_ground(home: Home) -> list[str]:
    try:
        return check_ground(home).notes
    except ConfigError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.CONFIG) from error
    except BusyError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.BUSY) from error
    except UnfitError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.OS_ERROR) from error


def _start(home: Home, mode: OperationMode) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        line = bar.add_task(f"starting {mode}")

        def progress(status: dict[str, Any]) -> None:
            rows = status["processes"]
            waiting = [name for name, row in rows.items() if row["state"] != "running"]
            done = f"{len(rows) - len(waiting)} of {len(rows)} running" if rows else "supervisord"
            bar.update(line, description=f"starting {mode}: {done} {'· waiting for ' + waiting[0] if waiting else ''}")

        start(home, mode, SystemClock(), progress)


def down() -> None:
    """Stop everything in order and wait until nothing is left.

    Exit codes: 0 stopped, or nothing ran · 1 something had to be killed
    """
    home = Home.find()
    stopped = stop(home, SystemClock())
    service = ServiceKeeper(home).found()
    if service.installed:
        command = in_shell(start_command(service.kind), service.kind)
        errors.print(
            f"note: {service.name} starts it again at boot, or now with: {command}", style="yellow", markup=False
        )
    if stopped is None:
        screen.print("not running")
        return
    screen.print(f"stopped in {stopped.seconds:.1f} s")
    if stopped.killed:
        complain(f"had to be killed: pids {', '.join(map(str, stopped.killed))}; their logs say what they were doing")
        raise typer.Exit(ExitCode.FAILED)


def status(json: AsJson = False) -> None:
    """What runs, how well, and both accounts.

    Exit codes: 0 running · 69 not running
    """
    document = operation_status(Home.find())
    print_json(document) if json else show_status(document)
    if not document["running"]:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def verify(json: AsJson = False) -> None:
    """Is every loop of every process turning, and kept turning? Each process that isn't running, each overdue task, a
    plug-in that doesn't work, a missing standby, differing builds and a quarantine is a sentence.

    Exit codes: 0 all turn · 1 something doesn't · 69 not running
    """
    document = operation_status(Home.find())
    found = problems(document) if document["running"] else [document.get("note", "not running")]
    tasks = sum(len(row.get("tasks", [])) for row in document["processes"].values())
    if json:
        print_json({"ok": not found, "tasks": tasks, "problems": found})
    else:
        for problem in found:
            complain(problem)
        if not found:
            screen.print(f"all {tasks} tasks of {len(document['processes'])} processes are on time")
            say(keeping(document))
    if found:
        raise typer.Exit(ExitCode.FAILED if document["running"] else ExitCode.UNAVAILABLE)


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Every file of every package, by its hash: seconds.")] = False,
    json: AsJson = False,
) -> None:
    """Check the ground: Python, packages, folders, disk, nae.toml, and whether an operation runs.

    Exit codes: 0 all well · 1 something isn't
    """
    findings = examine(Home.find(), deep)
    if json:
        print_json([{"check": name, "ok": ok, "finding": finding} for name, ok, finding in findings])
    else:
        table(["check", "ok", "finding"], [list(finding) for finding in findings], "nothing to check")
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(ExitCode.FAILED)
