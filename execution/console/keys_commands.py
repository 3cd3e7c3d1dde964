"""nae keys: a real account's key is put in its place, and what it may do is asked of the exchange. A key is never taken
from the command line or the environment, and never shown: only its fingerprint."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from execution.console.output import complain, print_json, say, table
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.credentials import Credentials, decoded, load_credentials
from execution.exchange.desk import open_desk
from execution.exchange.embedded_access import key_file
from execution.exchange.endpoint import Endpoint, build_client
from execution.exchange.key_provider import Found, find_credentials, keep
from execution.exchange.key_rights import Rights, ask_rights, refusals
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import ConfigError, ExitCode
from execution.vocabulary.modes import Account, TradeMode

keys = typer.Typer(help="The accounts' API keys: put one in its place, and check what it may do.")
LIVE: str = Account.LIVE
WORDS_MAX = 65_536

AccountName = Annotated[str, typer.Argument(help="sandbox or live.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@keys.command("set")
def set_key(
    account: AccountName = LIVE,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one that is there.")] = False,
    json: AsJson = False,
) -> None:
    """Put the key of a real account into its file, readable by you alone.

    It is asked for, or read from standard input as {"key": "…", "secret": "…"} or as two lines; nothing is shown.

    Examples: nae keys set live · nae keys set live --replace < key.json

    Exit codes: 0 kept · 64 wrong words · 71 can't be written · 78 not a key, or one is there already
    """
    home = Home.find()
    if account != LIVE:
        complain(
            f"{account!r} needs no key of yours: the embedded venue makes its own; nae keys set live would be right"
        )
        raise typer.Exit(ExitCode.USAGE)
    credentials = _read()
    path = keep(home, account, credentials, replace)
    if json:
        print_json({"ok": True, "account": account, "file": str(path), "fingerprint": credentials.fingerprint})
    else:
        say(f"{account}: key {credentials.fingerprint} is in {path}; next: nae keys check {account}")


def _read() -> Credentials:
    """From the terminal without an echo, or from standard input."""
    place = Path("standard input")
    if sys.stdin.isatty():
        words = [typer.prompt(name, hide_input=True) for name in ("API key", "Secret")]
        return decoded(msgspec.json.encode(Credentials(words[0].strip(), words[1].strip())), place)
    given = sys.stdin.buffer.read(WORDS_MAX)
    lines = given.split()
    if not given.lstrip().startswith(b"{") and len(lines) == 2:
        return decoded(msgspec.json.encode(Credentials(*(line.decode(errors="replace") for line in lines))), place)
    return decoded(given, place)


@keys.command()
def check(
    account: Annotated[str, typer.Argument(help="sandbox or live; both when none is given.")] = "", json: AsJson = False
) -> None:
    """Ask the exchange what the key may do: read and trade spot, never withdraw; real money from your addresses only.

    Examples: nae keys check · nae keys check live --json

    Exit codes: 0 fit · 64 no such account · 69 the exchange doesn't answer · 78 no key, or one that may too much
    """
    home = Home.find()
    if account and account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    config = load(home.config_file)
    told = [_checked(home, config, name.value) for name in Account if account in ("", name)]
    if json:
        print_json(told)
    else:
        columns = ["account", "venue", "key", "from", "may withdraw", "finding"]
        rows = [
            [row[name.replace(" ", "_")] for name in columns[:-1]] + ["; ".join(row["problems"]) or "fit"]
            for row in told
        ]
        table(columns, rows, "no accounts")
    if worst := max(row["code"] for row in told):
        raise typer.Exit(worst)


def _checked(home: Home, config: Config, account: str) -> dict[str, Any]:
    real = account == LIVE and bool(config.live.exchange)
    told: dict[str, Any] = {"account": account, "venue": config.live.exchange if real else "embedded venue"}
    told |= {
        "key": None,
        "from": None,
        "may_withdraw": None,
        "rights": {},
        "problems": [],
        "code": int(ExitCode.CONFIG),
    }
    try:
        found = find_credentials(home, account, os.environ) if real else _embedded(home, account)
        told |= {"key": found.credentials.fingerprint, "from": found.source}
        rights = asyncio.run(_ask(home, config, account, found.credentials if real else None))
    except ConfigError as problem:
        return told | {"problems": [str(problem)]}
    except (VenueError, BadReply) as problem:
        return told | {"problems": [f"the exchange doesn't tell: {problem}"], "code": int(ExitCode.UNAVAILABLE)}
    problems = refusals(rights, real)
    told |= {"may_withdraw": rights.flags["enableWithdrawals"], "rights": rights.flags, "problems": problems}
    return told | {"code": int(ExitCode.CONFIG if problems else ExitCode.OK)}


def _embedded(home: Home, account: str) -> Found:
    return Found(load_credentials(key_file(home, account)), str(key_file(home, account)))


async def _ask(home: Home, config: Config, account: str, real: Credentials | None) -> Rights:
    clock = SystemClock()
    if real is None:
        client = open_desk(home, account, config, clock).client
    else:
        client = build_client(Endpoint(config.live.exchange), real, clock, TradeMode.LIVE)
    try:
        return await ask_rights(client)
    finally:
        await client.drop()
