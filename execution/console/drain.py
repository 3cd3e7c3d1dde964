"""Letting an account run flat before its trader is stopped: no new entries, exits go on, until nothing is held and no
order is open. Sells nothing itself: the trader's own exits do."""

from collections.abc import Callable
from dataclasses import dataclass

import typer

from execution.console.output import complain
from execution.ledger.account_lock import holder_of
from execution.ledger.queries import AccountReader, AccountReport
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import Clock, block
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.lifecycle import TradingState

LOOK_S = 0.5
DRAINING = "draining before a stop; should that have been cut off, nae resume lifts it"
UNITS = {"s": 1, "m": 60, "h": 3600}


class NotDrained(Exception):
    """The account isn't flat, and why; its trading state is what it was."""


@dataclass(frozen=True)
class Exposure:
    """What an account would leave behind."""

    positions: tuple[str, ...] = ()
    orders: int = 0
    unknown: int = 0

    @property
    def flat(self) -> bool:
        return not (self.positions or self.orders or self.unknown)

    def __str__(self) -> str:
        parts = [
            _counted(len(self.positions), "position") + f" ({', '.join(self.positions[:5])})" if self.positions else "",
            _counted(self.orders, "open order") if self.orders else "",
            _counted(self.unknown, "order") + " of unknown fate" if self.unknown else "",
        ]
        return ", ".join(part for part in parts if part) or "nothing"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def exposure_in(report: AccountReport) -> Exposure:
    """The exposure that a ledger tells of."""
    return Exposure(tuple(sorted(report.positions)), report.open_orders, report.unknown_orders)


def exposure_of(home: Home, account: str) -> Exposure:
    """The exposure now; none where there is no ledger yet."""
    try:
        return exposure_in(AccountReader(home.ledger(account)).report())
    except FileNotFoundError:
        return Exposure()


def holder_now(home: Home, account: str) -> str | None:
    """The process that holds the account at this moment, or None."""
    return holder_of(home, account) or None


def seconds_of(text: str, option: str = "--within") -> float:
    """1h, 30m, 90s or plain seconds. Other words end the command."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        seconds = float(number) * UNITS[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 7 * 24 * 3600:
        complain(f"{option} {text!r}: such as 90s, 30m or 1h would be right")
        raise typer.Exit(ExitCode.USAGE)
    return seconds


def drain(home: Home, account: str, within_s: float, clock: Clock, told: Callable[[Exposure], None]) -> bool:
    """Wait until the account is flat; True when it was active, and is reduce_only now (lift() undoes that).

    Raises NotDrained, and NoAnswer or Refused from its trader; nothing is changed then.
    """
    reader = AccountReader(home.ledger(account))
    report = reader.report()
    if report.trading_state is TradingState.HALTED:
        raise NotDrained(f"the {account} account is halted: it sells nothing until a person re-arms it")
    cut_off = report.trading_state is TradingState.REDUCE_ONLY and report.reason == DRAINING  # a former one: it goes on
    changed = report.trading_state is TradingState.ACTIVE or cut_off
    if changed:
        _ask_holder(home, account, "reduce_only", DRAINING, clock)
    deadline = clock.monotonic() + within_s
    try:
        while not (left := exposure_in(reader.report())).flat:
            told(left)
            if clock.monotonic() >= deadline:
                raise NotDrained(f"{account} still has {left} after {within_s:g} s; it trades on as before")
            block(LOOK_S)
    except (NotDrained, KeyboardInterrupt):
        if changed:
            lift(home, account, clock, within_s=0)
        raise
    return changed


def lift(home: Home, account: str, clock: Clock, within_s: float) -> None:
    """Let the account trade as it did before drain(): asked of whoever holds it by then. Raises NoAnswer, Refused."""
    deadline = clock.monotonic() + within_s
    while True:
        try:
            _ask_holder(home, account, "resume", "drained and started again", clock)
        except (NoAnswer, Refused):  # whoever takes the account over may not be ready yet
            if clock.monotonic() >= deadline:
                raise
            block(LOOK_S)
        else:
            return


def _ask_holder(home: Home, account: str, verb: str, reason: str, clock: Clock) -> None:
    holder = holder_now(home, account)
    if holder is None:
        raise NoAnswer(f"nobody holds the {account} account")
    ask(home.run, holder, verb, clock, reason=reason)
