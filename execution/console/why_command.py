"""nae why: one order, trade or decision not to trade, from its signal to its profit. Reads the ledgers and the audit
trails, nothing else: it works while traders run, and when everything is dead."""

from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from execution.console.account_reading import MEND
from execution.console.no_trade import Finding, findings, words
from execution.console.output import complain, print_json, say, screen
from execution.console.why_tree import tree
from execution.ledger.audit_log import recent
from execution.ledger.rebuild import was_begun
from execution.ledger.rows import UNREADABLE
from execution.ledger.story import Match, Story, matches, newest_order, tell
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import optimus_of, standby_of

NO_TRADE = ("no-trade", "no_trade", "NO_TRADE")
LAST = "last"
CYCLES_READ = 5_000  # of each trader: hours
ASK = "nae orders and nae fills list what there is; nae why no-trade says why nothing is bought"

What = Annotated[str, typer.Argument(help="An order's id, a trade's id, last, or no-trade.")]
Symbol = Annotated[str, typer.Argument(help="With no-trade: only this symbol, such as BTC/USDT. With an id: which.")]
AccountOption = Annotated[str, typer.Option("--account", "-a", help="sandbox or live; both when not given.")]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="With no-trade: how many decisions.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a tree.")]


def why(
    what: What = LAST, symbol: Symbol = "", account: AccountOption = "", count: Count = 5, json: AsJson = False
) -> None:
    """Why something was bought, sold or left: signal, condition, risk, intent, order, fills, profit.

    Without an id: the last order. Works also when nothing runs.

    Examples: nae why · nae why 3-k2v9-12 · nae why 1084 · nae why no-trade BTC/USDT --account live

    Exit codes: 0 told · 1 a ledger can't be read · 64 no such id, or more than one · 69 nothing there yet
    """
    home = Home.find()
    accounts = _accounts(home, account)
    if what in NO_TRADE:
        _no_trade(home, accounts, symbol, count, json)
        return
    match = _match(home, accounts, what, symbol)
    story = tell(home, match.account, match.order)
    if json:
        print_json(story_fields(story))
    else:
        screen.print(tree(story))


def _accounts(home: Home, account: str) -> list[str]:
    if account and account not in list(Account):
        complain(f"unknown account {account!r}; one of {', '.join(Account)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    chosen = [name.value for name in Account if account in ("", name) and was_begun(home.ledger(name))]
    if not chosen:
        complain(
            f"no {account or 'trading'} account in {home.root} yet; it appears with the first start: scripts/nae up"
        )
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return chosen


def _match(home: Home, accounts: list[str], what: str, symbol: str) -> Match:
    """The one order that is meant; ends the command with the next step when there is none, or more than one."""
    found = [match for match in _found(home, accounts, what) if symbol in ("", match.symbol)]
    if not found:
        nothing = what == LAST
        complain(f"no order was decided yet; {ASK}" if nothing else f"no order or trade {what!r}; {ASK}")
        raise typer.Exit(ExitCode.UNAVAILABLE if nothing else ExitCode.USAGE)
    ours = {(match.account, match.order): match for match in found if match.order}
    if not ours:
        complain(f"trade {what} on {found[0].symbol} wasn't ours: somebody else's order on the account made it")
        raise typer.Exit(ExitCode.USAGE)
    if len(ours) > 1:
        complain(f"{what!r} means {len(ours)} things; say which:")
        for match in ours.values():
            say(f"  nae why {match.order} --account {match.account}    ({match.what} {what}, {match.symbol})")
        raise typer.Exit(ExitCode.USAGE)
    return next(iter(ours.values()))


def _found(home: Home, accounts: list[str], what: str) -> list[Match]:
    """What one account can't tell, the other may."""
    found: list[Match] = []
    unread = False
    for account in accounts:
        path = home.ledger(account)
        try:
            found += _newest(home, account) if what == LAST else matches(path, account, what)
        except FileNotFoundError:
            if not path.exists():  # else its tables are still being made: nothing was decided there
                unread = True
                complain(f"{account}: {path} is gone, though the account was begun: {MEND}")
        except (DatabaseError, *UNREADABLE) as error:
            unread = True
            complain(f"{account}: {path} can't be read: {error}; {MEND}")
    if unread and not found:
        raise typer.Exit(ExitCode.FAILED)
    if what == LAST and len(found) > 1:
        return [max(found, key=lambda match: tell(home, match.account, match.order).chapters[-1].order.created_ms)]
    return found


def _newest(home: Home, account: str) -> list[Match]:
    order = newest_order(home.ledger(account))
    return [] if order is None else [Match(account, "the last order", order.symbol, order.client_order_id)]


def story_fields(story: Story) -> dict[str, Any]:
    """A story in plain values."""
    trade = story.trade
    return {
        "account": story.account,
        "asked": story.asked,
        "orders": [
            {
                "order": chapter.order,
                "research": chapter.research,
                "decision": chapter.decision,
                "outcome": chapter.outcome,
                "fills": chapter.fills,
            }
            for chapter in story.chapters
        ],
        "trade": None if trade is None else {"closed": trade.closed, "position": trade.position},
        "gaps": story.gaps,
    }


def _no_trade(home: Home, accounts: list[str], symbol: str, count: int, json: bool) -> None:
    found: list[Finding] = []
    for account in accounts:
        traders = [name for name in (optimus_of(Account(account)), standby_of(Account(account))) if name]
        cycles = [row for name in traders for row in recent(home.audit_trail(name), CYCLES_READ, "cycle")]
        found += findings(account, sorted(cycles, key=lambda row: str(row["at"])), symbol)[:count]
    if json:
        print_json(found)
    elif found:
        for finding in found:
            screen.print(_tree(finding))
    else:
        say("no cycle has decided against a trade yet; nae status shows whether a trader runs")


def _tree(finding: Finding) -> Tree:
    since = "" if finding.cycles == 1 else f" (and {finding.cycles - 1} cycles before it, since {finding.since})"
    root = Tree(Text(f"{finding.account} · {finding.until} · {finding.reason}{since}", style="bold"))
    root.add(Text(finding.meaning))
    staged = {name: value for name, value in finding.numbers.items() if isinstance(value, dict)}
    for name, reason in finding.details.items():
        stage, _, concerned = name.partition(" ")
        by = (staged.get(stage) or {}).get(concerned)
        root.add(Text(f"{name}: {reason}" + (f": {words(by)}" if by else "")))
    if "entries_off" in staged:
        root.add(Text(words(staged["entries_off"])))
    root.add(Text(words({name: value for name, value in finding.numbers.items() if name not in staged}), style="dim"))
    return root
