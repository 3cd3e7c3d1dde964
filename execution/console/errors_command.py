"""`nae errors`: what went wrong, grouped by fault over all processes. It reads what the manager keeps, so it works with
the operation up or down; it changes nothing."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
import typer

from execution.autonomous.healing.seeing.issue_book import EVIDENCE_MAX, IssueFile, Row, file_of
from execution.console.drain import seconds_of
from execution.console.output import complain, duration, print_json, say, table
from execution.runtime.clock import SystemClock, iso
from execution.runtime.files import tail_lines
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.issues import Severity
from execution.vocabulary.programs import BY_NAME

WORST_FIRST = list(reversed(Severity))
RATE_FROM_HOURS = 1 / 60  # of less than a minute no rate is told
LOOKED_THROUGH = 5_000  # lines of a log, for those that name a fault
COLUMNS = ["fault", "type", "severity", "count", "per hour", "first", "last ago", "processes", "because"]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

errors = typer.Typer(help="What went wrong, and what it most likely comes from.")


@errors.callback(invoke_without_command=True)
def _errors(
    context: typer.Context,
    since: Annotated[str, typer.Option("--since", help="Only what came in the last 30m, 1h, 7d.")] = "",
    process: Annotated[str, typer.Option("--process", "-p", help="Only of this process.")] = "",
    json: AsJson = False,
) -> None:
    """What went wrong, grouped by fault over all processes, newest first; a fault seen just now appears within seconds.

    Examples: nae errors · nae errors --since 1h · nae errors -p live_optimus --json · nae errors show 3e5ee67bcbd3

    Exit codes: 0 shown, or nothing went wrong · 1 the record can't be read · 64 wrong words
    """
    if context.invoked_subcommand is not None:
        return
    if process and process not in BY_NAME:
        complain(f"unknown process {process!r}; one of {', '.join(BY_NAME)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    now_ms = SystemClock().now_ms()
    from_ms = now_ms - round(_seconds(since) * 1000) if since else 0
    rows = [row for row in _rows(Home.find()) if row.last_ms >= from_ms and process in ("", row.process)]
    found = grouped(rows)
    if json:
        print_json({"errors": [document(group) for group in found]})
    elif not found:
        say("nothing went wrong" + (f" in the last {since}" if since else ""))
    else:
        table(COLUMNS, [_line(group, now_ms) for group in found], "")
        say(f"\nnae errors show {found[0][0].fingerprint} shows the way to it, and the lines of the log")


@errors.command("show")
def show(
    fault: Annotated[str, typer.Argument(help="As in nae errors; its first characters are enough.")],
    json: AsJson = False,
) -> None:
    """One fault whole: where, the way to it, what our code knows of it, and the lines that show it.

    Example: nae errors show 3e5ee67bcbd3

    Exit codes: 0 shown · 1 the record can't be read · 64 no such fault
    """
    home = Home.find()
    found = grouped(_rows(home))
    matching = [group for group in found if fault and group[0].fingerprint.startswith(fault)]
    if len(matching) != 1:
        what = "no fault" if not matching else f"{len(matching)} faults"
        complain(f"{what} of the name {fault!r}; nae errors lists them")
        raise typer.Exit(ExitCode.USAGE)
    for row in matching[0]:
        row.evidence = row.evidence or _lines_of(home, row)
    if json:
        print_json(document(matching[0]) | {"in": matching[0]})
    else:
        _show(matching[0])


def _seconds(since: str) -> float:
    if since.endswith("d") and since[:-1].isdecimal():
        return int(since[:-1]) * 86_400.0
    return seconds_of(since, "--since")


def _rows(home: Home) -> list[Row]:
    path = file_of(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=IssueFile).rows
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as damage:
        complain(f"{path} can't be read: {damage}; a running manager sets it aside and begins anew")
        raise typer.Exit(ExitCode.FAILED) from damage


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each fault together, newest first, and so the faults."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.last_ms, reverse=True):
        groups.setdefault(row.fingerprint, []).append(row)
    return list(groups.values())


def document(group: list[Row]) -> dict[str, Any]:
    """One fault in all processes that show it."""
    newest, first_ms = group[0], min(row.first_ms for row in group)
    count = sum(row.count for row in group)
    hours = (newest.last_ms - first_ms) / 3_600_000
    return {
        "fingerprint": newest.fingerprint,
        "type": newest.type,
        "severity": min((row.severity for row in group), key=WORST_FIRST.index),
        "exception": newest.exception,
        "place": newest.place,
        "template": newest.template,
        "processes": sorted({row.process for row in group}),
        "count": count,
        "per_hour": round((count - 1) / hours, 1) if hours >= RATE_FROM_HOURS else None,
        "first": iso(first_ms),
        "last": iso(newest.last_ms),
        "recurrences": sum(row.recurrences for row in group),
        "likely_cause": newest.cause,
    }


def _line(group: list[Row], now_ms: int) -> list[Any]:
    told, newest = document(group), group[0]
    return [
        told["fingerprint"],
        told["type"],
        told["severity"],
        told["count"],
        told["per_hour"],
        told["first"],
        duration(max(0, now_ms - newest.last_ms) / 1000),
        ", ".join(told["processes"]),
        f"{_what(newest)}: {newest.cause}",
    ]


def _what(row: Row) -> str:
    return f"{row.exception} at {row.place}" if row.exception else " ".join(filter(None, (row.template, row.place)))


def _show(group: list[Row]) -> None:
    told, newest = document(group), group[0]
    rate = f", {told['per_hour']} per hour" if told["per_hour"] is not None else ""
    again = f", came again {told['recurrences']}x after it had stayed away" if told["recurrences"] else ""
    say(f"{told['fingerprint']}  {told['type']}, {told['severity']}: {_what(newest)}")
    say(f"  says      {newest.template or '-'}")
    say(f"  because   {newest.cause}")
    say(f"  seen      {told['count']}x{rate}, first {told['first']}, last {told['last']}{again}")
    for row in group:
        say(f"\n  in {row.process}: {row.count}x, last {iso(row.last_ms)}")
        say(f"    last message  {row.message or '-'}")
        for name, value in row.context.items():
            say(f"    {name:<13} {value}")
        for number, frame in enumerate(row.frames):
            say(f"    {'the way to it' if not number else '':<13} {frame}")
        for number, line in enumerate(row.evidence):
            say(f"    {'in its log' if not number else '':<13} {line}")


def _lines_of(home: Home, row: Row) -> list[str]:
    """The newest lines of its process's log that name the fault."""
    lines = tail_lines(home.log_file(row.process), LOOKED_THROUGH, 100 * LOOKED_THROUGH)
    return [line[:300] for line in lines if row.fingerprint in line][-EVIDENCE_MAX:]
