"""One planted fault in a running operation, from its first occurrence to the bytes after the revert: what was seen
when, by what it was healed or to whom it was told, whether it stayed away, and whether all is again as it was.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.healing_planting import ScratchOperation
from benchmarks.healing_sight import cases, pids
from benchmarks.real_operation import NAE, DidNot, until
from execution.autonomous.healing.remedies.raise_timeout import KEY as TIMEOUT
from execution.console.venue_control import ask_control
from execution.ledger.queries import runtime_state
from execution.runtime.adjustments import file_in
from execution.vocabulary.issues import IssueType

POLL_S = 0.1
AWAY_LEAST_S = 3.0  # what counts as fixed mustn't have shown for so long by the bug's own mark
REVERTED_WITHIN_S = 30.0
CALM_WITHIN_S = 40.0
TAUGHT = "learning"  # by whose word a trader itself leaves a symbol alone: no remedy's doing
HEALED, ESCALATED, PASSED = "healed", "escalated", "passed by itself"
OVER = {"fixed", "gone", "escalated"}  # states of a case


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
    stays_in_reach: bool = False  # healed, the planted line is still run: it is no fault any more
    told: bool = False  # it begins some time after the planting: when, the worker's own report says
    touches: tuple[str, ...] = ()  # besides its process, who may be started anew on the way
    kept: Callable[["Scene"], str] | None = None  # of what is never put back: where it is kept instead


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

    def cases(self) -> list[dict[str, Any]]:
        """Those of this kind in this process that have been seen since the planting, oldest first."""
        kind, process = self.row.type, self.row.process
        found = [case for case in cases(self.operation) if (case["type"], case["process"]) == (kind, process)]
        return [case for case in reversed(found) if case["last_ms"] >= self.planted_ms]

    def occurred_ms(self, case: dict[str, Any]) -> int:
        """When it first occurred, as far as that is known better than by the planting."""
        if self.row.told:
            return max(self.planted_ms, int(case["first_ms"]))
        bites = [at for at in self.operation.bitten(self.row.bug) if at >= self.planted_ms] if self.row.bug else []
        return bites[0] if bites else self.planted_ms


def settings(operation: ScratchOperation) -> dict[str, str]:
    """A digest of everything that a remedy may have changed for longer than a moment."""
    home = operation.home
    paths = [home.config_file, *sorted((home.data / "healing" / "overlay").rglob("*"))]
    paths += sorted(home.logs.glob("*.log.[0-9]*"))
    paths += sorted((operation.project / "execution").rglob("*.py"))
    found = {str(path.relative_to(home.root)): _digest(path) for path in paths if path.is_file()}
    ledger = home.ledger("sandbox")
    kept = runtime_state(ledger) if ledger.exists() else {}
    left_alone = {symbol: row for symbol, row in kept.get("quarantine", {}).items() if row.get("by") != TAUGHT}
    lasting = {"restraints": kept.get("restraints"), "quarantine": left_alone, TIMEOUT: _time_outs(home.data)}
    return found | {f"sandbox: {name}": repr(value) for name, value in lasting.items() if value}


def _time_outs(data: Path) -> list[Any]:
    """The adjustments of time-outs. Tuning's own (how closely is looked, what is logged) come and go by themselves."""
    try:
        rows = json.loads(file_in(data).read_text())["adjustments"]
    except FileNotFoundError:
        return []
    return [row for row in rows if row["key"] == TIMEOUT]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def play(operation: ScratchOperation, row: Row, told: Callable[[str], None]) -> Result:
    """Plant it, and see it through."""
    scene = Scene(operation, row)
    result = Result(row.type, row.planted, row.process)
    until(lambda: scene.pid_of(row.process) > 0, CALM_WITHIN_S, f"pid of {row.process}")
    scene.before = settings(operation)
    lived = pids(operation)
    scene.pid, scene.planted_ms = lived[row.process], _now_ms()
    try:
        row.plant(scene)
        _follow(scene, result, told)
        _see_reverted(scene, result)
        beside = {name: pid for name, pid in lived.items() if name not in (row.process, *row.touches)}
        now = pids(operation)
        if touched := [name for name, pid in beside.items() if now.get(name) != pid]:
            result.problem = f"touched, too: {', '.join(touched)}"
    except DidNot as missing:
        result.problem = str(missing)
        told(f"{row.type}: {missing}")
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
            ended = scene.notes["ended"] = True
        found = scene.cases()
        if found:
            _take_in(scene, found, result)
        if result.outcome:
            told(f"{row.type}: {result.outcome} by {result.by or 'nobody'}")
            return
        if spent > row.within_s:
            seen = "; ".join(f"{case['id']} {case['state']}: {case['said']}" for case in found)
            raise DidNot(f"neither healed nor told within {row.within_s:g} s ({seen or 'no case of it'})")
        time.sleep(POLL_S)


