"""nae audit: the audit trails of all processes, checked, shown and exported. Reads only; a running operation is not
disturbed, and none is needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from execution.console.audit_export import FORMATS, moment, rendered, within
from execution.console.output import complain, errors, print_json, say, screen, table
from execution.ledger.audit_check import Checked, check, entries
from execution.ledger.audit_log import recent
from execution.runtime.clock import SystemClock, block
from execution.runtime.files import write_atomically
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError, ExitCode

audit = typer.Typer(help="The audit trails: every decision and its numbers, in a chain that shows any change.")
FOLLOW_S = 0.2
NEWEST = 2_000
SHOWN_FIELDS = ("seq", "at", "process", "kind", "correlation", "cause", "config", "prev", "hash")

Names = Annotated[list[str] | None, typer.Argument(help="Trails by their process; all when none is given.")]
Kind = Annotated[str, typer.Option("--kind", "-k", help="Only lines of this kind, such as decision, order, cycle.")]
Belongs = Annotated[str, typer.Option("--of", help="Only lines of this cycle or cause.")]
Since = Annotated[str, typer.Option("--since", help="From then on: 2026-11-21, 2026-11-21T08:15 (UTC), or 2h (ago).")]
Until = Annotated[str, typer.Option("--until", help="Up to then; a day means its end.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def _trails(names: list[str] | None) -> dict[str, Path]:
    """The trails there are, by process; ends the command when one that is named isn't."""
    folder = Home.find().logs / "audit"
    found = {path.name.partition(".jsonl")[0]: path for path in sorted(folder.glob("*.jsonl*"))}
    trails = {name: folder / f"{name}.jsonl" for name in found}
    if not trails:
        complain(f"no audit trail in {folder} yet; they appear with the first start: scripts/nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    if unknown := [name for name in names or [] if name not in trails]:
        complain(f"no trail of {unknown[0]!r} in {folder}; there are: {', '.join(trails)}")
        raise typer.Exit(ExitCode.USAGE)
    return {name: trails[name] for name in names or trails}


@audit.command()
def verify(names: Names = None, json: AsJson = False) -> None:
    """Check every line of the trails against its hash and the line before it, and the end against what was written.

    Examples: nae audit verify · nae audit verify live_optimus --json

    Exit codes: 0 whole · 1 broken, the first bad line named · 64 no such trail · 69 no trails yet
    """
    found = {name: check(path) for name, path in _trails(names).items()}
    if json:
        print_json([{"trail": name, "ok": row.problem is None} | _fields(row) for name, row in found.items()])
    else:
        rows = [
            [name, row.lines, f"{row.first}-{row.last}", "broken" if row.problem else "whole"]
            for name, row in found.items()
        ]
        table(["trail", "lines", "numbers", "chain"], rows, "no trails")
    for name, row in found.items():
        if row.torn and not json:
            say(f"{name}: {row.torn} isn't whole: it is being written, or a kill tore it; the next writer says so")
        if row.problem:
            complain(f"{name}: {row.problem}; keep a copy of {Home.find().logs / 'audit'}, then compare with a backup")
    if any(row.problem for row in found.values()):
        raise typer.Exit(ExitCode.FAILED)


def _fields(row: Checked) -> dict[str, Any]:
    return {"lines": row.lines, "first": row.first, "last": row.last, "problem": row.problem, "torn": row.torn}


@audit.command()
def tail(  # noqa: PLR0917 -- typer's way: a parameter is an option
    names: Names = None,
    count: Annotated[int, typer.Option("--lines", "-n", min=0, max=NEWEST, help="How many to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    kind: Kind = "",
    of: Belongs = "",
    json: AsJson = False,
) -> None:
    """The newest lines of the trails, side by side in time.

    Examples: nae audit tail · nae audit tail -f --kind decision · nae audit tail live_optimus --of live-3-120

    Exit codes: 0 shown · 64 no such trail · 69 no trails yet
    """
    trails = _trails(names)
    newest = {name: recent(path, NEWEST) for name, path in trails.items()}
    places = {name: rows[-1]["seq"] if rows else 0 for name, rows in newest.items()}
    chosen = [row for rows in newest.values() for row in rows if _asked(row, kind, of)]
    _show(sorted(chosen, key=_when)[len(chosen) - min(count, len(chosen)) :], json)
    while follow:
        block(FOLLOW_S)
        for name, path in trails.items():
            fresh = [row for row in recent(path, NEWEST) if row["seq"] > places[name]]
            places[name] = fresh[-1]["seq"] if fresh else places[name]
            _show([row for row in fresh if _asked(row, kind, of)], json)


def _asked(row: dict[str, Any], kind: str, of: str) -> bool:
    return kind in ("", row.get("kind")) and of in ("", row.get("correlation"), row.get("cause"))


def _when(row: dict[str, Any]) -> tuple[str, str, int]:
    return str(row.get("at")), str(row.get("process")), int(row["seq"])


def _show(rows: list[dict[str, Any]], json: bool) -> None:
    for row in rows:
        if json:
            typer.echo(rendered([row], "jsonl").decode(), nl=False)
            continue
        rest = " ".join(f"{name}={value}" for name, value in row.items() if name not in SHOWN_FIELDS)
        words = [str(row.get(name)) for name in ("at", "process", "kind", "correlation", "cause") if row.get(name)]
        screen.print(f"{' '.join(words)} {rest}", markup=False, emoji=False, soft_wrap=True)


@audit.command()
def export(  # noqa: PLR0917 -- typer's way: a parameter is an option
    file: Annotated[Path, typer.Argument(help="Where to; its ending says how: .jsonl, .csv or .parquet.")],
    names: Names = None,
    since: Since = "",
    until: Until = "",
    kind: Kind = "",
    of: Belongs = "",
    json: AsJson = False,
) -> None:
    """Write lines of the trails into a file for other programs.

    Examples: nae audit export orders.csv --kind order --since 24h · nae audit export all.parquet live_optimus

    Exit codes: 0 written · 64 no such trail · 69 no trails yet · 71 the file can't be written · 78 wrong ending or time
    """
    form = file.suffix.removeprefix(".")
    if form not in FORMATS:
        raise ConfigError(f"{file}: .{', .'.join(FORMATS)} would be right")
    now_ms = SystemClock().now_ms()
    begin, end = moment(since, now_ms, "--since"), moment(until, now_ms, "--until")
    trails = _trails(names)
    chosen = [row for path in trails.values() for row in _of_time(path, begin, end) if _asked(row, kind, of)]
    chosen.sort(key=_when)
    write_atomically(file, rendered(chosen, form))
    if json:
        print_json({"ok": True, "file": str(file), "lines": len(chosen), "trails": list(trails)})
    else:
        say(f"{file}: {len(chosen)} lines of {', '.join(trails)}")
    if not chosen:
        errors.print("note: nothing fits; nae audit tail shows what there is", style="yellow", markup=False)


def _of_time(path: Path, since: str, until: str) -> Iterator[dict[str, Any]]:
    return (row for row in entries(path) if within(row, since, until))
