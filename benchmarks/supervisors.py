"""Everybody who can bring a dead program back, behind one small face: start, wait for the payload, stop.

Each is used as its documentation says, with its back-off off where it can be. Who isn't installed is left out and said.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.payload import Payload
from execution.runtime.home import PROJECT_ROOT

STOP_WITHIN_S = 10.0
SUPERVISORD = """
[supervisord]
nodaemon=true
silent=true
pidfile={folder}/pid
logfile={folder}/log
minfds=512
[unix_http_server]
file={folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
{plug_in}
[program:payload]
command={payload}
numprocs={workers}
process_name=payload%(process_num)d
startsecs=0
autorestart=true
redirect_stderr=true
stdout_logfile={folder}/payload%(process_num)d.out
"""
PLUG_IN = """[rpcinterface:nae]
supervisor.rpcinterface_factory=execution.autonomous.plug_in.interface:make_interface
exits_max=1000000"""
CIRCUS = """
[circus]
endpoint = ipc://{folder}/endpoint
pubsub_endpoint = ipc://{folder}/pubsub
statsd = False
{tuned}
[watcher:payload]
cmd = {payload}
numprocesses = {workers}
copy_env = True
max_retry = -1
"""
SYSTEMD = "nae-benchmark-payload"


@dataclass
class Place:
    """Where a supervisor works, with what, and how it finds programs."""

    folder: Path
    payload: Payload | None = None
    find: Callable[[str], str | None] = shutil.which
    workers: int = 1
    running: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def program(self) -> str:
        """What is to be brought back."""
        assert self.payload is not None, "this place has no payload"
        return str(self.payload.program)

    def spawn(self, *command: str, **environment: str) -> None:
        """Start the supervisor itself."""
        with (self.folder / "output").open("ab") as output:
            self.running.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=self._environment(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            )

    def call(self, *command: str, **environment: str) -> bool:
        """A command of the supervisor's that ends; did it work?"""
        given = self._environment(environment)
        done = subprocess.run(command, cwd=self.folder, env=given, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PAYLOAD_PIPE": str(self.folder / "pipe"), **more}

    def stop(self) -> None:
        """End what `spawn` started."""
        for process in self.running:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def nothing(place: Place) -> None:
    """For who needs no more than that its process ends."""


def first_spawned(place: Place) -> int:
    """The pid of a supervisor that stays the process it was started as."""
    return place.running[0].pid


@dataclass(frozen=True)
class Supervisor:
    """`program` is what must be installed; `start` begins it; `end` is what comes before its process is ended; `pid` is
    the supervisor's own, None where it isn't ours to kill."""

    name: str
    program: str | None
    start: Callable[[Place], None]
    end: Callable[[Place], None] = nothing
    pid: Callable[[Place], int] | None = first_spawned


def _supervisord(plug_in: str) -> Callable[[Place], None]:
    def start(place: Place) -> None:
        text = SUPERVISORD.format(folder=place.folder, payload=place.program, workers=place.workers, plug_in=plug_in)
        (place.folder / "conf").write_text(text)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(place.folder / "conf")]
        place.spawn(*command, PYTHONPATH=str(PROJECT_ROOT), NAE_RUN=str(place.folder))

    return start


def _circus(tuned: str) -> Callable[[Place], None]:
    def start(place: Place) -> None:
        text = CIRCUS.format(folder=place.folder, payload=place.program, workers=place.workers, tuned=tuned)
        (place.folder / "circus.ini").write_text(text)
        place.spawn(_found(place, "circusd"), str(place.folder / "circus.ini"))

    return start


def _service_folders(place: Place) -> list[str]:
    """What runsv and s6-supervise want: a folder with a program named run; each watches one."""
    folders = [place.folder / f"service{number}" for number in range(place.workers)]
    for folder in folders:
        folder.mkdir()
        shutil.copy2(place.program, folder / "run")
    return list(map(str, folders))


def _runit(place: Place) -> None:
    for folder in _service_folders(place):
        place.spawn(_found(place, "runsv"), folder)


def _s6(place: Place) -> None:
    program = Path(_found(place, "s6-supervise"))
    libraries = [str(path) for path in (program.parents[1] / "lib").glob("*") if path.is_dir()]
    for folder in _service_folders(place):
        place.spawn(str(program), folder, LD_LIBRARY_PATH=":".join(libraries))


def _pm2_home(place: Place) -> dict[str, str]:
    return {"PM2_HOME": str(place.folder / "pm2"), "PM2_DISCRETE_MODE": "1"}


def _pm2(place: Place) -> None:
    for number in range(place.workers):
        words = ["--name", f"payload{number}", "--interpreter", "none", "--force"]
        place.call(_found(place, "pm2"), "start", place.program, *words, **_pm2_home(place))


def _end_pm2(place: Place) -> None:
    place.call(_found(place, "pm2"), "kill", **_pm2_home(place))


def _pm2_pid(place: Place) -> int:
    return int((place.folder / "pm2" / "pm2.pid").read_text())


def _systemd(place: Place) -> None:
    words = [
        "--user",
        f"--unit={SYSTEMD}",
        "-p",
        "Restart=always",
        "-p",
        "RestartSec=0",
        "-p",
        "StartLimitIntervalSec=0",
    ]
    place.call("systemd-run", *words, "-E", f"PAYLOAD_PIPE={place.folder / 'pipe'}", place.program)


def _end_systemd(place: Place) -> None:
    place.call("systemctl", "--user", "stop", SYSTEMD)


def _found(place: Place, program: str) -> str:
    found = place.find(program)
    assert found is not None, f"{program} isn't installed: ask first"
    return found


NAE, PLAIN = "NAE: supervisord with our plug-in", "supervisord"
SUPERVISORS = (
    Supervisor(NAE, None, _supervisord(PLUG_IN)),
    Supervisor("runit", "runsv", _runit),
    Supervisor("s6", "s6-supervise", _s6),
    Supervisor("pm2", "pm2", _pm2, _end_pm2, _pm2_pid),
    Supervisor("systemd --user, tuned", "systemd-run", _systemd, _end_systemd, None),
    Supervisor("circus", "circusd", _circus("")),
    Supervisor("circus, tuned", "circusd", _circus("check_delay = 0.01\nwarmup_delay = 0")),
    Supervisor(PLAIN, None, _supervisord("")),
)


def finder(peers: Path | None, environment: Mapping[str, str] = os.environ) -> Callable[[str], str | None]:
    """Looks for programs on the PATH, then anywhere under the folder `peers`."""

    def find(name: str) -> str | None:
        if name == "systemd-run" and not _user_manager_runs():
            return None
        found = shutil.which(name, path=environment.get("PATH"))
        if found is None and peers is not None:
            there = (path for path in peers.rglob(name) if path.is_file() and os.access(path, os.X_OK))
            found = next((str(path.absolute()) for path in there), None)
        return found

    return find


def _user_manager_runs() -> bool:
    if shutil.which("systemctl") is None:
        return False
    told = subprocess.run(["systemctl", "--user", "is-system-running"], capture_output=True, text=True, check=False)
    return told.stdout.strip() in ("running", "degraded")
