"""`nae quarantine`: leave a symbol alone by hand, lift that again, or see which ones are left alone and why. The trader
that holds the account keeps the list; when nobody holds it, it is written into the ledger under the account's lock."""

import getpass
import re
from typing import Annotated, Any

import msgspec
import typer

from execution.console.drain import seconds_of
from execution.console.output import complain, print_json, say, table
from execution.ledger.account_lock import account_lock, holder_of
from execution.ledger.opening import open_ledger
from execution.ledger.queries import runtime_state
from execution.ledger.rebuild import was_begun
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock, iso
from execution.runtime.home import Home
from execution.trading.quarantine import NotThere, Quarantine
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import optimus_of

SYMBOL_FORM = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
KEY = "quarantine"  # in the ledger's runtime state


def quarantine(  # noqa: PLR0917 -- typer's way: a parameter is an option
    symbol: Annotated[str, typer.Argument(help="Such as DOGE/USDT; none: show all.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Trade it again.")] = False,
    lasting: Annotated[str, typer.Option("--for", help="How long: 30m, 6h; until it is lifted when not given.")] = "",
    account: Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")] = False,
) -> None:
    """Open no position on a symbol any more; what is held of it is sold as ever. Survives every restart. What orders
    that the venue refused have taught stands in the same list.

    Examples: nae quarantine DOGE/USDT --reason "delisting on Friday" · nae quarantine DOGE/USDT --lift · nae quarantine

    Exit codes: 0 done, or shown · 1 refused · 64 wrong words · 69 no account yet, or one didn't answer (unknown)
    """
    home, symbol = Home.find(), symbol.upper()
    _check_words(symbol, reason, lift, account)
    chosen = [name for name in Account if account in ("", name) and was_begun(home.ledger(name))]
    if not chosen:
        complain(f"no {account or 'trading'} account here yet; it appears with the first start: scripts/nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    arguments: dict[str, Any] = {}
    if symbol:
        arguments = {"symbol": symbol, "lift": lift, "reason": reason, "by": getpass.getuser()}
        arguments |= {"for_s": seconds_of(lasting, "--for")} if lasting else {}
    answers = {name.value: _tell(home, name, arguments) for name in chosen}
    _show(answers, json)


def _check_words(symbol: str, reason: str, lift: bool, account: str) -> None:
    wrong = ""
    if account and account not in list(Account):
        wrong = f"unknown account {account!r}; one of {', '.join(Account)} would be right"
    elif symbol and not SYMBOL_FORM.fullmatch(symbol):
        wrong = f"{symbol!r} is no symbol; such as DOGE/USDT would be right"
    elif not symbol and (reason or lift):
        wrong = "which symbol? such as: nae quarantine DOGE/USDT --reason delisting"
    elif symbol and not lift and not reason.strip():
        wrong = f'a quarantine needs a reason, such as: nae quarantine {symbol} --reason "delisting on Friday"'
    if wrong:
        complain(wrong)
        raise typer.Exit(ExitCode.USAGE)


def _tell(home: Home, account: Account, arguments: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The list as it is then, from the trader or from the ledger; or what went wrong."""
    try:
        try:
            process = holder_of(home, account) or optimus_of(account)
            return ExitCode.OK, ask(home.run, process, "quarantine", SystemClock(), **arguments)
        except NoAnswer as silence:
            try:
                return ExitCode.OK, _offline(home, account, arguments)
            except BusyError:
                return ExitCode.UNAVAILABLE, {"error": f"unknown whether it was done: {silence}; ask again"}
    except (Refused, NotThere) as refusal:
        return ExitCode.FAILED, {"error": str(refusal)}
    except ConfigError as damage:
        return ExitCode.CONFIG, {"error": str(damage)}


def _offline(home: Home, account: Account, arguments: dict[str, Any]) -> dict[str, Any]:
    clock, path = SystemClock(), home.ledger(account)
    if not arguments:
        return _list_of(clock, runtime_state(path)).listed()
    lock = account_lock(home, account)
    lock.acquire("nae_quarantine")
    try:
        ledger = open_ledger(path, account, clock)
        try:
            state = ledger.restore_runtime_state() or {}
            found = _list_of(clock, state)
            found.obey(**arguments)
            ledger.save_runtime_state(state | {KEY: found.to_state()})
            return found.listed()
        finally:
            ledger.close()
    finally:
        lock.release()


def _list_of(clock: SystemClock, state: dict[str, Any]) -> Quarantine:
    found = Quarantine(clock)
    try:
        found.restore(state.get(KEY, {}))
    except msgspec.ValidationError as error:
        raise ConfigError(f"the list in the ledger isn't understood (another build's?): {error}") from error
    return found


def _show(answers: dict[str, tuple[int, dict[str, Any]]], json: bool) -> None:
    if json:
        print_json({account: {"ok": code == ExitCode.OK, **told} for account, (code, told) in answers.items()})
    rows = []
    for account, (code, told) in answers.items():
        if code != ExitCode.OK:
            complain(f"{account}: {told['error']}")
        for symbol, row in told.get("quarantine", {}).items():
            until = "it is lifted" if row["until_ms"] is None else iso(row["until_ms"])
            rows.append([account, symbol, row["reason"], row["by"], iso(row["since_ms"]), until])
    worst = max(code for code, _ in answers.values())
    if not json and rows:
        table(["account", "symbol", "reason", "by", "since", "until"], rows, "")
    elif not json and not worst:
        say("no symbol is in quarantine")
    if worst:
        raise typer.Exit(worst)
