"""nae liquidate: what an account holds becomes its quote currency. Without --execute it looks and says what it would do
(also while traders run); with it, it holds the account's lock while it sells."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from execution.console.account_reading import account_read
from execution.console.confirm import confirm
from execution.console.drain import seconds_of
from execution.console.output import complain, errors, print_json, say, table
from execution.exchange.classify import BadReply, VenueError
from execution.exchange.desk import open_desk
from execution.exchange.emergency import cancel_all
from execution.ledger.account_lock import AccountLock, account_lock
from execution.ledger.audit_log import AuditLogger
from execution.ledger.queries import recent_fills, recent_orders
from execution.ledger.rebuild import open_or_rebuild, was_begun
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.trading.liquidation import NEWEST, Liquidated, Liquidation, total
from execution.trading.liquidation_plan import Plan, Unfinished, plan, unfinished
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.modes import Account
from execution.vocabulary.orders import Position

SHOWN_DECIMALS = 8
CANCELLED_WITHIN_S = 4.0
SANDBOX: str = Account.SANDBOX

AccountOption = Annotated[str, typer.Option("--account", "-a", help="sandbox or live.")]
Only = Annotated[list[str] | None, typer.Argument(help="Currencies, such as ETH SOL; all when none is given.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it. Without this nothing is sold.")]
Within = Annotated[str, typer.Option("--within", help="How long selling may take: 30s, 2m.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask, also when it is real money.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@dataclass
class _Account:
    """The one account of this command."""

    home: Home
    name: str
    config: Config
    clock: SystemClock
    only: list[str]

    @property
    def quote(self) -> str:
        return self.config.trading.quote


def liquidate(  # noqa: PLR0917 -- typer's way: a parameter is an option
    only: Only = None,
    account: AccountOption = SANDBOX,
    execute: Execute = False,
    within: Within = "60s",
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Turn what an account holds into its quote currency: directly, or in two sales over a bridge currency, what brings
    more. Dry unless --execute. Cut off at whatever line, the next one goes on where it stopped.

    The account is paused first, so that nothing is bought again. While a trader holds it, nothing is sold here:
    nae kill --flatten has the trader sell.

    Examples: nae liquidate · nae liquidate ETH SOL --account live · nae liquidate --execute

    Exit codes: 0 done, or shown · 64 wrong words, or not confirmed · 69 the venue doesn't answer, or something is left
    between two sales · 75 a trader holds the account · 78 no account, no venue, its ledger is gone or damaged
    """
    home, within_s = Home.find(), seconds_of(within)
    one = _Account(home, account, load(home.config_file), SystemClock(), [name.upper() for name in only or []])
    if account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    if not was_begun(home.ledger(account)):
        raise ConfigError(f"no {account} account in {home.root}; it appears with the first start: scripts/nae up")
    if not execute:
        _show_plan(one, *asyncio.run(_look(one, account_read(home, account).positions)), json)
        return
    confirm(one.config, [account], "nae liquidate --execute", "sells what it holds", yes)
    _show_end(one, _execute(one, within_s), json)


async def _look(one: _Account, ours: Mapping[str, Position]) -> tuple[Plan, list[Unfinished]]:
    """What would be sold, as the venue has it now. Ends the command when it doesn't answer."""
    desk = open_desk(one.home, one.name, one.config, one.clock)
    try:
        rules = await desk.reader.load_rules()
        held = {name: row.free + row.locked for name, row in (await desk.reader.fetch_balances()).items()}
        names = {*held, *(row.quote for row in rules.values())}
        quotes = await desk.look(row.symbol for row in rules.values() if row.base in names and row.trading)
    except (VenueError, BadReply) as error:
        complain(f"{one.name}: the venue doesn't answer: {error}; nae status shows whether it runs")
        raise typer.Exit(ExitCode.UNAVAILABLE) from error
    finally:
        await desk.close()
    path = one.home.ledger(one.name)
    between = unfinished(recent_orders(path, NEWEST), recent_fills(path, NEWEST), rules, quotes, one.quote)
    return plan(held, rules, quotes, one.quote, positions=ours, only=one.only), between


