"""Commands about the trading accounts: pause, resume, positions, orders, fills. Reading is from the ledgers, read-only;
orders about trading go to the trader that holds the account, or into its ledger when nobody does."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from execution.console.output import complain, print_json, screen, table
from execution.ledger.account_lock import holder_of
from execution.ledger.queries import positions as read_positions
from execution.ledger.queries import recent_fills, recent_orders, set_trading_state_offline
from execution.ledger.rebuild import was_begun
from execution.ledger.rows import LedgerDamaged
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock, iso
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import Account
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.programs import optimus_of

AccountOption = Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many of each account, newest first.")]


def _chosen(home: Home, account: str) -> list[str]:
    if account and account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    existing: list[str] = [name for name in Account if was_begun(home.ledger(name))]  # one that is gone is told of
    chosen = [name for name in existing if account in ("", name)]
    if not chosen:
        complain(f"no {account or 'trading'} account here yet; it appears with the first start: scripts/nae up")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return chosen


def pause(
    reason: Annotated[str, typer.Argument(help="Why; kept with the state.")],
    account: AccountOption = "",
    json: AsJson = False,
) -> None:
    """Take no new entries until `nae resume`; exits go on. Survives every restart.

    Example: nae pause "news at noon" --account live

    Exit codes: 0 done · 1 refused · 69 no account yet, or one didn't answer (unknown)
    """
    if not reason.strip():
        complain('a pause needs a reason, such as: nae pause "news at noon"')
        raise typer.Exit(ExitCode.USAGE)
    _command("pause", TradingState.PAUSED, reason, account, json)


def resume(account: AccountOption = "", json: AsJson = False) -> None:
    """Lift a pause. A halt is not lifted: only a person's `nae arm` will do that.

    Exit codes: 0 done · 1 refused · 69 no account yet, or one didn't answer (unknown)
    """
    _command("resume", TradingState.ACTIVE, "resumed by the operator", account, json)


def _command(verb: str, state: TradingState, reason: str, account: str, json: bool) -> None:
    home = Home.find()
    answers = {name: _tell(home, name, verb, state, reason) for name in _chosen(home, account)}
    if json:
        print_json({name: {"ok": code == ExitCode.OK, "text": text} for name, (code, text) in answers.items()})
    for name, (code, text) in answers.items():
        if code != ExitCode.OK:
            complain(f"{name}: {text}")
        elif not json:
            screen.print(f"{name}: {text}", markup=False, emoji=False)
    worst = max(code for code, _ in answers.values())
    if worst:
        raise typer.Exit(worst)


def _tell(home: Home, account: str, verb: str, state: TradingState, reason: str) -> tuple[int, str]:
    """Tell the trader; when nobody holds the account, write it into the ledger ourselves."""
    try:
        answer = ask(home.run, holder_of(home, account) or optimus_of(account), verb, SystemClock(), reason=reason)
        return ExitCode.OK, str(answer.get("trading_state", "done"))
    except Refused as refusal:
        return ExitCode.FAILED, str(refusal)
    except NoAnswer as silence:
        try:
            _write_offline(home, account, state, reason)
        except BusyError:
            return ExitCode.UNAVAILABLE, f"unknown whether it was done: {silence}; ask again, or see nae status"
        except Refused as refusal:
            return ExitCode.FAILED, str(refusal)
        except ConfigError as damage:  # the other account hears of it all the same
            return ExitCode.CONFIG, str(damage)
        except DatabaseError as error:
            return ExitCode.OS_ERROR, f"{home.ledger(account)} can't be written: {error}"
        return ExitCode.OK, f"{state} (its trader isn't running)"


def _write_offline(home: Home, account: str, state: TradingState, reason: str) -> None:
    held = set_trading_state_offline(home, account, state, reason)
    if held is not state:
        raise Refused(f"the account is {held}: only a person re-arms")


def _listing(
    account: str, json: bool, read: Callable[[Home, str], list[dict[str, Any]]], columns: list[str], empty: str
) -> None:
    home = Home.find()
    rows, damaged = [], False
    for name in _chosen(home, account):
        try:
            rows += [{"account": name, **row} for row in read(home, name)]
        except (DatabaseError, LedgerDamaged, FileNotFoundError) as error:  # the other account's are shown all the same
            damaged = True
            complain(f"{name}: {home.ledger(name)} can't be read: {error}")
    if json:
        print_json(rows)
    elif rows or not damaged:
        cells = [[_short(column, row.get(column.replace(" ", "_"))) for column in columns] for row in rows]
        table(columns, cells, empty)
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


def _short(column: str, value: Any) -> Any:
    """A table's times are to the second: 2026-11-21 08:00:01Z."""
    return f"{value[:10]} {value[11:19]}Z" if column in ("at", "opened") else value


def positions(account: AccountOption = "", json: AsJson = False) -> None:
    """What is held now, since when, and the price of the stop that stands at the venue for it."""

    def read(home: Home, name: str) -> list[dict[str, Any]]:
        held = read_positions(home.ledger(name)).values()
        resting = recent_orders(home.ledger(name), 1000, [OrderState.OPEN, OrderState.PARTIALLY_FILLED])
        stops = {order.symbol: order.reference_price for order in resting if order.guards}
        return [
            {
                "symbol": position.symbol,
                "quantity": position.quantity,
                "entry_price": position.entry_price,
                "cost": position.cost,
                "strategy": position.strategy,
                "opened": iso(position.opened_ms),
                "stop": stops.get(position.symbol),
            }
            for position in held
        ]

    columns = ["account", "symbol", "quantity", "entry price", "cost", "strategy", "opened", "stop"]
    _listing(account, json, read, columns, "no positions")


def orders(
    account: AccountOption = "",
    unknown: Annotated[bool, typer.Option("--unknown", help="Only orders whose fate isn't known yet.")] = False,
    count: Count = 20,
    json: AsJson = False,
) -> None:
    """The newest orders and their states."""

    def read(home: Home, name: str) -> list[dict[str, Any]]:
        states = [OrderState.UNKNOWN] if unknown else None
        return [
            {
                "id": order.client_order_id,
                "symbol": order.symbol,
                "side": order.side,
                "quantity": order.quantity,
                "state": order.state,
                "purpose": order.purpose,
                "reason": order.reason,
                "at": iso(order.created_ms),
            }
            for order in recent_orders(home.ledger(name), count, states)
        ]

    _listing(account, json, read, ["account", "at", "id", "symbol", "side", "quantity", "state", "reason"], "no orders")


def fills(account: AccountOption = "", count: Count = 20, json: AsJson = False) -> None:
    """The newest fills: what was bought and sold, at what price and fee."""

    def read(home: Home, name: str) -> list[dict[str, Any]]:
        return [
            {
                "at": iso(fill.executed_ms),
                "symbol": fill.symbol,
                "side": fill.side,
                "quantity": fill.quantity,
                "price": fill.price,
                "fee": f"{fill.fee.normalize():f} {fill.fee_currency}",
                "trade_id": fill.trade_id,
            }
            for fill in recent_fills(home.ledger(name), count)
        ]

    columns = ["account", "at", "symbol", "side", "quantity", "price", "fee"]
    _listing(account, json, read, columns, "no fills yet")
