"""nae watch: the status and what the logs say, kept up to date on one screen."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from execution.console.operation_commands import operation_status
from execution.console.output import screen
from execution.console.status_view import status_screen
from execution.runtime.clock import block
from execution.runtime.files import tail_lines
from execution.runtime.home import Home

REFRESH_S = 1.0
LOOKED_AT = 16_384  # bytes of each log


def watch(
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=100, help="How many log lines below.")] = 8,
) -> None:
    """The status, and the newest lines of all logs, once a second until Ctrl-C. Into a pipe: once.

    Exit codes: 0 ended by Ctrl-C, or shown once
    """
    home = Home.find()
    if not screen.is_terminal:
        screen.print(_view(home, lines))
        return
    with contextlib.suppress(KeyboardInterrupt), Live(_view(home, lines), console=screen, screen=True) as live:
        while True:
            block(REFRESH_S)
            live.update(_view(home, lines), refresh=True)


def _view(home: Home, lines: int) -> Group:
    newest = newest_lines(home.logs, lines)
    said = [Text(f"{name}: {line}", no_wrap=True, overflow="ellipsis") for name, line in newest]
    return Group(status_screen(operation_status(home)), Text(""), *said)


def newest_lines(folder: Path, count: int) -> list[tuple[str, str]]:
    """The newest lines of all logs, oldest first; every line of ours begins with its time."""
    found = [
        (path.stem, line)
        for path in sorted(folder.glob("*.log"))
        for line in tail_lines(path, count, LOOKED_AT)
        if line[:2] == "20"
    ]
    found.sort(key=lambda entry: entry[1][:24])
    return found[-count:] if count else []
