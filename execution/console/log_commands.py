"""nae logs: the processes' logs side by side, each line under its process's name."""

from pathlib import Path
from typing import Annotated

import typer

from execution.console.output import complain, screen, visible
from execution.runtime.clock import block
from execution.runtime.files import tail_lines
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode

COLOURS = ["cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta"]
FOLLOW_S = 0.2
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOOKED_THROUGH = 100_000  # lines, and a hundred bytes of each, for the last ones of a level


def logs(
    names: Annotated[list[str] | None, typer.Argument(help="Process names; all when none is given.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each to begin with.")] = 10,
    level: Annotated[str, typer.Option(help="Only lines of this level, such as ERROR.")] = "",
) -> None:
    """Show the processes' logs.

    Exit codes: 0 shown · 64 an unknown name or level · 69 no logs yet

    Examples: nae logs · nae logs -f live_optimus · nae logs --level ERROR -n 50
    """
    folder = Home.find().logs
    files = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if level and level.upper() not in LEVELS:
        complain(f"unknown level {level!r}; one of {', '.join(LEVELS)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    if not files and not names:
        complain(f"no logs in {folder} yet; they appear with the first start: scripts/nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    unknown = [name for name in names or [] if name not in files]
    if unknown:
        complain(f"no log of {unknown[0]!r} in {folder}; there are: {', '.join(files) or 'none yet'}")
        raise typer.Exit(ExitCode.USAGE)
    chosen = {name: files[name] for name in names or files}
    places = {name: path.stat().st_size for name, path in chosen.items()}
    for name, path in chosen.items():
        _show(name, _last(path, lines, level), list(chosen))
    while follow:
        for name, path in chosen.items():
            places[name] = _follow(name, path, places[name], list(chosen), level)
        block(FOLLOW_S)


def _last(path: Path, count: int, level: str) -> list[str]:
    if not level:
        return tail_lines(path, count)
    found = _of_level(tail_lines(path, LOOKED_THROUGH, 100 * LOOKED_THROUGH), level)
    return found[-count:] if count else []


def _of_level(lines: list[str], level: str) -> list[str]:
    return [line for line in lines if not level or f" {level.upper()} " in line[:40]]


def _follow(name: str, path: Path, place: int, names: list[str], level: str) -> int:
    size = path.stat().st_size
    if size < place:  # copied away and truncated
        place = 0
    if size > place:
        with path.open("rb") as file:
            file.seek(place)
            data = file.read(size - place)
        _show(name, _of_level(data.decode(errors="replace").splitlines(), level), names)
    return size


def _show(name: str, lines: list[str], names: list[str]) -> None:
    colour = COLOURS[names.index(name) % len(COLOURS)]
    width = max(map(len, names))
    for line in lines:
        screen.print(f"[{colour}]{name:<{width}}[/] ", end="")
        screen.print(visible(line), markup=False, emoji=False, soft_wrap=True)