def _execute(one: _Account, within_s: float) -> Liquidated:
    """Under the account's lock."""
    lock = account_lock(one.home, one.name)
    try:
        lock.acquire(f"nae_liquidate pid {os.getpid()}")
    except BusyError as busy:
        raise BusyError(f"{busy}; nae kill --flatten has it sell, nae stop ends it") from busy
    try:
        ledger = open_or_rebuild(one.home.ledger(one.name), one.name, one.clock)
        try:
            return asyncio.run(_sell(one, ledger, lock, within_s))
        finally:
            ledger.close()
    finally:
        lock.release()


async def _sell(one: _Account, ledger: Ledger, lock: AccountLock, within_s: float) -> Liquidated:
    desk = open_desk(one.home, one.name, one.config, one.clock)
    audit = AuditLogger(one.home.audit_trail(f"operator_{one.name}"), one.clock, "nae_liquidate")
    try:
        await desk.claim_key("nae_liquidate")
        if ledger.trading_state()[0] is TradingState.ACTIVE:
            ledger.set_trading_state(TradingState.PAUSED, "liquidated; nae resume lifts it", "operator")
        gateway = desk.gateway(ledger, lock)
        began = one.clock.monotonic()
        chosen = {order.client_order_id for order in ledger.unsettled() if _concerned(one, order.symbol)}
        until = began + CANCELLED_WITHIN_S
        swept = await cancel_all(
            desk.client, one.clock, until, gateway, keep=lambda row: row.client_order_id not in chosen
        )
        if not swept.seen:
            words = f"{swept.problem}; it is asked again for {within_s:g} s, Ctrl-C leaves it"
            errors.print(f"nae: {one.name}: the venue doesn't answer: {words}", soft_wrap=True, markup=False)
        liquidation = Liquidation(gateway, desk.look, audit, one.clock, quote=one.quote, only=one.only)
        found = await liquidation.run(began + within_s)
        if swept.kept:
            found.left |= {
                "open orders": f"{len(swept.kept)} that aren't ours lock what they sell: nae kill cancels them"
            }
        return found
    finally:
        audit.close()
        await desk.close()


def _concerned(one: _Account, symbol: str) -> bool:
    return not one.only or symbol.partition("/")[0] in one.only


def _show_plan(one: _Account, found: Plan, between: list[Unfinished], json: bool) -> None:
    if json:
        print_json({"account": one.name, "quote": one.quote, "executed": False, "plan": found, "unfinished": between})
        return
    rows = [
        [
            route.currency,
            route.steps[0].quantity,
            " > ".join([route.currency, *(step.symbol.partition("/")[2] for step in route.steps)]),
            route.steps[0].price,
            round(route.proceeds, SHOWN_DECIMALS),
        ]
        for route in found.routes
    ]
    table(["currency", "quantity", "way", "price", f"brings {one.quote}"], rows, f"{one.name}: nothing to sell")
    for currency, why in found.left.items():
        say(f"{currency} stays: {why}")
    for currency in one.only:
        if currency not in found.left and all(currency != route.currency for route in found.routes):
            say(f"{currency}: the account holds none of it to sell")
    for saga in between:
        say(
            f"unfinished: {saga.quantity} of {saga.symbol} from a sale of {saga.currency} ({saga.first}) isn't sold yet"
        )
    if rows or between:
        brings = round(total(found), 2)
        say(f"{brings} {one.quote} in all; nothing was sold: nae liquidate --execute --account {one.name} does it")


def _show_end(one: _Account, told: Liquidated, json: bool) -> None:
    if json:
        print_json({"account": one.name, "quote": one.quote, "executed": True, "ok": told.done, "end": told})
    else:
        say(f"{one.name}: {len(told.sold)} sales" + (f": {', '.join(told.sold)}" if told.sold else ""), "bold")
        for currency, why in told.left.items():
            say(f"{currency} stays: {why}")
    again = f"nae liquidate --execute --account {one.name} goes on"
    for saga in told.unfinished:
        complain(f"{saga.quantity} of {saga.symbol} from a sale of {saga.currency} isn't sold yet; {again}")
    if told.unknown:
        complain(f"fate unknown: {', '.join(told.unknown)}; {again}")
    if told.problem:
        complain(f"the venue: {told.problem}; {again}")
    if not told.done:
        raise typer.Exit(ExitCode.UNAVAILABLE)
