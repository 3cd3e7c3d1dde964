"""A storm over a whole operation, judged afterwards by a program that reads only what the venue wrote down.

python -m benchmarks.storm a|b|both [--minutes 10] [--seed 7] [--every S] [--json] [--keep]

a: one kill -9 every 10 s over the manager and the workers. b: one kill -9 or SIGSTOP every 2 s over everything,
supervisord and the venue included; when nobody supervises for 4 s the storm starts the operation again, as a service
would, and says how often. Each runs in a fresh home, started by the real scripts. Ends with 0 when the targets hold.
"""

import argparse
import json
import random
import signal
import sys
import time
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import fault_log
from benchmarks.fault_log import ACTIVE, STANDBY, Fault
from benchmarks.judge import Verdict, judge
from benchmarks.real_operation import LIVE, DidNot, Member, RealOperation, send, until
from benchmarks.storm_report import StormResult, show
from benchmarks.venue_journal import read
from benchmarks.weather import STORMS, Guardian, Need, Weather, next_fault
from execution.runtime.locks import is_held, read_holder

LOOK_S = 0.1
ALL_AGAIN_WITHIN_S = 60.0
QUIET_WITHIN_S = 60.0
CONFIG = """
[venue]
speed = 240
seed = {seed}
[risk]
orders_per_minute_max = 10000
repeated_orders_max = 10000
losses_in_row_max = 10000
daily_loss_max = 1
weekly_loss_max = 1
drawdown_max = 1
[trading]
time_exit_bars = 5
"""


@dataclass
class Storm:
    """One storm over one operation."""

    operation: RealOperation
    weather: Weather
    every_s: float
    chance: random.Random

    def __post_init__(self) -> None:
        self.faults: list[Fault] = []
        self.guardian = Guardian()
        self.log = self.operation.root / "faults.jsonl"

    def blow(self, seconds: float, progress: Progress) -> None:
        """Fault after fault, until the time is over."""
        began = time.monotonic()
        bar = progress.add_task(f"storm {self.weather.name}", total=seconds)
        due = began + self.every_s
        while (now := time.monotonic()) - began < seconds:
            self.guard()
            if now >= due:
                due += self.every_s
                self.strike()
            progress.update(bar, completed=now - began, description=self._told())
            time.sleep(LOOK_S)
        progress.update(bar, completed=seconds)

    def _told(self) -> str:
        last = self.faults[-1].kind if self.faults else ""
        return f"storm {self.weather.name}: {len(self.faults)} faults {last}"

    def strike(self) -> None:
        """One fault."""
        members = self.operation.members()
        hit = next_fault(self.chance, self.weather, {name: one.stopped for name, one in members.items()})
        if hit is None:
            return
        name, number = hit
        fault = Fault(time.time() * 1000, name, self._role(members[name]), number, members[name].pid)
        if send(fault.pid, signal.Signals[number]):
            self.faults.append(fault)
            fault_log.write(self.log, fault)

    def _role(self, member: Member) -> str:
        if member.name not in LIVE:
            return ""
        return ACTIVE if self.operation.holder() == member.pid else STANDBY

    def guard(self) -> None:
        """What a service manager would do."""
        lock = self.operation.home.operation_lock
        supervised = is_held(lock)
        need = self.guardian.look(supervised, supervised and _is_stopped(read_holder(lock)), time.monotonic())
        if need is Need.NOTHING:
            return
        self.operation.kill_all()
        if need is Need.START:
            self.operation.start_like_a_service()

    def calm_down(self) -> bool:
        """Everything runs again, by itself; False when that took too long and it was started afresh."""
        try:
            until(self._runs_again, ALL_AGAIN_WITHIN_S, "operation that runs again", every_s=0.5)
        except DidNot:
            self.operation.kill_all()
            self.operation.start()
            return False
        return True

    def _runs_again(self) -> bool:
        self.guard()
        return self.operation.all_run()


def _is_stopped(holder: str) -> bool:
    words = holder.split()
    try:
        return psutil.Process(int(words[1])).status() == psutil.STATUS_STOPPED
    except (psutil.NoSuchProcess, ValueError, IndexError):
        return False  # it has just died, or just taken the lock


def run(
    weather: Weather, seconds: float, every_s: float, seed: int, progress: Progress
) -> tuple[StormResult, RealOperation]:
    """One storm from the start to the verdict; the result and the operation, whose files are still there."""
    operation = RealOperation(CONFIG.format(seed=seed))
    try:
        operation.start()
        until(lambda: _is_managed(operation), 30, "probe of the live account")
        storm = Storm(operation, weather, every_s, random.Random(seed))
        from_ms = time.time() * 1000
        storm.blow(seconds, progress)
        to_ms = time.time() * 1000
        calm = time.monotonic()
        by_itself = storm.calm_down()
        calm_s = time.monotonic() - calm
        operation.settle(QUIET_WITHIN_S)
        operation.stop()
        verdict = judge(operation.home, from_ms, to_ms)
    except DidNot as error:
        raise DidNot(f"storm {weather.name}: {error}\nits home is {operation.root}") from error
    finally:
        operation.end()
    return _result(storm, verdict, by_itself, calm_s), operation


def _is_managed(operation: RealOperation) -> bool:
    return any("-probe-" in entry.id for entry in read(operation.home.data / "venue")[0])


def _result(storm: Storm, verdict: Verdict, by_itself: bool, calm_s: float) -> StormResult:
    return StormResult(
        weather=storm.weather,
        faults=len(storm.faults),
        verdict=verdict,
        rows=fault_log.table(storm.faults, verdict.outages, verdict.reigns),
        service_starts=storm.guardian.starts,
        service_kills=storm.guardian.kills,
        calm_s=calm_s,
        by_itself=by_itself,
    )


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=["a", "b", "both"])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--every", type=float, help="seconds between faults; 10 in storm a, 2 in storm b")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--keep", action="store_true", help="leave the homes where they are, and say where")
    words = parser.parse_args(arguments)
    results, said = [], Console(stderr=True, width=120)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=said) as progress:
        for name in ("a", "b") if words.which == "both" else (words.which,):
            weather = STORMS[name]
            try:
                result, operation = run(
                    weather, words.minutes * 60, words.every or weather.every_s, words.seed, progress
                )
            except DidNot as error:
                said.print(str(error), style="red", markup=False)
                return 1
            results.append(result)
            if words.keep or not result.holds:
                said.print(f"storm {name}: its home is {operation.root}", markup=False)
            else:
                operation.remove()
    if words.json:
        print(json.dumps([result.document() for result in results]))
    else:
        for result in results:
            show(result, Console(width=140))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
