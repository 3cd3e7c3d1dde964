"""What a remedy is: a change that fits a fault, can be verified, and can be undone from what it left in the record.

A remedy does; whether, when and how often it may is decided elsewhere. It never loosens a limit of risk, and never acts
on text: of an issue it may use the type, the process, the place and the context that our own code gave, nothing else.
"""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType, Severity

LEFT = "left"  # an undo with this key says that nothing is left to put back
Undo = dict[str, Any]  # plain values, kept in the record: all that a revert needs, in this life or a later one


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One fault in one process. `fingerprint` is the same in every process that shows it. Times are wall-clock ms."""

    fingerprint: str
    type: IssueType
    severity: Severity
    process: str
    exception: str = ""  # its type's name; empty for what was seen from outside (a hang, a leak)
    place: str = ""  # module:function of our own code
    template: str = ""  # the message without numbers, names and secrets
    frames: list[str] = []  # module:function:line, outermost first
    context: dict[str, str] = {}  # task, symbol, strategy, code: given by our code, never parsed from text
    cause: str = ""  # what it most likely comes from, in one sentence
    count: int = 0
    in_window: int = 0
    first_ms: int = 0
    last_ms: int = 0


class CannotHeal(Exception):
    """A remedy couldn't be applied, or not be reverted; nothing is left half-done. It says why, and what to do."""


class Hands(Protocol):
    """What remedies may use of the operation. All else is out of their reach."""

    @property
    def home(self) -> Home:
        """Where it all lies."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def pace(self) -> float:
        """Times every waiting of a remedy's own; 1 but for proofs."""

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        """Order a process to do something. Raises CannotHeal when it refuses or doesn't answer."""

    async def renew(self, process: str, cause: str) -> None:
        """End it in good order, to be started anew; whoever holds an account hands it over first. Raises CannotHeal."""

    def is_exposed(self, account: str) -> bool:
        """Does the account hold or may it come to hold something? Unknown counts as yes."""

    def twin_of_sandbox(self) -> str:
        """The process on which a change is tried first; empty when the operation has no sandbox."""

    def keep(self, undo: Undo) -> None:
        """Durably keep what a revert needs, before the first lasting change: should we be killed in the middle, it is
        reverted with this. What apply() returns takes its place. Raises CannotHeal when the disk refuses."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How often a remedy may be used, and when it counts as having helped."""

    after: int = 1  # so many occurrences in the window before it is tried
    budget: int = 3  # at most so many times, per process ...
    window_s: float = 3600.0  # ... in so long
    cool_down_s: float = 30.0  # between two
    quiet_for_s: float = 60.0  # the fault must stay away so long: then the remedy is verified
    reverted_when_useless: bool = True  # a remedy that didn't help is undone
    approval: bool = False  # a person must say yes before it touches a live process: nae heal approve
    settle_s: float = 3.0  # once applied, the fault may show for so long: what was on its way still arrives
    deadline_s: float = 30.0  # apply is cut off after it, and put back by what was kept


class Remedy(Protocol):
    """One kind of repair."""

    name: str  # "reconnect": unique, as the record and `nae heal` show it
    what: str  # one sentence for people
    fits: dict[IssueType, Terms]

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """Why it can't be tried for this issue now; empty when it can. Changes nothing."""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """Do it, wholly or not at all. Raises CannotHeal."""

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """Put back what was there before, byte for byte; in any order with other remedies' reverts; harmless when
        repeated, and when it was never done. Raises CannotHeal."""


@runtime_checkable
class Planned(Protocol):
    """A remedy that can say what exactly it would do: a person who is asked for a yes sees it; the yes is for that."""

    async def plan(self, issue: Issue, hands: Hands) -> str:
        """A sentence, and the change as a diff. Raises CannotHeal. Changes nothing."""


def folder_of(home: Home) -> Path:
    """Where healing keeps its own files."""
    return home.data / "healing"
