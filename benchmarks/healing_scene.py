"""One planted fault in a running operation, from its first occurrence to the bytes after the revert: what was seen
when, by what it was healed or to whom it was told, whether it stayed away, and whether all is again as it was.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.healing_planting import ScratchOperation
from benchmarks.healing_sight import cases
from benchmarks.real_operation import NAE, DidNot, until
from execution.console.venue_control import ask_control
from execution.ledger.queries import runtime_state
from execution.vocabulary.issues import IssueType

POLL_S = 0.1
REVERTED_WITHIN_S = 30.0
CALM_WITHIN_S = 40.0
HELD_BACK = ("restraints", "quarantine")  # of a trader's kept state: what healing may change there
HEALED, ESCALATED = "healed", "escalated"


Act = Callable[["Scene"], None]


@dataclass(frozen=True)
class Row:
    """One fault. `plant` begins it; `ends` says when it goes: "stays" (until the end, whatever is done about it),
    "renewed" (with the process that it is in), or after so many seconds; `take_back` then ends it."""

    type: IssueType
    planted: str
    process: str
    plant: Act
    take_back: Act
    ends: str | float = "stays"
    within_s: float = 60.0
    bug: str = ""  # its switch: then each occurrence is written down where it happens


@dataclass
class Result:
    """What came of it. Seconds; None: it didn't come."""

    type: str
    planted: str
    process: str
    detected_s: float | None = None
    acted_s: float | None = None
    outcome: str = ""
    by: str = ""
    over_s: float | None = None
    verified: str = ""
    reverted: str = ""
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Is every column there?"""
        return not self.problem and bool(self.outcome and self.verified and self.reverted)


@dataclass
class Scene:
    """A running operation with one row in it."""

    operation: ScratchOperation
    row: Row
    planted_ms: int = 0
    pid: int = 0
    before: dict[str, str] = field(default_factory=dict)  # what must be so again in the end
    notes: dict[str, Any] = field(default_factory=dict)

    def fault(self, kind: str, **rule: object) -> None:
        """Have the venue go wrong."""
        told = ask_control(self.operation.home.data / "venue", "POST", "/faults", {"fault": kind, **rule})
        self.notes.setdefault("faults", []).extend(told["numbers"])

    def no_faults(self) -> None:
        """The venue behaves again."""
        ask_control(self.operation.home.data / "venue", "DELETE", "/faults")

    def pid_of(self, process: str) -> int:
        """Its pid now; 0 when it isn't there."""
        member = self.operation.members().get(process)
        return member.pid if member else 0

    def case(self) -> dict[str, Any] | None:
        """The newest case of this kind in this process that has been seen since the planting."""
        kind, process = self.row.type, self.row.process
        return next(
            (
                case
                for case in cases(self.operation)
                if (case["type"], case["process"]) == (kind, process) and case["last_ms"] >= self.planted_ms
            ),
            None,
        )

    def occurred_ms(self) -> int:
        """When it first occurred, as far as that is known better than by the planting."""
        bites = [at for at in self.operation.bitten(self.row.bug) if at >= self.planted_ms] if self.row.bug else []
        return bites[0] if bites else self.planted_ms


def settings(operation: ScratchOperation) -> dict[str, str]:
    """A digest of everything that a remedy may have changed for longer than a moment."""
    home = operation.home
    healing = home.data / "healing"
    paths = [home.config_file, *sorted((healing / "overlay").rglob("*")), healing / "adjustments.json"]
    paths += sorted(home.logs.glob("*.log.[0-9]*"))
    paths += sorted((operation.project / "execution").rglob("*.py"))
    found = {str(path.relative_to(home.root)): _digest(path) for path in paths if path.is_file()}
    ledger = home.ledger("sandbox")
    kept = runtime_state(ledger) if ledger.exists() else {}
    return found | {f"sandbox: {name}": repr(kept[name]) for name in HELD_BACK if kept.get(name)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def play(operation: ScratchOperation, row: Row, told: Callable[[str], None]) -> Result:
    """Plant it, and see it through."""
    scene = Scene(operation, row)
    result = Result(row.type, row.planted, row.process)
    until(lambda: scene.pid_of(row.process) > 0, CALM_WITHIN_S, f"pid of {row.process}")
    scene.before = settings(operation)
    scene.pid, scene.planted_ms = scene.pid_of(row.process), _now_ms()
    try:
        row.plant(scene)
        _follow(scene, result, told)
        _see_reverted(scene, result)
    except DidNot as missing:
        result.problem = str(missing)
    finally:
        row.take_back(scene)
    return result


def _follow(scene: Scene, result: Result, told: Callable[[str], None]) -> None:
    """Until it is fixed or told to a person; the fault itself ends as the row says."""
    row, ended, began = scene.row, False, time.monotonic()
    while True:
        spent = time.monotonic() - began
        if not ended and _is_over(scene, spent):
            row.take_back(scene)
            ended = True
        case = scene.case()
        if case is not None:
            _take_in(scene, case, result)
        if result.outcome:
            told(f"{row.type}: {result.outcome} by {result.by or 'nobody'}")
            return
        if spent > row.within_s:
            seen = f"case {case['id']} {case['state']}: {case['said']}" if case else "no case of it"
            raise DidNot(f"neither healed nor told within {row.within_s:g} s ({seen})")
        time.sleep(POLL_S)


def _is_over(scene: Scene, spent_s: float) -> bool:
    ends = scene.row.ends
    if isinstance(ends, float):
        return spent_s >= ends
    return ends == "renewed" and scene.pid_of(scene.row.process) not in (0, scene.pid)


def _take_in(scene: Scene, case: dict[str, Any], result: Result) -> None:
    """What the case says now."""
    first_ms = scene.occurred_ms()
    if result.detected_s is None:
        result.detected_s = max(0.0, (case["opened_ms"] - first_ms) / 1000)
    attempts = [one for one in case["tried"] if one["at_ms"] >= scene.planted_ms]
    if attempts and result.acted_s is None:
        acted_ms = attempts[0]["applied_ms"] or attempts[0]["at_ms"]
        result.acted_s = max(0.0, (acted_ms - case["opened_ms"]) / 1000)
    result.by = ", ".join(f"{one['remedy']} ({one['outcome']})" for one in attempts)
    if case["state"] == "fixed":
        result.outcome = HEALED
        result.verified = f"stayed away, {(attempts[-1]['settled_ms'] - first_ms) / 1000:.0f} s after the first"
    elif case["state"] == "escalated":
        result.outcome, result.verified = ESCALATED, f"told: {case['said']}; {case['next']}"
    if result.outcome:
        result.over_s = (_now_ms() - first_ms) / 1000
    scene.notes["standing"] = [one["id"] for one in attempts if one["can_be_reverted"]]


def _see_reverted(scene: Scene, result: Result) -> None:
    """Take back whatever stands, with the fault gone, and compare the bytes."""
    scene.row.take_back(scene)
    before = scene.before
    changed = _differing(before, settings(scene.operation))
    standing = scene.notes.get("standing") or []
    for attempt in standing:
        done = scene.operation.call(NAE, "heal", "revert", attempt)
        if done.returncode:
            raise DidNot(f"nae heal revert {attempt} ended with {done.returncode}: {done.stdout}{done.stderr}")
    deadline = time.monotonic() + REVERTED_WITHIN_S
    while left := _differing(before, settings(scene.operation)):
        if time.monotonic() > deadline:
            raise DidNot(f"after the revert these differ: {', '.join(left)[:200]}")
        time.sleep(POLL_S)
    what = f"{len(changed)} changed, identical again" if changed else "nothing lasting, identical"
    result.reverted = what


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
