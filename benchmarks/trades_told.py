"""Can every trade of an account be told from its beginning: signal, condition, research, risk, intent, order, fills,
profit? The very code of `nae why`, asked about all of them. Reads only."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from execution.ledger.queries import account_report
from execution.ledger.round_trips import RoundTrip, round_trips_of
from execution.ledger.story import Chapter, Story, tell
from execution.runtime.home import Home
from execution.runtime.sqlite import read_all
from execution.vocabulary.money import ZERO
from execution.vocabulary.orders import STOPS, Purpose

BALANCES = "SELECT asset, free, locked FROM balances WHERE account = ?"
BY_OUR_SIGNAL = ("signal", "condition", "weighed", "sized")


class Told(NamedTuple):
    """How many trades and orders there are, and what isn't told of them."""

    trades: int
    orders: int
    gaps: list[str]


def told(home: Home, account: str) -> Told:
    """Ask about every trade of the account, closed or open. FileNotFoundError without a ledger."""
    trades = orders = 0
    gaps: list[str] = []
    for trip in _trips(home, account):
        story = tell(home, account, trip.orders()[0])
        trades += 1
        orders += len(story.chapters)
        gaps += list(missing(story))
    return Told(trades, orders, gaps)


def _trips(home: Home, account: str) -> Iterator[RoundTrip]:
    path = home.ledger(account)
    for row in read_all(path, "SELECT DISTINCT symbol FROM fills ORDER BY symbol"):
        yield from round_trips_of(path, row["symbol"])


def missing(story: Story) -> Iterator[str]:
    """What a story lacks, in words."""
    name = f"{story.account} {story.asked}"
    yield from (f"{name}: {gap}" for gap in story.gaps)
    purposes = [chapter.order.purpose for chapter in story.chapters]
    if Purpose.ENTRY not in purposes:
        yield f"{name}: no entry"
    trade = story.trade
    if trade is None or (trade.closed is None and trade.position is None):
        yield f"{name}: neither a profit nor a position"
    elif trade.closed is not None and Purpose.EXIT not in purposes:
        yield f"{name}: closed without an exit"
    for chapter in story.chapters:
        yield from (f"{name}: order {chapter.order.client_order_id} has no {part}" for part in _lacks(chapter))


def _lacks(chapter: Chapter) -> Iterator[str]:
    order, decision = chapter.order, chapter.decision or {}
    if order.purpose is Purpose.ENTRY:
        yield from (part for part in BY_OUR_SIGNAL if not decision.get(part))
        if chapter.research is None:
            yield "research"
        if not (chapter.outcome or {}).get("checked"):
            yield "risk"
    elif order.type not in STOPS and not decision.get("exit"):
        yield "reason to sell"
    if order.filled and not chapter.fills:
        yield "fills"


def apart(home: Home, account: str) -> list[str]:
    """Where the ledger and the embedded venue's own file disagree, currency by currency, to the last digit. Both must
    have been closed."""
    rows = read_all(home.data / "venue" / "venue.db", BALANCES, (account,))
    there = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in rows}
    here = account_report(home.ledger(account)).balances
    both = {name: (here.get(name, ZERO), there.get(name, ZERO)) for name in sorted(here.keys() | there.keys())}
    return [f"{account} {name}: our books {ours}, the venue {its}" for name, (ours, its) in both.items() if ours != its]
