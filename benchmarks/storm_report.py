"""A storm's result, in tables and as a document. Decides only whether the targets were met."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.fault_log import Row
from benchmarks.judge import Verdict
from benchmarks.judge import show as show_verdict
from benchmarks.spread import Spread
from benchmarks.weather import Weather


@dataclass
class StormResult:
    """What one storm came to."""

    weather: Weather
    faults: int
    verdict: Verdict
    rows: list[Row]
    service_starts: int
    service_kills: int
    calm_s: float
    by_itself: bool

    @property
    def holds(self) -> bool:
        """Nothing doubled or forgotten, one trader at any time, and managed for as long as promised."""
        return self.verdict.clean and self.verdict.managed_share >= self.weather.managed_share

    def document(self) -> dict[str, Any]:
        """For --json."""
        rows = [asdict(row) for row in self.rows]
        return asdict(self) | {"verdict": self.verdict.document(), "rows": rows, "holds": self.holds}


def show(result: StormResult, console: Console) -> None:
    """The verdict, then the outages by what caused them."""
    console.rule(f"storm {result.weather.name}: {'holds' if result.holds else 'DOES NOT HOLD'}")
    show_verdict(result.verdict, console)
    table = Table("fault", "faults", "outages", "unmanaged s", "outage ms: median / p99 / worst", "to managed again ms")
    for row in result.rows:
        times = (f"{row.total_ms / 1000:.2f}", _told(row.outage), _told(row.again))
        table.add_row(row.kind, str(row.faults), str(row.outages), *times)
    console.print(table)
    target = f"; the target is {result.weather.managed_share:.1%}" if result.weather.managed_share else ""
    console.print(f"{result.faults} faults; live managed {result.verdict.managed_share:.3%}{target}")
    console.print(
        f"started again from outside {result.service_starts} times, hung for good {result.service_kills} times"
    )
    how = "by itself" if result.by_itself else "only after a fresh start"
    console.print(f"everything ran again {result.calm_s:.1f} s after the last fault, {how}")


def _told(spread: Spread | None) -> str:
    return f"{spread.median:.0f} / {spread.p99:.0f} / {spread.worst:.0f}" if spread else "-"
