"""Judges an operation from outside: was the live account managed, by one trader only, and is every order and fill there
exactly once, and is the venue's own journal whole? Reads that, the venue's database and the ledgers; asks no process.

python -m benchmarks.judge HOME [--from MS] [--to MS] [--json] ends with 0 (clean) or 1 (violations). Run it when the
operation has stopped: what is on its way would look forgotten. Managed: the venue accepted a probe within the last
second. A trader sends one only while it holds the lease, is reconciled and acted on a tick no older than a second.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.availability import (
    Outage,
    Reign,
    accepted_twice,
    is_probe,
    outages,
    reigns,
    share_managed,
    two_traders,
)
from benchmarks.books import Kind, disagreements
from benchmarks.venue_journal import Entry, read
from execution.runtime.home import Home
from execution.venue.journal_check import check

ACCOUNT = "live"
SHOWN = 20


@dataclass
class Verdict:
    """What the files tell. Times are the journal's, in ms."""

    from_ms: float
    to_ms: float
    managed_share: float
    outages: list[Outage]
    reigns: list[Reign]
    probes: int
    venue_starts: int
    unreadable_lines: int
    late_requests: int
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Nothing doubled, forgotten, orphaned; never two traders."""
        return not any(self.violations.values())

    def document(self) -> dict[str, Any]:
        """For --json."""
        gaps = [gap._asdict() for gap in self.outages]
        return asdict(self) | {"outages": gaps, "reigns": [one._asdict() for one in self.reigns], "clean": self.clean}


def judge(home: Home, from_ms: float | None = None, to_ms: float | None = None) -> Verdict:
    """Everything, from the files in `home`."""
    entries, unreadable = read(home.data / "venue")
    verdict = availability(entries, from_ms, to_ms)
    verdict.unreadable_lines = unreadable
    told = disagreements(home)
    for kind in Kind:
        verdict.violations[kind] = [finding.text for finding in told if finding.kind is kind]
    verdict.violations[Kind.DOUBLED] += accepted_twice(entries)
    folder = home.data / "venue"
    verdict.violations["journal"] = check(folder / "journal.jsonl", folder / "venue.db").problems
    return verdict


def availability(entries: list[Entry], from_ms: float | None = None, to_ms: float | None = None) -> Verdict:
    """The part that needs the journal alone. Without bounds: from the first probe to the last line."""
    ours = [entry for entry in entries if entry.account == ACCOUNT]
    probes = [entry.ms for entry in ours if is_probe(entry)]
    begin = from_ms if from_ms is not None else probes[0] if probes else 0.0
    end = to_ms if to_ms is not None else entries[-1].ms if entries else begin
    gaps = outages(probes, begin, end)
    found, late = two_traders(entries)
    return Verdict(
        from_ms=begin,
        to_ms=end,
        managed_share=share_managed(gaps, begin, end),
        outages=gaps,
        reigns=reigns(ours),
        probes=sum(begin <= moment < end for moment in probes),
        venue_starts=sum(entry.event == "up" for entry in entries),
        unreadable_lines=0,
        late_requests=late,
        violations={"two traders": found},
    )


def show(verdict: Verdict, console: Console) -> None:
    """Three tables for people."""
    seconds = (verdict.to_ms - verdict.from_ms) / 1000
    table = Table("what", "found", title=f"the {ACCOUNT} account over {seconds:.1f} s")
    table.add_row("managed", f"{verdict.managed_share:.4%}")
    table.add_row("outages", f"{len(verdict.outages)}, {sum(gap.length_ms for gap in verdict.outages) / 1000:.3f} s")
    table.add_row("probes, epochs", f"{verdict.probes}, {len(verdict.reigns)}")
    table.add_row("starts of the venue", str(verdict.venue_starts))
    table.add_row("requests of the dead that came late", str(verdict.late_requests))
    table.add_row("unreadable journal lines", str(verdict.unreadable_lines))
    for kind, texts in verdict.violations.items():
        table.add_row(str(kind), str(len(texts)), style="red" if texts else "")
    console.print(table)
    if verdict.outages:
        longest = sorted(verdict.outages, key=lambda gap: -gap.length_ms)[:SHOWN]
        gaps = Table("outage after, s", "length, ms", title=f"the {len(longest)} longest outages")
        for gap in longest:
            gaps.add_row(f"{(gap.start_ms - verdict.from_ms) / 1000:.3f}", f"{gap.length_ms:.0f}")
        console.print(gaps)
    for kind, texts in verdict.violations.items():
        for text in texts[:SHOWN]:
            console.print(f"{kind}: {text}", style="red", markup=False)


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="the operation's home folder")
    parser.add_argument("--from", dest="from_ms", type=float, help="ms since 1970; the first probe otherwise")
    parser.add_argument("--to", dest="to_ms", type=float, help="ms since 1970; the journal's last line otherwise")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    words = parser.parse_args(arguments)
    verdict = judge(Home.find(words.home), words.from_ms, words.to_ms)
    if words.json:
        print(json.dumps(verdict.document()))
    else:
        show(verdict, Console(width=120))
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
