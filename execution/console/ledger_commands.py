"""Commands about the ledgers' files: a copy made while traders run, and a copy put back while none does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from execution.console.output import complain, print_json, say
from execution.ledger.account_lock import account_lock
from execution.ledger.backups import account_of, back_up, newest_sound, why_not_sound
from execution.ledger.rebuild import rebuild, was_begun
from execution.runtime.clock import SystemClock, file_stamp
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account

AccountOption = Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")]
OneAccount = Annotated[str, typer.Option("--account", "-a", help="Whose newest sound copy, when no file is named.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")]
Folder = Annotated[
    Path | None, typer.Argument(help="A folder for the copies; not given: data/ACCOUNT/backups, where 7 are kept.")
]
Copy = Annotated[Path | None, typer.Argument(help="The copy to put back; not given: the newest sound one.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def backup(folder: Folder = None, account: AccountOption = "", json: AsJson = False) -> None:
    """Copy the ledgers, whole and of one moment, also while traders run; each copy is read back and checked.

    The process that holds an account makes one a day by itself.

    Examples: nae backup · nae backup /Volumes/stick --account live · nae backup --json

    Exit codes: 0 done · 1 a copy isn't sound: the ledger is damaged · 64 wrong words · 69 no account yet · 71 disk
    """
    home, clock = Home.find(), SystemClock()
    told = []
    for name in _chosen(home, account):
        target = None if folder is None else folder / f"{name}-{file_stamp(clock.now_ms())}.db"
        try:
            made = back_up(home.ledger(name), clock, target)
        except FileNotFoundError:
            lost = {"account": name, "file": str(home.ledger(name)), "bytes": 0, "sound": False, "why": "it is gone"}
            told.append(lost)
            continue
        why = why_not_sound(made, name)
        told.append({"account": name, "file": str(made), "bytes": made.stat().st_size, "sound": not why, "why": why})
    if json:
        print_json(told)
    for row in told:
        if row["why"]:
            complain(f"{row['account']}: {row['file']} isn't sound: {row['why']}; nae restore puts an older one back")
        elif not json:
            say(f"{row['account']}: {row['file']} ({row['bytes']:,} bytes, read back and sound)")
    if any(row["why"] for row in told):
        raise typer.Exit(ExitCode.FAILED)


def restore(copy: Copy = None, account: OneAccount = "", yes: Yes = False, json: AsJson = False) -> None:
    """Put a copy of a ledger back, while nobody trades on the account. What was decided since it was made is added from
    the journal beside the ledger, what happened since by the venue's word at the next start; until both agree nothing
    is bought. The ledger that stood there is kept aside.

    Examples: nae restore --account live · nae restore data/live/backups/ledger-20261121T190000000Z.db --yes

    Exit codes: 0 done · 1 no sound copy · 64 wrong words, or not confirmed · 75 somebody trades on the account
    """
    home = Home.find()
    name = _account_of(copy) if copy is not None else _one(account)
    path = home.ledger(name)
    with _held(home, name):
        chosen = copy or newest_sound(path, name)
        why = "there is none that is sound" if chosen is None else why_not_sound(chosen, name)
    if chosen is None or why:
        complain(f"{name}: {chosen or path.parent / 'backups'} can't be put back: {why}")
        raise typer.Exit(ExitCode.FAILED)
    _confirm(name, chosen, yes)  # nobody is kept waiting for a person: nae kill may want the account meanwhile
    with _held(home, name):
        done = rebuild(path, name, SystemClock(), base=chosen)
    if json:
        print_json({"account": name, **msgspec.to_builtins(done)})
    else:
        say(f"{name}: {done}. Next: nae up")


@contextmanager
def _held(home: Home, account: str) -> Iterator[None]:
    """Nobody else writes this account. BusyError names who does."""
    lock = account_lock(home, account)
    lock.acquire("restore")
    try:
        yield
    finally:
        lock.release()


def _chosen(home: Home, account: str) -> list[str]:
    if account:
        _one(account)
    chosen = [name.value for name in Account if account in ("", name) and was_begun(home.ledger(name))]
    if not chosen:
        complain(f"no {account or 'trading'} account here yet; it appears with the first start: nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return chosen


def _one(account: str) -> str:
    if account not in list(Account):
        known = ", ".join(Account)
        complain(f"{account or 'no account'!r}: --account {known.replace(', ', ' or --account ')} would be right")
        raise typer.Exit(ExitCode.USAGE)
    return account


def _account_of(copy: Path) -> str:
    name = account_of(copy)
    if name not in list(Account):
        complain(f"{copy} is no ledger of ours" + (f": it is of {name!r}" if name else ""))
        raise typer.Exit(ExitCode.FAILED)
    return name


def _confirm(account: str, copy: Path, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        complain(f"this replaces the ledger of {account}: nae restore {copy} --yes does it without asking")
        raise typer.Exit(ExitCode.USAGE)
    if not typer.confirm(f"Replace the ledger of {account} with {copy}?"):
        complain("not confirmed; nothing was done")
        raise typer.Exit(ExitCode.USAGE)
