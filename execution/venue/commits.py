"""Group commit: what is matched at once shares one durable commit, and whatever tells anybody of it comes after that.
Who matches adds to the open group; who answers, tells or looks waits for it. It knows neither store nor engine."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from execution.venue import errors
from execution.venue.accounts import Balance
from execution.venue.outcome import Outcome

Touched = dict[str, dict[str, Balance]]
Tell = Callable[[bool], object]


@dataclass(slots=True)
class Group:
    """What the next commit holds: outcomes in order, each with the balances right after it, and facts of the market.
    `waiting` hears whether it was stored."""

    outcomes: list[tuple[Outcome, Touched]] = field(default_factory=list)
    market: dict[str, str] = field(default_factory=dict)
    waiting: list[Tell] = field(default_factory=list)
    now_ms: int = 0
    is_empty: bool = True


class Commits:
    """The open group. `keep` stores a group and tells its listeners; False when the store refused, and then memory is
    what is stored. Without `defer` every change is a commit of its own; with it (a loop's call_soon) whatever is
    matched until the loop comes round shares one."""

    def __init__(self, keep: Callable[[Group], bool]) -> None:
        self.defer: Callable[[Callable[[], object]], object] | None = None
        self.finish: Callable[[], object] = lambda: None  # called when a group's waiters have been told
        self._keep = keep
        self._group = Group()

    def add(self, outcomes: Iterable[tuple[Outcome, Touched]], now_ms: int) -> None:
        """These have happened in memory. Raises ApiError when they had to be stored at once and couldn't be."""
        first = self._group.is_empty
        self._enter(now_ms)
        self._group.outcomes += outcomes
        if self.defer is None:
            self.commit_now()
        elif first:
            self.defer(self.commit)

    def add_now(self, market: dict[str, str], now_ms: int, outcomes: Iterable[tuple[Outcome, Touched]] = ()) -> None:
        """Store these, balances that have changed and the open group, at once. Raises ApiError when that failed."""
        self._enter(now_ms)
        self._group.outcomes += outcomes
        self._group.market |= market
        self.commit_now()

    def _enter(self, now_ms: int) -> None:
        self._group.is_empty = False
        self._group.now_ms = max(self._group.now_ms, now_ms)

    def commit_now(self) -> None:
        """Raises ApiError when what was matched couldn't be stored."""
        if not self.commit():
            raise errors.unknown_outcome()

    def commit(self) -> bool:
        """Store the open group, if there is one; whoever waits for it is told, in the order in which they came."""
        if self._group.is_empty:
            return True
        group, self._group = self._group, Group()
        stored = False
        try:
            stored = self._keep(group)
        finally:
            for tell in group.waiting:
                tell(stored)
            self.finish()
        return stored

    def when_stored(self, tell: Tell) -> None:
        """`tell` is called once it is known whether everything matched so far was stored; now, when it is already."""
        if self._group.is_empty:
            tell(True)
            self.finish()
        else:
            self._group.waiting.append(tell)

    async def stored(self) -> None:
        """Wait until everything matched so far is stored. Raises ApiError when it couldn't be."""
        if not await self._outcome():
            raise errors.unknown_outcome()

    async def settled(self) -> None:
        """Wait until memory holds nothing but what is stored: who looks sees nothing else. A group that was begun while
        we waited is stored at once, so that no flood of orders keeps a look waiting."""
        await self._outcome()
        self.commit()

    async def _outcome(self) -> bool:
        if self._group.is_empty:
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell(stored: bool) -> None:
            if not waiter.done():  # its task may have been cancelled
                waiter.set_result(stored)

        self._group.waiting.append(tell)
        return await waiter
