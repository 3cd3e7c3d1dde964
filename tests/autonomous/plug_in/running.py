"""A real supervisord with the plug-in, in a folder of the test's own, for one test."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorUnavailable
from tests.support import ROOT, eventually

CONFIG = """
[supervisord]
nodaemon=true
silent=true
pidfile={folder}/pid
logfile={folder}/log
directory={folder}
minfds=512
[unix_http_server]
file={folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PLUG_IN = """
[rpcinterface:nae]
supervisor.rpcinterface_factory=execution.autonomous.plug_in.interface:make_interface
"""
STEADY = "command=/bin/cat\nautorestart=true\n"


@dataclass
class Supervisord:
    """One that runs, the door to it, and its log."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    door: SupervisorDoor

    def program(self, name: str) -> ProgramState:
        return next(program for program in self.door.programs() if program.name == name)

    def pid(self, name: str = "worker") -> int:
        return self.program(name).pid

    def another(self, name: str, than: int, within_s: float = 10.0) -> int:
        """The pid of the successor."""
        return eventually(lambda: (pid := self.pid(name)) not in (0, than) and pid, within_s=within_s, every_s=0.005)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def exits(self, name: str = "worker") -> int:
        told = self.door.plug_in().exits
        return told[name].count if name in told else 0


@contextmanager
def supervisord(
    programs: dict[str, str],
    settings: str = "",
    inherited: tuple[int, ...] = (),
    plug_in: bool = True,
    **environment: str,
) -> Iterator[Supervisord]:
    """Run `programs` (name -> the lines of its section; {folder} stands for the test's folder). `settings`: of the
    plug-in; `inherited`: descriptors that supervisord gets from whoever started it."""
    with tempfile.TemporaryDirectory(prefix="nae-") as made:
        folder = Path(made)
        sections = [CONFIG + PLUG_IN + settings if plug_in else CONFIG]
        sections += [f"[program:{name}]\n{lines}" for name, lines in programs.items()]
        (folder / "conf").write_text("\n".join(sections).replace("{folder}", made))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "conf")]
        path = os.pathsep.join([environment.pop("PYTHONPATH", ""), str(ROOT)]).lstrip(os.pathsep)
        environment = {name: value for name, value in os.environ.items() if name != "NAE_RUN"} | environment
        environment["PYTHONPATH"] = path
        silent = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=silent, stderr=silent, pass_fds=inherited
        )
        running = Supervisord(folder, process, SupervisorDoor(folder / "sock"))
        try:
            waiting = sum("autostart=false" in lines for lines in programs.values())
            eventually(lambda: is_up(running, waiting), within_s=20)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_up(running: Supervisord, waiting: int = 0) -> bool:
    try:
        return sum(row.state == "STOPPED" for row in running.door.programs()) == waiting
    except SupervisorUnavailable:
        return False