def _is_over(scene: Scene, spent_s: float) -> bool:
    ends = scene.row.ends
    if isinstance(ends, float):
        return spent_s >= ends
    return ends == "renewed" and scene.pid_of(scene.row.process) not in (0, scene.pid)


def _take_in(scene: Scene, found: list[dict[str, Any]], result: Result) -> None:
    """What its cases say now: one fault may show in several places."""
    first = found[0]
    first_ms = scene.occurred_ms(first)
    if result.detected_s is None:
        result.detected_s = max(0.0, (first["opened_ms"] - first_ms) / 1000)
    tried = [one for case in found for one in case["tried"] if one["at_ms"] >= scene.planted_ms]
    tried.sort(key=lambda one: one["at_ms"])
    if applied_ms := min((one["applied_ms"] for one in tried if one["applied_ms"]), default=0):
        result.acted_s = max(0.0, (applied_ms - first["opened_ms"]) / 1000)
    result.by = ", ".join(_attempt(one) for one in tried)
    scene.notes["standing"] = [one["id"] for one in tried if one["can_be_reverted"]]
    states = {case["state"] for case in found}
    if states - OVER:
        return
    result.over_s = (_now_ms() - first_ms) / 1000
    if "escalated" in states:
        last = next(case for case in reversed(found) if case["state"] == "escalated")
        result.outcome, result.verified = ESCALATED, f"told: {last['said']}; next: {last['next']}"
    elif any(one["outcome"] == "helped" for one in tried):
        settled_ms = max(one["settled_ms"] for one in tried if one["outcome"] == "helped")
        result.outcome = HEALED
        bites = scene.operation.bitten(scene.row.bug) if scene.row.bug and not scene.row.stays_in_reach else []
        away_s = (_now_ms() - bites[-1]) / 1000 if bites else AWAY_LEAST_S
        own = f"; by its own mark for {away_s:.0f} s" if bites else ""
        if away_s < AWAY_LEAST_S:
            result.problem = f"counted as fixed, and it showed {away_s:.1f} s ago by its own mark"
        result.verified = f"stayed away, known {(settled_ms - first_ms) / 1000:.0f} s after the first{own}"
    else:
        result.outcome = HEALED if not scene.notes.get("ended") else PASSED
        result.by, result.verified = result.by or "the process itself", "stayed away"


def _attempt(one: dict[str, Any]) -> str:
    why = f": {one['why']}" if one["why"] and one["outcome"] != "helped" else ""
    return f"{one['remedy']} ({one['outcome']}{why})"


def _see_reverted(scene: Scene, result: Result) -> None:
    """Take back whatever stands, with the fault gone, and compare the bytes."""
    scene.row.take_back(scene)
    before = scene.before
    changed = _differing(before, settings(scene.operation))
    standing = scene.notes.get("standing") or []
    if scene.row.kept is not None:
        result.reverted = scene.row.kept(scene)
        return
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
