"""How commands speak: tables for people, --json for programs, one clear next step in every error."""

import json
import sys
import traceback
from decimal import Decimal
from types import TracebackType
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from execution.runtime.redaction import redact
from execution.vocabulary.money import text as amount_text

STATUS_STYLE = {"HEALTHY": "green", "DEGRADED": "yellow", "UNHEALTHY": "magenta", "CRITICAL": "bold red"}

SHOWN_DECIMALS = 8  # what exchanges count in; an average price may have 28
PIPE_WIDTH = 160  # nobody reads a pipe on 80 columns
WRAPPED = ("because", "finding", "reason", "venue", "fee", "at", "opened")  # may take two lines; nothing else may
ANY_WIDTH = 10_000

screen = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output; Decimals as text."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    sys.stdout.write(json.dumps(plain, indent=2) + "\n")


def visible(text: str) -> str:
    """`text` with nothing in it that a terminal obeys, or that hides or turns other text: such signs are spelt out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)


def say(text: str, style: str = "") -> None:
    """A line for a person, as it is, on standard output."""
    screen.print(visible(text), style=style, markup=False, emoji=False, soft_wrap=True)


def complain(problem: str) -> None:
    """An error for a person, on standard error."""
    errors.print(visible(redact(f"nae: {problem}")), style="red", markup=False, emoji=False, soft_wrap=True)


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A bug of ours, as Python would print it, but for what must not be seen."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def table(columns: list[str], rows: list[list[Any]], empty: str) -> None:
    """Rows under headings, or `empty` when there are none."""
    screen.print(grid(columns, rows) if rows else empty, crop=False)


class Fitted:
    """The first of some layouts that fits the screen. Where none does, the last, as wide as it has to be: a terminal
    wraps a line that is too long, and a cut one would lose a process or a number."""

    def __init__(self, *layouts: Table) -> None:
        self._layouts = layouts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        endless = options.update(max_width=ANY_WIDTH)
        needs = [Measurement.get(console, endless, layout) for layout in self._layouts]
        for layout, need in zip(self._layouts, needs, strict=True):
            if need.maximum <= options.max_width:
                yield layout
                return
        width = max(options.max_width, needs[-1].minimum)
        yield from console.render(self._layouts[-1], options.update(max_width=width))


def grid(columns: list[str], rows: list[list[Any]]) -> Fitted:
    """Rows under headings, as one thing to show: close together on a narrow screen."""
    return Fitted(grid_with(2, columns, rows), grid_with(1, columns, rows))


def grid_with(gap: int, columns: list[str], rows: list[list[Any]]) -> Table:
    """Rows under headings, with so many blanks between two columns."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    cells = [[cell(value) for value in row] for row in rows]
    for number, column in enumerate(columns):
        whole = column not in WRAPPED
        widest = max([len(column), *(row[number].cell_len for row in cells)]) if whole else None
        made.add_column(column, no_wrap=whole, min_width=widest, overflow="fold")
    for row in cells:
        made.add_row(*row)
    return made


def cell(value: Any) -> Text:
    """One value, short, as it is: what stands in an error or a log is never read as markup."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, Decimal):
        return Text(amount_text(round(value, SHOWN_DECIMALS)))
    text = visible(str(value))
    return Text(text, style=STATUS_STYLE.get(text, ""))


def duration(seconds: float) -> str:
    """1h 02m, 3m 04s, 5s."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {whole % 60:02d}s" if minutes else f"{whole}s"
