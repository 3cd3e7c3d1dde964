"""nae venue journal: is a venue's own journal whole, and does it tell what its store tells?"""

from pathlib import Path
from typing import Annotated

import typer

from execution.console.output import complain, print_json, say
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError, ExitCode

JOURNAL_NAME = "journal.jsonl"
STORE_NAME = "venue.db"
SHOWN = 20

journal = typer.Typer(help="What the venue has written down of every request, order and trade.", no_args_is_help=True)


@journal.command()
def verify(
    path: Annotated[
        Path | None, typer.Argument(help="A venue's folder or its journal; the operation's venue by itself.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """Check a venue's journal: each line follows from the one before it, and orders and trades are those of its store.

    Also while the venue runs. What a kill or a full disk has torn or lost is said and is no fault: each is explained.

    Examples: nae venue journal verify · nae venue journal verify data/venue_alone --json

    Exit codes: 0 whole · 1 something was changed, removed or is missing · 78 no journal there
    """
    from execution.venue.journal_check import check  # noqa: PLC0415 - only this command needs it

    place = (path or Home.find().data / "venue").expanduser().absolute()
    file = place / JOURNAL_NAME if place.is_dir() else place
    if not file.is_file():
        raise ConfigError(f"{file}: no journal is there; a venue's folder or its {JOURNAL_NAME} would be right")
    verdict = check(file, file.parent / STORE_NAME)
    chain, problems = verdict.chain, verdict.problems
    if chain.nothing and chain.lines > 1 and not problems:  # a single one may be the first, torn by a kill
        raise ConfigError(
            f"{file}: no line of it is a journal's; a venue's folder or its {JOURNAL_NAME} would be right"
        )
    if json:
        print_json(chain._asdict() | {"compared": verdict.compared, "problems": problems, "whole": not problems})
    else:
        say(f"{chain.lines} lines in {chain.files} files; {verdict.compared} orders and trades held against the store")
        said = {"from before the chain": chain.unchained, "lost, and said so": chain.lost, "torn": len(chain.torn)}
        for what, count in said.items():
            if count:
                say(f"{count} lines {what}")
        for problem in problems[:SHOWN]:
            complain(problem)
        say("it is whole" if not problems else f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
    if problems:
        raise typer.Exit(ExitCode.FAILED)
