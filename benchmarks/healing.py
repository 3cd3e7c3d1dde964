"""Every kind of fault in a real operation: seen, healed or told to a person, stayed away, put back. One table.

python -m benchmarks.healing [--only TYPE] [--pace 0.1] [--json FILE]
python -m benchmarks.healing --false-alarms [--hours 24] [--within 90]    a day of healthy logs: nothing may happen
python -m benchmarks.healing --load                                       what watching the logs costs

The faults are real: lines of source planted in a scratch copy, signals, the embedded venue's own faults, files spoilt,
a small disk filled. `--pace` shortens the time for which a fault must stay away (NAE_HEALING_PACE; 1 is as shipped).
Ends with 0 when every row is complete.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.healing_bugs import BUGS
from benchmarks.healing_false_alarms import Quiet, false_alarms
from benchmarks.healing_load import Load, loads
from benchmarks.healing_planting import ScratchOperation
from benchmarks.healing_rows import GROUPS, Group, cannot_mount, small_disk
from benchmarks.healing_scene import Result, Row, play
from benchmarks.real_operation import DidNot
from execution.vocabulary.issues import IssueType

CONFIG = "[venue]\ndrills = true\n[operation]\nmemory_max_mib = 400\n"
PACE = 0.1
AT_ONCE = 2  # operations side by side
OWN_SHARE_MAX = {100: 0.005, 10_000: 0.1}  # of a core


@contextmanager
def operation_for(group: Group, pace: float) -> Iterator[ScratchOperation]:
    """A sandbox operation with all bugs in it, switched off; nothing of it is left."""
    folder, gone = small_disk(group.disk_mib) if group.disk_mib else (None, lambda: None)
    try:
        operation = ScratchOperation(
            CONFIG + group.settings, BUGS, folder=folder, NAE_HEALING_PACE=f"{min(1.0, pace * group.pace):g}"
        )
        try:
            operation.start("sandbox")
            yield operation
        finally:
            operation.end()
            operation.remove()
    finally:
        gone()


def table(only: str, pace: float, told: Callable[[str], None], at_once: int = AT_ONCE) -> list[Result]:
    """All rows, or those of one type; groups side by side."""
    groups = [replace(one, rows=_wanted(one.rows, only)) for one in GROUPS]
    with ThreadPoolExecutor(at_once) as pool:
        done = pool.map(lambda group: _played(group, pace, told), [group for group in groups if group.rows])
        found = [result for results in done for result in results]
    order = [str(kind) for kind in IssueType]
    missing = [kind for kind in order if kind not in {one.type for one in found} and only in ("", kind)]
    found += [Result(kind, "nothing", "", problem="no row plants it") for kind in missing]
    return sorted(found, key=lambda one: order.index(one.type))


def _wanted(rows: tuple[Row, ...], only: str) -> tuple[Row, ...]:
    return tuple(row for row in rows if only in ("", row.type))


def _played(group: Group, pace: float, told: Callable[[str], None]) -> list[Result]:
    if group.disk_mib and (why := cannot_mount()):
        return [Result(row.type, row.planted, row.process, problem=f"not run here: {why}") for row in group.rows]
    told(f"{group.name}: starting an operation")
    results: list[Result] = []
    try:
        with operation_for(group, pace) as operation:
            for row in group.rows:
                told(f"{row.type}: {row.planted}")
                results.append(play(operation, row, told))
    except DidNot as failed:
        rest = group.rows[len(results) :]
        results += [Result(row.type, row.planted, row.process, problem=str(failed)) for row in rest]
    return results


def show_table(results: list[Result], pace: float, minutes: float) -> None:
    """For people."""
    title = f"{len(results)} kinds of fault, times for staying away x {pace:g}, {minutes:.1f} minutes"
    shown = Table(title=title)
    for name in ("type", "planted", "in", "seen s", "acted s", "what came", "by", "over s", "verified", "put back"):
        shown.add_column(name, overflow="fold")
    for one in results:
        came = one.outcome or f"[red]{one.problem or 'incomplete'}[/red]"
        times = [_seconds(value) for value in (one.detected_s, one.acted_s)]
        cells = [one.type, one.planted, one.process, *times, came, one.by, _seconds(one.over_s), one.verified]
        shown.add_row(*cells, one.reverted or (f"[red]{one.problem}[/red]" if one.outcome else ""))
    Console(width=200).print(shown)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def show_quiet(quiet: Quiet) -> None:
    """For people."""
    written = quiet.written
    print(
        f"{quiet.hours:g} h of healthy logs in {quiet.seconds:.0f} s: {written.lines} lines, {written.old_errors} old "
        f"errors among them, {written.rotated} rotations; in the end {quiet.overall}; the manager used "
        f"{quiet.cpu_share:.1%} of a core ({quiet.cpu_share_idle:.1%} idle)"
    )
    print("\n".join(quiet.wrong) or "no restart, no fix, no case, no issue")


def show_loads(found: list[Load]) -> None:
    """For people."""
    for one in found:
        print(
            f"{one.lines_per_s} lines/s: {one.own:.2%} of a core above idle ({one.idle:.2%}); {one.counted} of "
            f"{one.marked} marked lines counted, of {one.written} written"
        )


def main() -> int:
    """Do what the words say; 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", choices=["", *IssueType], metavar="TYPE", help="one row")
    parser.add_argument("--pace", type=float, default=PACE, help="times the waiting for a fault to stay away")
    parser.add_argument("--json", type=Path, help="write what was found there, too")
    parser.add_argument("--false-alarms", action="store_true")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--within", type=float, default=90.0, help="seconds in which those hours are written")
    parser.add_argument("--load", action="store_true")
    words = parser.parse_args()
    began = time.monotonic()

    def told(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    if words.false_alarms:
        quiet = false_alarms(words.hours, words.within, "dual", 7, told)
        found, wrong = [asdict(quiet)], bool(quiet.wrong)
        show_quiet(quiet)
    elif words.load:
        measured = loads(told)
        found = [asdict(one) | {"own": one.own} for one in measured]
        wrong = any(one.counted < one.marked or one.own > OWN_SHARE_MAX[one.lines_per_s] for one in measured)
        show_loads(measured)
    else:
        results = table(words.only, words.pace, told)
        found, wrong = [asdict(one) for one in results], not all(one.complete for one in results)
        show_table(results, words.pace, (time.monotonic() - began) / 60)
    if words.json:
        words.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
