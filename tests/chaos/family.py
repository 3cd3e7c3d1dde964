"""The real processes of one home, started by hand: the venue and both traders, and a voice of research to arm them.

They are spawned, killed and held here as a hostile machine would do it; nothing of them outlives the test.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agents.embedded import read_port, write_port
from execution.ledger.queries import account_report
from execution.research.strategies import STRATEGIES
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.market import Condition
from execution.vocabulary.messages import Conditions
from tests.chaos.bad_line import BadLine
from tests.support import ROOT

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
COMMANDS = {
    "venue": ["agents.venue"],
    "sandbox_optimus": ["agents.optimus", "--sandbox"],
    "live_optimus": ["agents.optimus", "--live"],
    "live_optimus_standby": ["agents.optimus", "--live", "--standby"],
}
ARM_PERIOD_S = 0.25
CONFIG = """
[venue]
speed = {speed}
seed = {seed}
port = {port}
[risk]
orders_per_minute_max = 100000
repeated_orders_max = 100000
losses_in_row_max = 100000
daily_loss_max = 1
weekly_loss_max = 1
drawdown_max = 1
[trading]
time_exit_bars = 3
interval_s = 1
"""


class Family:
    """What runs in one home."""

    def __init__(self, root: Path, seed: int, speed: int, config: str, port: int) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / "nae.toml").write_text(config.format(seed=seed, speed=speed, port=port))
        self.home = Home.find(root)
        self.home.prepare()
        self._port = port
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.output = root / "output.txt"
        self.deaths = 0

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this home gets."""
        ours = {name: value for name, value in os.environ.items() if name != "SUPERVISOR_ENABLED"}
        return ours | {"NAE_HOME": str(self.home.root)}

    def start(self, *names: str, dies_at: str = "") -> None:
        """Start those that aren't running. `dies_at`: the durable step that is each one's last."""
        last = ["tests.chaos.dies_at", dies_at] if dies_at else []
        for name in names:
            if name in self._running and self._running[name].poll() is None:
                continue
            with self.output.open("ab") as output:
                self._running[name] = subprocess.Popen(
                    [sys.executable, "-m", *last, *COMMANDS[name]],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )

    @property
    def venue_port(self) -> int:
        """Where the venue itself listens, before any line that leads there; 0 while nobody knows."""
        return self._port or read_port(self.home) or 0

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        return self._running[name]

    def kill(self, *names: str) -> None:
        """kill -9, all at once."""
        for name in names:
            self._running[name].kill()
            self.deaths += 1
        for name in names:
            self._running[name].wait()

    def stop(self, name: str, within_s: float = 8.0) -> int:
        """As supervisord asks it to end; its exit code."""
        self._running[name].terminate()
        return self._running[name].wait(within_s)

    def hold(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGCONT)

    def report(self, account: str) -> Any:
        """The account as its file tells it; None while there is none, or it is being made."""
        try:
            return account_report(self.home.ledger(account))
        except (FileNotFoundError, DatabaseError):
            return None

    def is_quiet(self, account: str) -> bool:
        """Reconciled, with nothing on its way, and no stop at the venue that could go off when nobody looks."""
        report = self.report(account)
        open_orders = report and (report.open_orders or report.unknown_orders or report.protective_exits)
        return bool(report and report.reconciled and not open_orders)

    def is_sound(self) -> None:
        """Assert that the venue's files and the traders' own agree: told by a program that has seen nothing else."""
        judged = subprocess.run(
            [sys.executable, "-m", "tests.chaos.checker", str(self.home.root)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert judged.returncode == 0, judged.stdout + judged.stderr

    def forget(self, name: str) -> "subprocess.Popen[bytes]":
        """Make room for a second of that name; the first, which the caller must end."""
        return self._running.pop(name)

    def log(self, name: str) -> str:
        return self.home.log_file(name).read_text()

    def end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()


@contextlib.contextmanager
def family_in(
    root: Path,
    seed: int = 7,
    speed: int = 600,
    config: str = CONFIG,
    line: BadLine | None = None,
    strategies: Iterable[str] = tuple(STRATEGIES),
) -> Iterator[Family]:
    """A home and its processes, armed with these strategies on every symbol, gone at the end. `line` stands between."""
    family = Family(root, seed, speed, config, 0 if line is None else line.venue_port)
    over = threading.Event()
    research = threading.Thread(target=asyncio.run, args=(_accompany(family.home, over, line, strategies),))
    research.start()
    try:
        yield family
    finally:
        over.set()
        research.join()
        family.end()


async def _accompany(home: Home, over: threading.Event, line: BadLine | None, strategies: Iterable[str]) -> None:
    """Say the same conditions again and again, as research does; and lead the traders over `line`."""
    clock = SystemClock()
    if line is not None:
        await line.open()
    bus = Bus(home.run, "ralph", clock)
    bus.open("a test's research")
    armed = [
        Condition(f"{symbol}-{name}", symbol, name, STRATEGIES[name].defaults(), "range", 1.0, 0, 10**9)
        for symbol in SYMBOLS
        for name in strategies
    ]
    while not over.is_set():
        await bus.publish(Conditions(process="ralph", sent_ms=clock.now_ms(), conditions=armed))
        if line is not None and read_port(home) == line.venue_port:
            write_port(home, line.port)
        await clock.sleep(ARM_PERIOD_S)
    bus.close()
    if line is not None:
        await line.close()
