"""What healing holds back in a trader: a share of the usual size, single strategies, entries altogether for a while.

Each can only make risk smaller, bears the mark of the fault it was put for, and is taken back by that mark alone; what
a person has said is never touched, and exits are never asked. Kept in the ledger's runtime state. Decides nothing.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from execution.runtime.clock import Clock
from execution.trading.quarantine import Quarantine
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.money import text

if TYPE_CHECKING:
    from execution.trading.system import TradingSystem

HEALING = "healing"  # by whose word
ONE = Decimal(1)
FOR_MAX_S = 7 * 86_400.0  # nothing is held back for longer without being looked at
LEAST_SHARE = Decimal("0.25")  # what all cuts together leave of the usual size, at least: below, a pause is clearer


class Cut(msgspec.Struct, frozen=True):
    """Entries get this share of the usual size until then."""

    share: Decimal
    reason: str
    until_ms: int

    def __post_init__(self) -> None:
        if not (self.share.is_finite() and 0 < self.share <= ONE):
            raise ValueError(f"a share of {self.share}; more than 0 and at most 1 would be right")


class Pause(msgspec.Struct, frozen=True):
    """A pause that healing has put. `reason` is what the ledger says while it holds, `before` what it said until then.
    `until_ms` None: until it is taken back, or a person resumes."""

    mark: str
    reason: str
    before: str
    until_ms: int | None = None


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    cuts: dict[str, Cut] = {}
    strategies: dict[str, Any] = {}
    pause: Pause | None = None


class Restraints:
    """What is held back now. `mark` says for which fault."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cuts: dict[str, Cut] = {}
        self._pause: Pause | None = None
        self.strategies = Quarantine(clock)

    # size

    def share(self) -> Decimal:
        """What all cuts leave of the usual size: more than 0, never more than 1."""
        share = ONE
        for cut in self.cuts().values():
            share *= cut.share
        return share

    def cuts(self) -> dict[str, Cut]:
        """Those in force, by mark."""
        now = self._clock.now_ms()
        return {mark: cut for mark, cut in self._cuts.items() if now < cut.until_ms}

    def obstacle_to_cut(self, mark: str, share: Decimal) -> str:
        """One of that mark holds already, or too little would be left; '' when neither is so."""
        if mark in self.cuts():
            return f"entries are smaller for {mark} already"
        if share * self.share() < LEAST_SHARE:
            return f"entries get {text(self.share())} of their size already; at least {LEAST_SHARE} are left"
        return ""

    def cut(self, mark: str, share: Decimal, reason: str, for_s: float) -> None:
        """Entries get so much less. ValueError: see obstacle_to_cut."""
        if why := self.obstacle_to_cut(mark, share):
            raise ValueError(why)
        self._cuts = self.cuts() | {mark: Cut(share, reason, self._in_ms(for_s))}

    def uncut(self, mark: str) -> bool:
        """Take one back; was it there?"""
        return self._cuts.pop(mark, None) is not None

    # a pause

    def pause(self, system: "TradingSystem", mark: str, reason: str, for_s: float | None) -> None:
        """No entries, for a time or until it is taken back. It is on the disk that the pause is ours before it holds.
        ValueError: the account isn't trading, which is somebody else's word."""
        state, before = system.parts.ledger.trading_state()
        if state is not TradingState.ACTIVE:
            raise ValueError(f"the account is {state.value}: {before}")
        told = f"{HEALING} {mark}: {reason}"
        self._pause = Pause(mark, told, before, None if for_s is None else self._in_ms(for_s))
        system.save_state()
        system.pause_trading(told, HEALING)

    def resume(self, system: "TradingSystem", mark: str) -> bool:
        """Take back the pause of that mark; False when there is none, or when another word than ours holds by now."""
        pause = self._pause
        if pause is None or pause.mark != mark:
            return False
        ours = system.parts.ledger.trading_state() == (TradingState.PAUSED, pause.reason)
        if ours:
            system.resume_trading(pause.before, HEALING)
        self._pause = None
        system.save_state()
        return ours

    def look(self, system: "TradingSystem") -> None:
        """End a pause whose time is over; forget one that a person has put an end to, or taken for his own."""
        pause = self._pause
        if pause is None:
            return
        ours = system.parts.ledger.trading_state() == (TradingState.PAUSED, pause.reason)
        if not ours or (pause.until_ms is not None and self._clock.now_ms() >= pause.until_ms):
            self.resume(system, pause.mark)

    # for people, and over restarts

    def notes(self) -> tuple[str, ...]:
        """What a person should know; nothing while nothing is held back."""
        found = []
        if self.cuts():
            found.append(f"healing: entries get {text(self.share())} of their usual size")
        if alone := sorted(self.strategies.rows()):
            found.append(f"healing: no entries by {', '.join(alone)}")
        return tuple(found)

    def to_state(self) -> dict[str, Any]:
        """What must be kept over a restart, as plain values; empty while nothing is held back."""
        kept = _Kept(self.cuts(), self.strategies.to_state(), self._pause)
        told: dict[str, Any] = msgspec.to_builtins(kept)
        return told

    def restore(self, state: Any) -> None:
        """Put back what to_state() gave. msgspec.ValidationError when it is something else."""
        kept = msgspec.convert(state, _Kept)
        self.strategies.restore(kept.strategies)
        self._cuts, self._pause = dict(kept.cuts), kept.pause

    def _in_ms(self, seconds: float) -> int:
        return self._clock.now_ms() + round(seconds * 1000)
