"""What has helped against what: counted for each kind of fault and remedy, and for each single fault. Pure.

A remedy is expected to help as often as it did, its place in the catalogue being worth a few observations at first.
"""

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from execution.autonomous.healing.posterior import Beta
from execution.vocabulary.issues import IssueType

PRIOR_WORTH = 3.0  # observations that a place in the catalogue is worth
PRIOR_FIRST, PRIOR_STEP = 0.7, 0.8  # what is expected of the first in the catalogue; of each next, so many times that
KIND_WORTH = 4.0  # observations that the kind's experience is worth for a single fault
GIVEN_UP_AFTER = 3  # failures in a row against a single fault
EXPLORED_ONCE_IN = 10
FAULTS_KEPT = 500


class Tally(msgspec.Struct, frozen=True):
    """How one remedy has done."""

    tried: int = 0
    helped: int = 0
    failed_in_a_row: int = 0
    recurred: int = 0  # helped, and the fault came back all the same

    @property
    def failed(self) -> int:
        """How often it didn't help."""
        return self.tried - self.helped

    def after(self, helped: bool) -> "Tally":
        """With one more attempt counted."""
        row = 0 if helped else self.failed_in_a_row + 1
        return Tally(self.tried + 1, self.helped + helped, row, self.recurred)

    def after_recurrence(self) -> "Tally":
        """What it healed has come back."""
        return msgspec.structs.replace(self, recurred=self.recurred + 1)


class Experience(msgspec.Struct, frozen=True):
    """All of it. `faults` is by fingerprint, newest last."""

    kinds: dict[str, dict[str, Tally]] = {}
    faults: dict[str, dict[str, Tally]] = {}
    kind_of: dict[str, str] = {}  # of each single fault

    def learned(self, kind: IssueType, fingerprint: str, remedy: str, helped: bool) -> "Experience":
        """With one more attempt."""
        return self._with(kind, fingerprint, remedy, lambda tally: tally.after(helped))

    def recurred(self, kind: IssueType, fingerprint: str, remedy: str) -> "Experience":
        """What it healed came back."""
        return self._with(kind, fingerprint, remedy, Tally.after_recurrence)

    def hopeful_again(self, fingerprint: str) -> "Experience":
        """At a person's word nothing is given up for this fault any more."""
        rows = self.faults.get(fingerprint, {})
        cleared = {name: msgspec.structs.replace(tally, failed_in_a_row=0) for name, tally in rows.items()}
        faults = {**self.faults, fingerprint: cleared} if rows else self.faults
        return msgspec.structs.replace(self, faults=faults)

    def _with(self, kind: str, fingerprint: str, remedy: str, change: Callable[[Tally], Tally]) -> "Experience":
        of_kind, of_fault = self.kinds.get(kind, {}), self.faults.get(fingerprint, {})
        faults = {name: rows for name, rows in self.faults.items() if name != fingerprint}
        faults[fingerprint] = {**of_fault, remedy: change(of_fault.get(remedy, Tally()))}
        kept = dict(list(faults.items())[-FAULTS_KEPT:])
        kinds = {**self.kinds, str(kind): {**of_kind, remedy: change(of_kind.get(remedy, Tally()))}}
        kind_of = {name: of for name, of in self.kind_of.items() if name in kept} | {fingerprint: str(kind)}
        return Experience(kinds, kept, kind_of)

    def of_kind(self, kind: str, remedy: str, place: int) -> Beta:
        """What is believed of a remedy that stands at this place in the catalogue, against this kind of fault."""
        tally = self.kinds.get(kind, {}).get(remedy, Tally())
        expected = PRIOR_FIRST * PRIOR_STEP**place
        prior = Beta(expected * PRIOR_WORTH, (1 - expected) * PRIOR_WORTH)
        return prior.after(tally.helped, tally.failed + tally.recurred)

    def of_fault(self, kind: str, fingerprint: str, remedy: str, place: int) -> Beta:
        """The same against one single fault."""
        tally = self.faults.get(fingerprint, {}).get(remedy, Tally())
        return self.of_kind(kind, remedy, place).as_prior(KIND_WORTH).after(tally.helped, tally.failed + tally.recurred)

    def times_tried(self, kind: str) -> int:
        """How often anything was tried against this kind of fault."""
        return sum(tally.tried for tally in self.kinds.get(kind, {}).values())

    def given_up(self, fingerprint: str, remedy: str) -> bool:
        """Has it failed too often in a row against this fault?"""
        return self.faults.get(fingerprint, {}).get(remedy, Tally()).failed_in_a_row >= GIVEN_UP_AFTER

    def times_given_up(self, remedy: str, kind: str) -> int:
        """Against how many faults of this kind it is given up."""
        return sum(self.given_up(name, remedy) for name in self.faults if self.kind_of.get(name) == kind)


def chosen(expected: Mapping[str, float], case: str, may_explore: bool) -> tuple[str, bool]:
    """The most promising of `expected`, which isn't empty; now and then, decided by the case's name alone, another one,
    so that what was unlucky once gets its second chance. And whether it is such a one."""
    best = max(expected, key=lambda name: expected[name])
    others = sorted(name for name in expected if name != best)
    number = int.from_bytes(hashlib.sha256(case.encode()).digest()[:8])
    if not (may_explore and others) or number % EXPLORED_ONCE_IN:
        return best, False
    return others[number // EXPLORED_ONCE_IN % len(others)], True
