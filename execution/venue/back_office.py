"""What both doors stand on: the requests, whose they are, what is written down of them, and when they may be answered.
No reply, and no line of the journal, leaves before what it rests on is stored. No sockets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.auth import ApiKey, Window
from execution.venue.commits import Commits
from execution.venue.journal import Journal
from execution.venue.journal_lines import UNFORESEEN, UNKNOWN, answered, refused, request_facts
from execution.venue.limits import RateLimits
from execution.venue.listen_keys import ListenKeys
from execution.venue.market_rest import MarketRest
from execution.venue.request_faults import RequestFaults
from execution.venue.trading import Request, Trading, Values
from execution.venue.user_stream import UserStream
from execution.venue.wallet_rest import WalletRest


@dataclass(frozen=True)
class Change:
    """A request that places, tests or cancels an order; `verb` is its name in the journal."""

    verb: str
    run: Request


@dataclass
class BackOffice:
    """The parts. `faults` only where the venue is to misbehave, `listen_keys` only for clients from before 2026."""

    market: MarketRest
    trading: Trading
    wallet: WalletRest
    journal: Journal
    commits: Commits
    users: UserStream
    keys: Mapping[str, ApiKey]
    limits: RateLimits
    clock: Clock
    faults: RequestFaults | None = None
    listen_keys: ListenKeys | None = None

    async def look(self, run: Callable[[Values], object], values: Values) -> object:
        """Answer who wants to know something in public."""
        await self.commits.settled()
        return run(values)

    async def carry_out(self, what: Request | Change, account: str, values: Values, window: Window) -> object:
        """Do what an account asks. A change, refused or not, is answered once everything matched so far is stored."""
        if not isinstance(what, Change):
            await self.commits.settled()
            return what(account, values, window)
        facts = request_facts(what.verb, account, values, window)
        fate, refusal, reply = UNFORESEEN, None, None
        try:
            reply = what.run(account, values, window)
            fate = answered(reply)
        except errors.ApiError as error:
            fate, refusal = refused(error), error
        finally:
            self.commits.when_stored(lambda stored: self.journal.note(facts | (fate if stored else UNKNOWN)))
        await self.commits.stored()
        if refusal is not None:
            raise refusal
        return reply
