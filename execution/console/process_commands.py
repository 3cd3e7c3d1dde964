"""Commands about one process: start, stop, restart, and the live account's handover. The manager acts and remembers;
when it doesn't answer, supervisord is told directly, and that is said. One spawner either way."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.supervisor_door import ProgramState, SupervisorDoor, SupervisorRefused, SupervisorUnavailable
from execution.console.drain import NotDrained, drain, exposure_of, holder_now, lift, seconds_of
from execution.console.output import complain, errors, print_json, say
from execution.ledger.queries import set_trading_state_offline
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock, block
from execution.runtime.home import Home
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.exit_codes import BusyError, ExitCode
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.limits import READY_WITHIN_S, STOP_ALL_WITHIN_S
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import BY_NAME, MANAGER

T = TypeVar("T")
TOLD_WITHIN_S = 4.0
RESTARTED_WITHIN_S = 10.0  # the manager answers once the old one is gone
LOOK_S = 0.1
LIVE: str = Account.LIVE
DONE = {"stop": "stopped", "restart": "restarted"}
DOWN = ("stopped", "failed", "exited", "fatal", "backoff")  # the manager's words, and supervisord's


def _completed(incomplete: str) -> list[str]:
    return [name for name in BY_NAME if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(help="A process, as in nae status.", autocompletion=_completed)]
Drain = Annotated[bool, typer.Option("--drain", help="Live: no new entries, and wait until it is flat, first.")]
Within = Annotated[str, typer.Option("--within", help="How long to wait for flat: 90s, 30m, 1h.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def start(name: Name, json: AsJson = False) -> None:
    """Start a process that was stopped, is held back or in quarantine.

    Example: nae start ralph

    Exit codes: 0 runs · 1 refused · 64 unknown name · 69 the operation isn't running, or the process didn't come up
    """
    one = _One.found(name)
    by = one.tell("start")
    one.wait_until_up(but_not=None)
    one.report("started", by, json)


def stop(name: Name, drain: Drain = False, within: Within = "1h", json: AsJson = False) -> None:
    """Stop one process; it stays stopped until nae start. The holder of a live account with exposure only with --drain.

    Examples: nae stop ralph · nae stop live_optimus --drain --within 30m

    Exit codes: 0 stopped · 1 refused, or not flat in time · 64 unknown name · 69 the operation isn't running
    """
    one = _One.found(name)
    was_active = one.make_fit(drain, within, "stop")
    by = one.tell("stop")
    one.wait_until_down()
    if was_active:
        one.leave_as_it_was()
    one.report("stopped", by, json)


def restart(name: Name, drain: Drain = False, within: Within = "1h", json: AsJson = False) -> None:
    """Stop a process and start it again. Who holds the live account hands it over first when a standby is ready.

    Examples: nae restart venue · nae restart live_optimus

    Exit codes: 0 runs again · 1 refused, or not flat in time · 64 unknown name · 69 the operation isn't running, or the
    process didn't come up
    """
    one = _One.found(name)
    if one.holds_live() and one.standby_ready() and not drain:
        by = _hand_over(one.home, f"nae restart {name}")
        one.wait_until_up(but_not=one.pid)
        one.report("handed over and restarted", by, json)
        return
    was_active = one.make_fit(drain, within, "restart")
    by = one.tell("restart")
    one.wait_until_up(but_not=one.pid)
    if was_active:
        lift(one.home, LIVE, one.clock, READY_WITHIN_S)
    one.report("restarted", by, json)


def handover(
    reason: Annotated[str, typer.Argument(help="Why; kept in both audit trails.")], json: AsJson = False
) -> None:
    """Give the live account to the standby, with no gap in its management; the former holder returns as the standby.

    Example: nae handover "its memory grows"

    Exit codes: 0 handed over · 1 refused (no standby is ready) · 64 no reason · 69 nobody answered
    """
    if not reason.strip():
        complain('a handover needs a reason, such as: nae handover "its memory grows"')
        raise typer.Exit(ExitCode.USAGE)
    home, clock = Home.find(), SystemClock()
    _running(home)
    before, began = holder_now(home, LIVE), clock.monotonic()
    by = _hand_over(home, reason)
    while (after := holder_now(home, LIVE)) in (before, None):
        if clock.monotonic() - began > STOP_ALL_WITHIN_S:
            complain(f"asked {by}, and after {STOP_ALL_WITHIN_S:g} s {after or 'nobody'} holds the live account")
            raise typer.Exit(ExitCode.UNAVAILABLE)
        block(LOOK_S)
    if json:
        print_json({"ok": True, "from": before, "to": after, "by": by})
    else:
        say(f"live: {before} → {after}")


def _running(home: Home) -> dict[str, Any]:
    status = ContinuousOperationManager(home.root).get_status()
    if not status["running"]:
        complain(status.get("note", "not running"))
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return status


def _hand_over(home: Home, reason: str) -> str:
    """Who was asked. The manager asks the holder; when it is silent we ask the holder ourselves."""
    clock = SystemClock()
    for process in (MANAGER, holder_now(home, LIVE)):
        if process is None:
            break
        try:
            ask(home.run, process, "handover", clock, deadline_s=TOLD_WITHIN_S, reason=reason)
        except Refused as refusal:
            complain(str(refusal))
            raise typer.Exit(ExitCode.FAILED) from refusal
        except NoAnswer as silence:
            errors.print(f"note: {silence}", style="yellow", markup=False)
        else:
            return process
    complain("nobody answered who could hand the live account over; scripts/nae status says what runs")
    raise typer.Exit(ExitCode.UNAVAILABLE)


@dataclass
class _One:
    """One process of the running operation, and what is done to it."""

    home: Home
    name: str
    status: dict[str, Any]
    clock: SystemClock

    @classmethod
    def found(cls, name: str) -> "_One":
        """Ends the command when there is no such process, or nothing runs."""
        if name not in BY_NAME:
            close = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.5)
            complain(f"unknown process {name!r}; {f'did you mean {close[0]}?' if close else ', '.join(BY_NAME)}")
            raise typer.Exit(ExitCode.USAGE)
        home = Home.find()
        status = _running(home)
        if status["processes"] and name not in status["processes"]:
            here = ", ".join(status["processes"])
            complain(f"{name} isn't part of this operation (mode {status['mode']}); there are: {here}")
            raise typer.Exit(ExitCode.USAGE)
        return cls(home, name, status, SystemClock())

    @property
    def pid(self) -> int | None:
        pid: int | None = self.status["processes"].get(self.name, {}).get("pid")
        return pid

    def holds_live(self) -> bool:
        return BY_NAME[self.name].account == LIVE and holder_now(self.home, LIVE) == self.name

    def standby_ready(self) -> bool:
        twin = self.status["processes"].get(BY_NAME[self.name].twin or "", {})
        return bool((twin.get("facts") or {}).get("standby_ready"))

    def make_fit(self, with_drain: bool, within: str, verb: str) -> bool:
        """Refuse, or drain, where a live account would be left with exposure; True when lift() has to follow."""
        within_s = seconds_of(within)
        try:
            if not self.holds_live() or (left := exposure_of(self.home, LIVE)).flat:
                return False
        except DatabaseError as error:
            complain(f"live's ledger can't be read ({error}): {self.name} was not {DONE[verb]}")
            raise typer.Exit(ExitCode.FAILED) from error
        if not with_drain:
            first = 'nae handover "why" first, or ' if self.standby_ready() else ""
            complain(
                f"{self.name} holds the live account with {left}: not {DONE[verb]}. "
                f"next: {first}nae {verb} {self.name} --drain waits until it is flat"
            )
            raise typer.Exit(ExitCode.FAILED)
        try:
            with errors.status("draining live") as line:
                return drain(
                    self.home, LIVE, within_s, self.clock, lambda now: line.update(f"draining live: {now} left")
                )
        except (NotDrained, NoAnswer, Refused) as problem:
            complain(f"{problem}; {self.name} was not {DONE[verb]}")
            raise typer.Exit(ExitCode.FAILED) from problem

    def leave_as_it_was(self) -> None:
        """After a drained stop: nobody trades, so the state is written back; unless the twin has taken the account."""
        try:
            set_trading_state_offline(self.home, LIVE, TradingState.ACTIVE, f"{self.name} was drained and stopped")
        except BusyError:
            say(f"live is held by {holder_now(self.home, LIVE)} now and stays reduce_only: nae resume --account live")

    def tell(self, verb: str) -> str:
        """Who carried it out: the manager, else supervisord."""
        try:
            within_s = RESTARTED_WITHIN_S if verb == "restart" else TOLD_WITHIN_S
            ask(self.home.run, MANAGER, verb, self.clock, deadline_s=within_s, name=self.name)
        except Refused as refusal:
            complain(str(refusal) if self.name in str(refusal) else f"{self.name}: {refusal}")
            raise typer.Exit(ExitCode.FAILED) from refusal
        except NoAnswer as silence:
            errors.print(f"note: {silence}; supervisord itself is told", style="yellow", markup=False, soft_wrap=True)
            self._tell_supervisord(verb)
            return "supervisord"
        return MANAGER

    def _tell_supervisord(self, verb: str) -> None:
        if verb in ("stop", "restart") and self._program().state.lower() not in DOWN:
            self._at_supervisord(lambda door: door.stop(self._program()))
            self.wait_until_down()
        if verb in ("start", "restart") and self._program().state.lower() in DOWN:
            self._at_supervisord(lambda door: door.start(self._program()))

    def _at_supervisord(self, act: Callable[[SupervisorDoor], T]) -> T:
        try:
            return act(SupervisorDoor(self.home.socket("supervisor.sock")))
        except (SupervisorUnavailable, SupervisorRefused) as problem:
            complain(f"{self.name}: {problem}")
            raise typer.Exit(ExitCode.UNAVAILABLE) from problem

    def _program(self) -> ProgramState:
        programs = self._at_supervisord(lambda door: door.programs())
        found = next((program for program in programs if program.name == self.name), None)
        if found is None:
            complain(f"supervisord knows no {self.name}")
            raise typer.Exit(ExitCode.UNAVAILABLE)
        return found

    def wait_until_down(self) -> None:
        self._wait(lambda row: row.get("state") in DOWN, STOP_ALL_WITHIN_S)

    def wait_until_up(self, but_not: int | None) -> None:
        """Until it makes progress; without a manager to say so, until supervisord has it running."""

        def up(row: dict[str, Any]) -> bool:
            there = row.get("pid") not in (None, but_not)
            return there and row.get("state") == ("running" if "tasks" in row else "ready")

        self._wait(up, READY_WITHIN_S)

    def _wait(self, wanted: Callable[[dict[str, Any]], bool], within_s: float) -> None:
        began = self.clock.monotonic()
        while True:
            self.status = ContinuousOperationManager(self.home.root).get_status()
            row = self.status["processes"].get(self.name, {})
            if wanted(row):
                return
            if self.clock.monotonic() - began > within_s:
                because = "; ".join(row.get("causes", [])) or f"nae logs {self.name}"
                complain(f"{self.name} is {row.get('state', 'unknown')} after {within_s:g} s: {because}")
                raise typer.Exit(ExitCode.UNAVAILABLE)
            block(LOOK_S)

    def report(self, done: str, by: str, json: bool) -> None:
        if json:
            pid = None if done == "stopped" else self.pid
            print_json({"ok": True, "process": self.name, "action": done, "pid": pid, "by": by})
        else:
            say(f"{self.name} {done}" + (f", pid {self.pid}" if done != "stopped" else ""))
