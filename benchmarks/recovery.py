"""How soon a killed program is back: supervisord with the plug-in beside supervisord alone, interleaved in one run.

python -m benchmarks.recovery [--rounds 40]. The payload is one tiny shell process whose first act is to write into a
named pipe; the time runs from the kill to the moment that write is read. The floor is the same payload started by
this program itself, right after it has seen its child's death.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
BASE = """
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
command={folder}/payload
startsecs=0
autorestart=true
"""
PLUG_IN = "[rpcinterface:nae]\nsupervisor.rpcinterface_factory=execution.autonomous.plug_in.interface:make_interface"


@dataclass
class Contender:
    """Somebody who brings the payload back, and how long it took each time, in milliseconds."""

    name: str
    folder: Path
    plug_in: str | None
    supervisor: "subprocess.Popen[bytes] | None" = None
    pipe: int = -1
    child: "subprocess.Popen[bytes] | None" = None
    times_ms: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir()
        os.mkfifo(self.folder / "pipe")
        payload = self.folder / "payload"
        payload.write_text(f'#!/bin/sh\necho $$ > "{self.folder}/pipe"\nexec cat "{self.folder}/never"\n')
        os.mkfifo(self.folder / "never")
        payload.chmod(0o755)
        self.pipe = os.open(self.folder / "pipe", os.O_RDWR)  # both ends, so that it never comes to an end
        if self.plug_in is None:
            self.child = subprocess.Popen([payload])
            return
        (self.folder / "conf").write_text(BASE.format(folder=self.folder, plug_in=self.plug_in))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.folder / "conf")]
        self.supervisor = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def pid(self) -> int:
        """The payload's pid, as soon as it has written it."""
        return int(os.read(self.pipe, 64).split()[-1])

    def round(self, pid: int) -> int:
        """Kill the payload, wait for its successor; the successor's pid."""
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        if self.child is not None:
            self.child.wait()
            self.child = subprocess.Popen([self.folder / "payload"])
        successor = self.pid()
        self.times_ms.append((time.perf_counter() - began) * 1000)
        return successor

    def stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.terminate()
            self.supervisor.wait(timeout=10)
        if self.child is not None:
            self.child.kill()
            self.child.wait()


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="nae-recovery-") as made:
        contenders = [
            Contender("floor: wait and spawn", Path(made) / "floor", None),
            Contender("supervisord with the plug-in", Path(made) / "ours", PLUG_IN),
            Contender("supervisord alone", Path(made) / "alone", ""),
        ]
        try:
            for contender in contenders:
                contender.start()
            pids = {contender.name: contender.pid() for contender in contenders}
            for _ in range(rounds):
                for contender in contenders:
                    pids[contender.name] = contender.round(pids[contender.name])
        finally:
            for contender in contenders:
                contender.stop()
    show(contenders, rounds)


def show(contenders: list[Contender], rounds: int) -> None:
    """Medians, p99 and ratios to the floor."""
    table = Table("crash to the replacement's first act", "p50 ms", "p99 ms", "worst ms", "p50 / floor")
    floor = statistics.median(contenders[0].times_ms)
    for contender in contenders:
        times = sorted(contender.times_ms)
        middle, late = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
        table.add_row(contender.name, f"{middle:.1f}", f"{late:.1f}", f"{times[-1]:.1f}", f"{middle / floor:.1f}")
    console = Console(width=120)
    console.print(f"{rounds} rounds, interleaved")
    console.print(table)


if __name__ == "__main__":
    main()
