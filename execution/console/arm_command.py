"""`nae arm`: a person's word that a halted account may trade again. It shows what there is to know first, and asks."""

import getpass
from typing import Annotated, Any

import typer

from execution.console.account_reading import NoAccountYet, account_read
from execution.console.output import complain, print_json, screen
from execution.ledger.account_lock import holder_of
from execution.ledger.queries import AccountReport
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import Account


def arm(
    account: Annotated[str, typer.Argument(help="sandbox or live.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask; you have read what nae status says.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Let a halted account trade again. What it lost so far is accepted: its loss limits count from now on.

    Example: nae arm live

    Exit codes: 0 armed · 1 refused (not halted, not reconciled, or not confirmed) · 69 no account yet, or its trader
    doesn't answer · 78 its ledger is gone or damaged
    """
    home = Home.find()
    if account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    try:
        report = account_read(home, account)
    except NoAccountYet as none:
        complain(str(none))
        raise typer.Exit(ExitCode.UNAVAILABLE) from None
    if problem := why_not(report):
        _end(account, ExitCode.FAILED, problem, json)
    if not json:
        for line in checklist(account, report):
            screen.print(line, markup=False, emoji=False)
    if not yes and not _confirmed(account, json):
        _end(account, ExitCode.FAILED, "not confirmed: it stays halted", json)
    _end(account, *_told(home, account), json)


def why_not(report: AccountReport) -> str:
    """Why a person can't arm this account now; "" when one can. The trader asks itself the same."""
    if report.trading_state is not TradingState.HALTED:
        return f"it is {report.trading_state}, not halted: there is nothing to arm"
    if not report.reconciled:
        return f"it isn't reconciled ({'; '.join(report.differences) or 'no comparison yet'}): it stays halted"
    return ""


def checklist(account: str, report: AccountReport) -> list[str]:
    """What a person should have seen before."""
    held = ", ".join(report.positions) or "nothing"
    return [
        f"{account} is halted: {report.reason}",
        f"held: {held} ({report.protective_exits} protected at the venue)",
        f"orders: {report.open_orders} open, {report.unknown_orders} of unknown fate",
        "reconciled with the venue: yes",
        "armed, it opens positions again, and its loss limits count from now on",
    ]


def _confirmed(account: str, json: bool) -> bool:
    if json:
        return False  # a program that reads JSON says --yes
    try:
        return str(typer.prompt(f"type {account} to arm it")).strip() == account
    except typer.Abort:
        return False


def _told(home: Home, account: str) -> tuple[ExitCode, str]:
    """The trader's own answer: only whoever holds the account knows that it agrees with the venue at this moment."""
    holder = holder_of(home, account)
    if not holder:
        return (
            ExitCode.UNAVAILABLE,
            "its trader isn't running, so nobody compares it with the venue; nae up, then again",
        )
    try:
        answer: dict[str, Any] = ask(home.run, holder, "arm", SystemClock(), by=getpass.getuser())
    except Refused as refusal:
        return ExitCode.FAILED, str(refusal)
    except NoAnswer as silence:
        return ExitCode.UNAVAILABLE, f"unknown whether it was done: {silence}; see nae status"
    return ExitCode.OK, f"armed: it is {answer['trading_state']}"


def _end(account: str, code: ExitCode, text: str, json: bool) -> None:
    if json:
        print_json({"account": account, "armed": code is ExitCode.OK, "text": text})
    elif code is ExitCode.OK:
        screen.print(f"{account}: {text}", markup=False, emoji=False)
    if code is not ExitCode.OK and not json:
        complain(f"{account}: {text}")
    raise typer.Exit(code)
