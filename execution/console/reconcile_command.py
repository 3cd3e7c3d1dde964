"""`nae reconcile`: compare an account with the venue now, and let a person say of an unexplained difference that it
came from outside. It books nothing itself: the trader that holds the account does."""

import getpass
from typing import Annotated, Any

import typer

from execution.console.output import complain, print_json, screen
from execution.ledger.account_lock import holder_of
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account

ANSWER_WITHIN_S = 10.0


def reconcile(
    account: Annotated[str, typer.Argument(help="sandbox or live.")],
    accept: Annotated[bool, typer.Option("--accept", help="Book what differs as a change from outside.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --accept: don't ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare an account's books with the venue. With --accept, what differs (a deposit, a withdrawal, a trade by hand)
    is booked as yours, after you have seen it; entries go on then.

    Example: nae reconcile live --accept

    Exit codes: 0 the books agree · 1 they don't, or nothing was booked · 69 the account's trader doesn't answer
    """
    home = Home.find()
    if account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    found = _ask(home, account, {})
    if accept and not found["reconciled"]:
        for line in found["differences"]:
            screen.print(f"{account}: {line}", markup=False, emoji=False) if not json else None
        if yes or _confirmed(json):
            found = _ask(home, account, {"accept": found["differences"], "by": getpass.getuser()})
        else:
            complain(f"{account}: not confirmed; nothing was booked")
    if json:
        print_json({"account": account, **found})
    elif found["reconciled"]:
        screen.print(f"{account}: the books agree with the venue", *found["differences"], sep="\n  ", markup=False)
    else:
        hint = "" if accept else f"\nif that was you: nae reconcile {account} --accept"
        complain("\n".join([f"{account} isn't reconciled; no entries until it is", *found["differences"]]) + hint)
    if not found["reconciled"]:
        raise typer.Exit(ExitCode.FAILED)


def _confirmed(json: bool) -> bool:
    if json:
        return False
    try:
        return bool(typer.confirm("book these as changes from outside, known to you?"))
    except typer.Abort:
        return False


def _ask(home: Home, account: str, arguments: dict[str, Any]) -> dict[str, Any]:
    holder = holder_of(home, account)
    if not holder:
        complain(f"the trader of {account} isn't running, and only it may ask the venue and write the books; nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    try:
        return ask(home.run, holder, "reconcile", SystemClock(), deadline_s=ANSWER_WITHIN_S, **arguments)
    except Refused as refusal:
        complain(f"{account}: {refusal}")
        raise typer.Exit(ExitCode.FAILED) from None
    except NoAnswer as silence:
        complain(f"{account}: {silence}; nae status says what is wrong")
        raise typer.Exit(ExitCode.UNAVAILABLE) from None
