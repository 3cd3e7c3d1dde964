"""`nae learn`: what healing has learned: which remedy helps against which fault, and how sure that is."""

from typing import Annotated

import typer

from execution.console.heal_command import told
from execution.console.output import print_json, table
from execution.runtime.home import Home

COLUMNS = ["fault", "remedy", "tried", "helped", "came back", "expected", "90 % between", "given up for"]

learn = typer.Typer(no_args_is_help=True, help="What healing has learned.")


@learn.callback()
def _group() -> None:
    """What healing has learned."""


@learn.command("show")
def show(json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False) -> None:
    """Fault by remedy: how often it was tried and helped, the share expected to help, where that lies by nine chances
    in ten, and for how many single faults it was given up. What was never tried shows what is assumed.

    Example: nae learn show

    Exit codes: 0 shown · 69 the manager doesn't answer
    """
    learned = told(Home.find(), "learn")["learned"]
    if json:
        print_json({"learned": learned})
        return
    rows = [
        [
            row["type"],
            row["remedy"],
            row["tried"],
            row["helped"],
            row["recurred"],
            f"{row['expected']:.0%}",
            f"{row['low']:.0%} and {row['high']:.0%}",
            f"{row['given_up']} faults" if row["given_up"] else "-",
        ]
        for row in learned
    ]
    table(COLUMNS, rows, "no remedy is known to this build")
