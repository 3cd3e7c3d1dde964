"""`nae knowledge`: what an account's own trades and orders have taught, as its knowledge file has it. It only reads."""

from typing import Annotated, Any

import msgspec
import typer

from execution.console.output import complain, print_json, say, table
from execution.learning.execution_quality import Quality
from execution.learning.knowledge import Score, value_at
from execution.learning.order_failures import Minimum
from execution.ledger.knowledge_file import NAME, Lessons, read_knowledge
from execution.ledger.rebuild import was_begun
from execution.runtime.clock import SystemClock, iso
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account

SHOWN = 4
SCORES = ["account", "of", "score", "trades", "won", "in a row", "mean win", "mean loss", "last"]
ORDERS = ["account", "orders", "count", "slippage", "filled after", "filled", "last"]
LEAST = ["account", "symbol", "least order", "refused", "until"]


def knowledge(
    account: Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """What trading has taught: the score of each coin and strategy (-1 always lost, 1 always won, fading with time),
    how well orders were executed, and the least order values that refusals taught.

    Examples: nae knowledge · nae knowledge --account live --json

    Exit codes: 0 shown · 1 it can't be read · 64 wrong words · 69 no account yet
    """
    home, now = Home.find(), SystemClock().now_ms()
    if account and account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    chosen = [name.value for name in Account if account in ("", name) and was_begun(home.ledger(name))]
    if not chosen:
        complain(f"no {account or 'trading'} account here yet; it appears with the first start: scripts/nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    known: dict[str, dict[str, Any]] = {}
    for name in chosen:
        try:
            known[name] = _told(_read(home, name), now)
        except (DatabaseError, msgspec.DecodeError) as error:  # the other account's is shown all the same
            complain(f"{name}: {home.ledger(name).with_name(NAME)} can't be read: {error}; its trader learns it anew")
    if json:
        print_json(known)
    else:
        _show(known)
    if len(known) < len(chosen):
        raise typer.Exit(ExitCode.FAILED)


def _read(home: Home, account: str) -> Lessons:
    try:
        return read_knowledge(home.ledger(account))
    except FileNotFoundError:
        return {}  # nothing traded yet


def _told(lessons: Lessons, now_ms: int) -> dict[str, Any]:
    def scores(kind: str) -> dict[str, Any]:
        rows = msgspec.convert(lessons.get(kind, {}), dict[str, Score])
        return {
            name: msgspec.to_builtins(row) | {"score": round(value_at(row, now_ms), SHOWN), "at": iso(row.updated_ms)}
            for name, row in sorted(rows.items(), key=lambda item: -value_at(item[1], now_ms))
        }

    quality = msgspec.convert(lessons.get("execution", {}), dict[str, Quality])
    least = msgspec.convert(lessons.get("minimum", {}), dict[str, Minimum])
    return {
        "coins": scores("coin"),
        "strategies": scores("strategy"),
        "execution": {name: msgspec.to_builtins(row) for name, row in sorted(quality.items())},
        "minimums": {name: msgspec.to_builtins(row) for name, row in sorted(least.items()) if row.until_ms > now_ms},
    }


def _show(known: dict[str, dict[str, Any]]) -> None:
    """Scores always; the rest where there is something."""
    scored = [
        [
            account,
            name,
            row["score"],
            row["trades"],
            row["wins"],
            row["streak"],
            *_shares(row),
            _time(row["updated_ms"]),
        ]
        for account, told in known.items()
        for kind in ("coins", "strategies")
        for name, row in told[kind].items()
    ]
    executed = [
        [account, name, row["orders"], _share(row["slippage"]), f"{row['latency_ms']:.0f} ms", _share(row["filled"], 0),
         _last(row)]
        for account, told in known.items()
        for name, row in told["execution"].items()
    ]  # fmt: skip
    least = [
        [account, name, row["value"], f"{row['times']} times", _time(row["until_ms"])]
        for account, told in known.items()
        for name, row in told["minimums"].items()
    ]
    table(SCORES, scored, "no trade has been closed yet")
    for columns, rows in ((ORDERS, executed), (LEAST, least)):
        if rows:
            say("")
            table(columns, rows, "")


def _shares(row: dict[str, Any]) -> tuple[str, str]:
    return _share(row["mean_win"]), _share(-row["mean_loss"])


def _share(value: float, digits: int = 3) -> str:
    return f"{value * 100:.{digits}f} %"


def _last(row: dict[str, Any]) -> str:
    return _time(row["updated_ms"])


def _time(at_ms: int) -> str:
    return f"{iso(at_ms)[:19].replace('T', ' ')}Z"
