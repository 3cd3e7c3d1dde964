"""How soon what died is back: under every supervisor that is installed, and in a real operation up to the live account.

python -m benchmarks.recovery [--rounds 40] [--live-rounds 20] [--peers FOLDER] [--part crash|live|faults|idle] [--json]
                              [--picture FILE.svg]

crash: one tiny compiled payload for all (without a C compiler a shell script, and it says so), killed and brought back,
interleaved; then a payload in Python, its interpreter's start subtracted. live: the active live trader killed, asked to
hand over, hung, and supervisord killed, until the venue sees its heir. faults: what the same faults do to one worker
under the other supervisors. idle: what supervisord and the manager cost beside the others, with seven children.
`--peers` is a folder to look for other supervisors in, beside the PATH; who isn't there is named.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from benchmarks import live_recovery
from benchmarks.crash_recovery import FLOOR, contenders, race
from benchmarks.fault_kinds import GIVEN_UP_S, KINDS, Outage, outages
from benchmarks.idle_cost import Cost, costs
from benchmarks.live_recovery import HUNG, KILLED, SUPERVISORD_KILLED, Measured
from benchmarks.payload import Payload, compiled, interpreted
from benchmarks.picture import FLOOR as FLOOR_COLOUR
from benchmarks.picture import OURS, THEIRS, Bar, chart
from benchmarks.spread import Spread
from benchmarks.supervisors import NAE, SUPERVISORS, finder

PARTS = ("crash", "live", "faults", "idle")
Told = Callable[[str], None]


@dataclass
class Race:
    """One payload under everybody."""

    payload: str
    times: dict[str, Spread] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    subtracted_ms: float = 0.0  # the interpreter's start

    def row(self, name: str) -> tuple[float, float, float]:
        """Median, p99, worst, without the interpreter's start."""
        spread = self.times[name]
        return tuple(max(0.0, value - self.subtracted_ms) for value in spread[:3])  # type: ignore[return-value]


@dataclass
class Results:
    """Everything that was measured."""

    races: list[Race] = field(default_factory=list)
    live: list[Measured] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    idle: list[Cost] = field(default_factory=list)


def crash_races(rounds: int, peers: Path | None, told: Told) -> list[Race]:
    """The compiled payload, then Python's."""
    with tempfile.TemporaryDirectory(prefix="nae-recovery-") as made:
        tiny = _race(compiled(Path(made)), Path(made) / "c", rounds, peers, told)
        python = _race(interpreted(Path(made)), Path(made) / "p", rounds, peers, told)
    python.subtracted_ms = python.times[FLOOR].median - tiny.times[FLOOR].median
    return [tiny, python]


def _race(payload: Payload, folder: Path, rounds: int, peers: Path | None, told: Told) -> Race:
    entrants, missing = contenders(SUPERVISORS, payload, folder, finder(peers))
    race(entrants, rounds, told)
    times = {one.name: spread for one in entrants if (spread := Spread.of(one.times_ms))}
    return Race(payload.name, times, missing)


def show(results: Results, console: Console) -> None:
    """Tables for people, in the order in which they were measured."""
    for one in results.races:
        console.print(_race_table(one))
        if one.missing:
            console.print(f"not installed: {', '.join(one.missing)}", markup=False)
    if results.live:
        console.print(_live_table(results.live))
    if results.outages:
        console.print(_outage_table(results))
    if results.idle:
        table = Table("idle, 7 children", "CPU of one core", "PSS MiB")
        for cost in results.idle:
            table.add_row(cost.name, f"{cost.cpu_share:.2%}", f"{cost.pss_mib:.0f}")
        console.print(table)


def _race_table(race: Race) -> Table:
    less = f", less {race.subtracted_ms:.1f} ms of its interpreter" if race.subtracted_ms else ""
    floor = race.row(FLOOR)[0]
    table = Table(f"crash to the first act; payload {race.payload}{less}", "p50 ms", "p99 ms", "worst", "p50 / floor")
    for name in race.times:
        middle, late, worst = race.row(name)
        table.add_row(name, f"{middle:.1f}", f"{late:.1f}", f"{worst:.1f}", f"{middle / floor:.1f}")
    return table


def _live_table(found: list[Measured]) -> Table:
    table = Table("to the live account managed again", "rounds", "p50 ms", "p99 ms", "worst ms", "unmanaged ms, worst")
    for one in found:
        spread = Spread.of(one.again_ms)
        assert spread is not None
        numbers = (f"{spread.median:.0f}", f"{spread.p99:.0f}", f"{spread.worst:.0f}", f"{max(one.unmanaged_ms):.0f}")
        table.add_row(one.name, str(spread.size), *numbers)
    return table


def _outage_table(results: Results) -> Table:
    """One round each for the others; for NAE's live account the medians of the rounds above, until it is managed."""
    table = Table(f"away, ms; - is not back after {GIVEN_UP_S:g} s", *KINDS)
    live = {one.name: f"{statistics.median(one.again_ms):,.0f}" for one in results.live}
    if live:
        table.add_row("NAE: the live account", *(live.get(name, "") for name in (KILLED, HUNG, SUPERVISORD_KILLED)))
    for name in dict.fromkeys(one.supervisor for one in results.outages):
        away = {one.kind: one.back_ms for one in results.outages if one.supervisor == name}
        told = (f"{away[kind]:,.0f}" if away.get(kind) else "-" if kind in away else "" for kind in KINDS)
        table.add_row(name, *told)
    return table


def bars_of(results: Results) -> list[Bar]:
    """The compiled race and the live account, for one picture."""
    colours = {NAE: OURS, FLOOR: FLOOR_COLOUR}
    found = []
    for race_ in results.races[:1]:
        for name, spread in sorted(race_.times.items(), key=lambda item: item[1].median):
            found.append(Bar(name, spread.median, spread.p99, colours.get(name, THEIRS)))
    for one in results.live:
        median, late = statistics.median(one.again_ms), Spread.of(one.again_ms)
        found.append(Bar(one.name, median, late.p99 if late else median, OURS))
    return found


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="of every supervisor and payload")
    parser.add_argument(
        "--live-rounds", type=int, default=20, help="of a killed trader and of a handover; half for hangs"
    )
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    parser.add_argument("--peers", type=Path, help="a folder with other supervisors in it")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; may be given again")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--picture", type=Path, help="write a chart there")
    words = parser.parse_args(arguments)
    results, parts = Results(), words.part or PARTS
    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True, width=120)) as progress:
        bar = progress.add_task("starting", total=None)

        def told(text: str) -> None:
            progress.update(bar, description=text)

        if "crash" in parts:
            results.races = crash_races(words.rounds, words.peers, told)
        if "live" in parts:
            results.live = live_recovery.measure(words.live_rounds, told)
        if "faults" in parts:
            with tempfile.TemporaryDirectory(prefix="nae-recovery-") as made:
                results.outages = outages(compiled(Path(made)), Path(made), finder(words.peers), told)
        if "idle" in parts:
            results.idle = costs(words.idle_seconds, finder(words.peers), told)
    if words.picture:
        words.picture.write_text(
            chart("from the fault to being back, medians; the line ends at p99", "ms", bars_of(results))
        )
    if words.json:
        print(json.dumps(asdict(results)))
    else:
        show(results, Console(width=140))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
