"""nae kill: everything stops, now, with whatever is dead. What it does with an account stands in kill.py."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Annotated

import msgspec
import typer

from execution.console.confirm import confirm
from execution.console.drain import seconds_of
from execution.console.kill import Killed, Order, kill_account
from execution.console.output import complain, errors, print_json, say
from execution.ledger.rebuild import was_begun
from execution.runtime.clock import SystemClock
from execution.runtime.config import load
from execution.runtime.home import Home
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import ConfigError, ExitCode
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import BY_NAME

AccountOption = Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")]
Reason = Annotated[str, typer.Argument(help="Why; kept with the state.")]
Flatten = Annotated[bool, typer.Option("--flatten", help="Sell everything that is held, too, at market.")]
Within = Annotated[str, typer.Option("--within", help="How long selling may take: 30s, 2m.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask, also when it is real money.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def kill(  # noqa: PLR0917 -- typer's way: a parameter is an option
    reason: Reason = "nae kill",
    account: AccountOption = "",
    flatten: Flatten = False,
    within: Within = "30s",
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Halt trading and cancel every open order, within five seconds; with --flatten sell everything, too.

    Works with everything else dead. The halt survives every restart; only nae arm lifts it. Protective stops of what is
    still held stay at the exchange, and what is held without one is named. A trader that hangs is ended.

    Examples: nae kill "something is wrong" · nae kill --flatten --account live

    Exit codes: 0 all done · 64 wrong words, or not confirmed · 69 a part of it couldn't be done (told) · 78 no account
    """
    home = Home.find()
    within_s = seconds_of(within)
    accounts = _accounts(home, account)
    config = _config(home)
    what = "cancels all orders and sells everything" if flatten else "halts it and cancels all orders"
    confirm(config, accounts, "nae kill", what, yes)
    order = Order(home, config, SystemClock(), reason, flatten, within_s)
    with ThreadPoolExecutor(len(accounts)) as hands:
        told = _ends([hands.submit(kill_account, order, name) for name in accounts])
    if json:
        print_json([msgspec.structs.asdict(one) | {"ok": one.done} for one in told])
    else:
        for one in told:
            _show(one)
    if not all(one.done for one in told):
        raise typer.Exit(ExitCode.UNAVAILABLE)


def _accounts(home: Home, account: str) -> list[str]:
    if account and account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    chosen = [name.value for name in Account if account in ("", name) and _is_there(home, name)]
    if not chosen:
        raise ConfigError(
            f"no {account or 'trading'} account in {home.root}; NAE_HOME=FOLDER nae kill names another home"
        )
    return chosen


def _is_there(home: Home, account: str) -> bool:
    try:
        return was_begun(home.ledger(account))
    except OSError:
        return True  # where it can't be seen, that is told, and the other account is killed all the same


def _ends(tasks: "list[Future[Killed]]") -> list[Killed]:
    """What came of each. Halting isn't cut off in the middle: after Ctrl-C what is under way is done, and told."""
    try:
        wait(tasks)
    except KeyboardInterrupt:
        errors.print("nae: what is under way is finished first, and told; once more: leave it", soft_wrap=True)
    return [task.result() for task in tasks]


def _config(home: Home) -> Config:
    """A broken nae.toml stops nobody from stopping."""
    try:
        return load(home.config_file)
    except ConfigError as problem:
        errors.print(f"note: {problem}; going on without it", style="yellow", markup=False, soft_wrap=True)
        return Config()


def _show(told: Killed) -> None:
    name = told.account
    if told.halted:
        say(f"{name}: halted by {told.by}, {told.seconds:.1f} s; nae arm lifts it", "bold")
    for pid in told.ended:
        say(f"{name}: process {pid} held the account and didn't halt it: ended")
    for words, items in (
        ("cancelled", told.cancelled),
        ("protective stops left standing", told.stops_left),
        ("sold by order", told.sold),
    ):
        if items:
            say(f"{name}: {words}: {', '.join(items)}")
    for symbol, why in told.left.items():
        say(f"{name}: {symbol} is left: {why}")
    for symbol, amount in told.without_stop.items():
        complain(f"{name}: {symbol}: {amount} is held without a stop at the venue")
    if told.without_stop:
        trader = f"{told.by} looks after it" if told.by in BY_NAME else "nae up has a trader put its stop there"
        complain(f"{name}: nae kill --flatten --account {name} sells what has no stop; {trader}, and buys nothing")
    for problem in told.problems:
        complain(f"{name}: {problem}")
    if told.orders_left:
        complain(f"{name}: still open at the venue: {', '.join(told.orders_left)}; nae kill tries again")
    if told.unknown:
        complain(f"{name}: fate unknown: {', '.join(told.unknown)}; nae kill asks again, nae why ID tells more")
