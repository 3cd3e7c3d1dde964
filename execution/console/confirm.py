"""Asking a person before real money moves. Without a terminal to ask on, only --yes counts."""

import sys
from collections.abc import Iterable

import typer

from execution.console.output import complain
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account


def confirm(config: Config, accounts: Iterable[str], command: str, what: str, yes: bool) -> None:
    """Ends the command unless a person types the live account's name. Play money is never asked about."""
    if yes or not config.live.real_money or Account.LIVE not in accounts:
        return
    if not sys.stdin.isatty():
        complain(f"the live account is real money, and this {what}: {command} --yes does it without asking")
        raise typer.Exit(ExitCode.USAGE)
    if typer.prompt(f"The live account is real money, and this {what}. Type live to go on", default="") != "live":
        complain("not confirmed; nothing was done")
        raise typer.Exit(ExitCode.USAGE)
