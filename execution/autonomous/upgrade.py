"""Moves a running operation to another build: turns the link, carries out what upgrade_plan.py decides, and goes back
when the new build fails. What is under way stands in data/builds/upgrade.json, so that a cut-off upgrade is known.

Knows processes only; whether live may be restarted is asked of whoever knows accounts.
"""

from collections.abc import Callable
from typing import Any

from execution.autonomous.builds import Builds, Journey
from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.new_build import install_again, packages_differ
from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.autonomous.upgrade_plan import Course, Kind, Seen, Step, next_step
from execution.autonomous.vitals import command_line
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import Clock, block
from execution.runtime.home import Home
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import MANAGER

LOOK_S = 0.1
HANDOVER_WITHIN_S = 10.0
BACK_WITHIN_S = 15.0  # a supervisord that was killed has an heir within seconds


class OperationEnded(Exception):
    """The operation isn't running any more: its next start takes the newest code."""


def builds_running(status: dict[str, Any]) -> dict[str, str]:
    """process -> the build it says it runs."""
    return {name: row["build"] for name, row in status["processes"].items() if row.get("build")}


class Upgrade:
    """One operation being moved. `may_restart_live` says why the live trader may not be stopped without a standby, or
    ''; `say` gets every step in words."""

    def __init__(
        self, home: Home, clock: Clock, say: Callable[[str], None], may_restart_live: Callable[[], str]
    ) -> None:
        self._home = home
        self._clock = clock
        self._say = say
        self._may_restart_live = may_restart_live
        self._builds = Builds(home)
        self._manager = ContinuousOperationManager(home.root, clock)
        self._door = SupervisorDoor(home.socket("supervisor.sock"))
        self._exits: dict[str, int] = {}
        self._gone_since: float | None = None

    def run(self, before: str, target: str, watch_s: float, going_back: bool = False) -> str:
        """Move everything to `target`, and back to `before` when it fails; why it failed, or ''. `going_back`: a person
        wants an older build, which has proved itself: there is nothing to go back to from there.

        Raises OperationEnded.
        """
        earlier = self._builds.journey()
        self._builds.write_journey(Journey(before, target, finished=False))
        self._builds.turn_to(target)
        self._say(f"from now on what starts runs {target}")
        failure = self._follow(Course(target, watch_s, going_back))
        if failure and not going_back and before != target and self._builds.holds(before):
            failure = self._go_back(before, target, failure, earlier)
        elif not failure:
            self._builds.write_journey(Journey(before, target, finished=True))
        used = set(builds_running(self._manager.get_status()).values())
        self._builds.prune(used | {before}, is_alive=lambda pid: command_line(pid) != "")
        what = f"build {before} -> {target}" if not failure else f"build {target} tried, back on {before}"
        self._record(what, failure or "nae upgrade")
        return failure

    def _go_back(self, before: str, target: str, failure: str, earlier: Journey | None) -> str:
        self._say(f"{failure}: back to {before}")
        old = self._builds.path(before)
        if packages_differ(old, self._builds.path(target)) and (problem := install_again(old)):
            self._say(problem)
        self._builds.turn_to(before)
        again = self._follow(Course(before, watch_s=0.0, going_back=True))
        if again:
            return f"{failure}; not everything is back on {before}: {again}"
        proved = earlier is not None and earlier.finished and earlier.target == before
        self._builds.write_journey(earlier if earlier and proved else Journey(before, before, finished=True))
        return f"{failure}; everything runs {before} again"

    def _follow(self, course: Course) -> str:
        """Do what the plan says until it is done ('') or fails (why)."""
        said = ""
        while True:
            step, course = next_step(course, self._look(), self._clock.monotonic())
            words = step.why if step.kind is not Kind.WAIT else ""
            if words and words != said:
                self._say(words)
                said = words
            if step.kind is Kind.DONE:
                return ""
            if step.kind is Kind.FAILED:
                return step.why
            if step.kind is Kind.RESTART and not course.going_back and (refusal := self._refusal(step.name)):
                return refusal
            if step.kind is not Kind.WAIT and (problem := self._carry_out(step)):
                self._say(problem)
            block(LOOK_S)

    def _look(self) -> list[Seen]:
        """Every process as the manager knows it; none while it can't be asked."""
        status = self._manager.get_status()
        now = self._clock.monotonic()
        if status["running"]:
            self._gone_since = None
        else:
            self._gone_since = self._gone_since or now
            if now - self._gone_since > BACK_WITHIN_S:
                raise OperationEnded("the operation has ended meanwhile; its next start runs the newest code")
        rows = status["processes"]
        if not rows or not all("build" in row for row in rows.values()):
            return []
        try:
            exits = self._door.plug_in().exits
            self._exits = {name: row.count - row.planned for name, row in exits.items()}
        except (SupervisorUnavailable, SupervisorRefused):
            pass  # what was known of it still holds
        return [_seen(name, row, self._exits.get(name, row.get("restarts", 0))) for name, row in rows.items()]

    def _carry_out(self, step: Step) -> str:
        """Do it; what went wrong, or ''. The plan looks again in any case."""
        try:
            if step.kind is Kind.HANDOVER:
                ask(self._home.run, step.name, "handover", self._clock, HANDOVER_WITHIN_S, reason="upgrade")
            elif step.kind is Kind.START:
                self._start(step.name)
            else:  # it ends in order, and supervisord brings it back at once, on the current build
                self._door.signal(self._program(step.name), "TERM")
        except (NoAnswer, Refused, SupervisorUnavailable, SupervisorRefused) as error:
            return f"{step.name}: {error}"
        return ""

    def _refusal(self, name: str) -> str:
        """Why this one may not be restarted now: it is the only one that manages the live account, with exposure."""
        rows = self._manager.get_status()["processes"]
        live = [other for other, row in rows.items() if row.get("account") == Account.LIVE]
        return self._may_restart_live() if live == [name] else ""

    def _program(self, name: str) -> ProgramState:
        found = [program for program in self._door.programs() if program.name == name]
        if not found:
            raise SupervisorRefused(f"supervisord knows no program {name}")
        return found[0]

    def _start(self, name: str) -> None:
        """The manager forgets why it held it back; without a manager supervisord is told itself."""
        try:
            ask(self._home.run, MANAGER, "start", self._clock, name=name)
        except (NoAnswer, Refused):
            program = self._program(name)
            if program.state not in ("STARTING", "RUNNING"):
                self._door.start(program)

    def _record(self, what: str, cause: str) -> None:
        """The manager is the one writer of the record of changes; when it can't, that is said."""
        try:
            ask(self._home.run, MANAGER, "record", self._clock, kind="upgrade", what=what, cause=cause)
        except (NoAnswer, Refused) as error:
            self._say(f"not in change_log.json: {error}")


def _seen(name: str, row: dict[str, Any], crashes: int) -> Seen:
    facts = row.get("facts") or {}
    return Seen(
        name=name,
        build=row["build"],
        state=row["state"],
        status=HealthStatus(row["status"]),
        pid=row["pid"],
        account=row.get("account"),
        role=str(facts.get("role", "")),
        ready=facts.get("standby_ready") is not False,
        crashes=crashes,
        stopped_by_operator=row.get("stopped_by_operator") is True,
    )
