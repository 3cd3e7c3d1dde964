"""nae venue fault and faults: what goes wrong at a served venue, given, shown and taken back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from execution.console.output import complain, print_json, say, table
from execution.console.venue_control import Folder, NotServed, ask_control, drilled_folder
from execution.vocabulary.exit_codes import ConfigError, ExitCode

FAULT_WORDS = {"fault": "KIND", "after_s": "--after", "for_s": "--for"}
FAULT_WORDS |= {name: f"--{name}" for name in ("on", "times", "chance", "value", "distribution")}


def fault(
    kind: Annotated[str, typer.Argument(help="What goes wrong; nae venue faults --kinds lists all.")],
    *,
    on: Annotated[
        str, typer.Option("--on", help="What it befalls, * for any: 'POST /api/v3/order', 'btcusdt@*'.")
    ] = "*",
    times: Annotated[
        int | None, typer.Option("--times", help="How often; once, or with --for or --chance always.")
    ] = None,
    chance: Annotated[float, typer.Option("--chance", help="0 to 1, by the seed.")] = 1.0,
    after: Annotated[float, typer.Option("--after", help="Seconds from now.")] = 0.0,
    for_s: Annotated[float | None, typer.Option("--for", help="Seconds.")] = None,
    value: Annotated[
        str | None, typer.Option("--value", help="Seconds, a share or an amount, as the kind says.")
    ] = None,
    distribution: Annotated[
        str | None, typer.Option("--distribution", help="Of latency: constant, uniform, lognormal, pareto (long tail).")
    ] = None,
    folder: Folder = None,
) -> None:
    """Make a served venue go wrong, now or soon; or an operation's, when nae.toml says drills = true for the venue.

    Examples:
      nae venue fault execute_504 --on 'POST /api/v3/order'
      nae venue fault latency --value 0.2
      nae venue fault latency --value 0.2 --distribution pareto --on 'POST *'
      nae venue fault drop_event --on 'btcusdt@*' --for 30
      nae venue fault maintenance --after 10 --for 60
      nae venue fault balance --on trader/USDT --value -100

    Exit codes: 0 given · 64 wrong words · 69 no venue is served there · 78 a value that can't be
    """
    row = {"fault": kind, "on": on, "times": times, "chance": chance, "after_s": after, "for_s": for_s, "value": value}
    row["distribution"] = distribution
    try:
        given = _asked(folder, "POST", "/faults", {name: value for name, value in row.items() if value is not None})
    except ConfigError as error:
        raise ConfigError(_as_typed(str(error))) from error
    say(f"fault {given['numbers'][0]}: {kind} on {on}")


def _as_typed(problem: str) -> str:
    """What the venue says is wrong, by the words of the command."""
    key, space, rest = problem.removeprefix("request: ").partition(" ")
    return f"{FAULT_WORDS.get(key, key)}{space}{rest}"


def faults(
    clear: Annotated[bool, typer.Option("--clear", help="Take all back.")] = False,
    remove: Annotated[int | None, typer.Option("--remove", min=1, help="Take one back, by its number.")] = None,
    kinds: Annotated[bool, typer.Option("--kinds", help="All that can go wrong.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    folder: Folder = None,
) -> None:
    """What goes wrong at a served venue now, and how often it has.

    Exit codes: 0 shown · 69 no venue is served there · 78 no such fault
    """
    if kinds:
        _show_kinds(json)
    elif clear or remove is not None:
        path = "/faults" if remove is None else f"/faults/{remove}"
        say(f"{_asked(folder, 'DELETE', path)['removed']} taken back")
    else:
        told = _asked(folder, "GET", "/faults")
        if json:
            print_json(told)
            return
        names = ["number", "fault", "on", "times", "chance", "after_s", "for_s", "value", "distribution", "happened"]
        table(names, [[row.get(name) for name in names] for row in told["faults"]], "nothing goes wrong")


def _show_kinds(json: bool) -> None:
    from execution.venue.fault_kinds import MEANINGS  # noqa: PLC0415

    rows = [
        {"fault": str(kind), "means": m.what, "on": m.on, "value": m.unit or None, "usual": m.usual}
        for kind, m in MEANINGS.items()
    ]
    if json:
        print_json(rows)
    else:
        table(list(rows[0]), [list(row.values()) for row in rows], "")


def _asked(folder: Path | None, method: str, path: str, body: object = None) -> dict[str, Any]:
    try:
        return ask_control(drilled_folder(folder), method, path, body)
    except NotServed as error:
        complain(str(error))
        raise typer.Exit(ExitCode.UNAVAILABLE) from error
