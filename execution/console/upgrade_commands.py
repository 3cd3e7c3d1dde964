"""nae upgrade: the running operation moves to the code that is here now, one process after the other, and back when the
new build fails. What is moved, in which order, is decided in autonomous/upgrade_plan.py."""

import os
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from execution.autonomous.builds import Builds
from execution.autonomous.continuous_operation import ContinuousOperationManager
from execution.autonomous.new_build import install, install_again, packages_differ, takes_a_full_start, trial
from execution.autonomous.upgrade import OperationEnded, Upgrade, builds_running
from execution.console.drain import Exposure, NotDrained, drain, exposure_of, lift, seconds_of
from execution.console.output import complain, print_json, say
from execution.runtime.bus import NoAnswer, Refused
from execution.runtime.clock import SystemClock
from execution.runtime.home import CODE_ROOT, Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.limits import READY_WITHIN_S
from execution.vocabulary.modes import Account

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document at the end instead of lines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Back = Annotated[bool, typer.Option("--back", help="To the build before the last upgrade.")]
Watch = Annotated[float, typer.Option("--watch", min=0, max=3600, help="Watch the new build for so many seconds.")]
Drain = Annotated[bool, typer.Option("--drain", help="No new live entries, and wait until live is flat, first.")]
Within = Annotated[str, typer.Option("--within", help="How long to wait for flat: 90s, 30m, 1h.")]
LIVE: str = Account.LIVE
NOBODY = "and nobody to take over"


@dataclass(frozen=True)
class Way:
    """From where to where, and what it takes."""

    before: str
    target: str
    running: dict[str, str]
    packages: bool = False  # the lock differs
    full_start: tuple[str, ...] = ()
    turned: bool = True  # what starts now runs the target already
    standby: bool = True

    @property
    def needless(self) -> bool:
        return self.turned and set(self.running.values()) == {self.target}


def upgrade(
    *,
    json: AsJson = False,
    dry_run: DryRun = False,
    back: Back = False,
    watch: Watch = 60.0,
    drain: Drain = False,
    within: Within = "1h",
) -> None:
    """Move the running operation to the code that is here now: standby, handover of live, then one process after the
    other. When the new build fails its first minute, everything goes back. Cut off, `nae upgrade` goes on.

    Examples: nae upgrade --dry-run · nae upgrade · nae upgrade --back · nae upgrade --drain --within 30m

    Exit codes: 0 all run it · 1 refused, or it failed and the old build runs again · 69 not running · 75 under way
    """
    home = Home.find()
    seconds_of(within)
    if not ContinuousOperationManager(home.root).get_status()["running"]:
        complain("not running: the next start takes the code that is here by itself (scripts/nae up)")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    lock = FileLock(home.run / "upgrade.lock")
    lock.acquire(f"nae upgrade pid {os.getpid()}, which is under way")
    try:
        talk = _Talk(json)
        way = _way(home, back, dry_run)
        talk.say(f"build {way.before} -> {way.target}")
        if way.needless or dry_run:
            talk.say(_nothing(way) if way.needless else _plan_of(way))
            talk.end(True, way)
            return
        failure = _go(home, way, talk, back=back, watch_s=watch, drain_within_s=seconds_of(within) if drain else None)
        talk.end(not failure, way, failure)
        if failure:
            raise typer.Exit(ExitCode.FAILED)
    finally:
        lock.release()


class _Talk:
    """Lines for people as they come, or all of them in one document at the end."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self._lines: list[str] = []

    def say(self, line: str) -> None:
        self._lines.append(line)
        if not self._json:
            say(line)

    def end(self, ok: bool, way: Way, failure: str = "") -> None:
        if self._json:
            document: dict[str, Any] = {"ok": ok, "from": way.before, "to": way.target, "said": self._lines}
            print_json(document | {"problem": failure})
        elif failure:
            complain(failure)


def _way(home: Home, back: bool, dry_run: bool) -> Way:
    """What is asked for. Refuses when there is nothing to go back to."""
    status = ContinuousOperationManager(home.root).get_status()
    builds, running = Builds(home), builds_running(status)
    journey = builds.journey()
    current = builds.current() or "?"
    if back:
        if journey is None or not builds.holds(journey.before):
            complain("there is no earlier build to go back to")
            raise typer.Exit(ExitCode.FAILED)
        return _detailed(builds, Way(current, journey.before, running), status)
    target = builds.snapshot(CODE_ROOT) if not dry_run or builds.folder.is_dir() else current
    unfinished = journey is not None and not journey.finished and builds.holds(journey.before)
    before = journey.before if journey is not None and unfinished else current
    return _detailed(builds, Way(before, target, running), status)


def _detailed(builds: Builds, way: Way, status: dict[str, Any]) -> Way:
    old, new = builds.path(way.before), builds.path(way.target)
    live = [name for name, row in status["processes"].items() if row.get("account") == LIVE]
    return Way(
        way.before,
        way.target,
        way.running,
        packages=packages_differ(old, new),
        full_start=tuple(takes_a_full_start(old, new)),
        turned=builds.current() == way.target,
        standby=len(live) != 1,
    )


def _nothing(way: Way) -> str:
    return f"nothing to do: every process runs {way.target}"


def _plan_of(way: Way) -> str:
    old = [name for name, build in way.running.items() if build != way.target]
    lines = [f"would move: {', '.join(old)}", *_notes(way)]
    if way.packages:
        lines.append("the packages differ: live is drained first (--drain), then they are installed from the lock")
    return "\n".join(lines)


def _notes(way: Way) -> list[str]:
    notes = ["while the venue restarts, live can't trade (a second or two)"] if "venue" in way.running else []
    if way.full_start:
        notes.append(f"supervisord goes on with its old parts until the next full start: {', '.join(way.full_start)}")
    return notes


def _go(home: Home, way: Way, talk: _Talk, *, back: bool, watch_s: float, drain_within_s: float | None) -> str:
    """Do it; why it failed, or ''."""
    clock, builds = SystemClock(), Builds(home)
    if not way.packages and not back and (problem := trial(builds.path(way.target))):
        return f"{way.target} was not tried on anything: {problem}"
    for note in _notes(way):
        talk.say(note)
    was_active = False
    if way.packages or not way.standby:
        refusal = _live_refusal(home, "and its packages are to be exchanged" if way.packages else NOBODY)
        if refusal and drain_within_s is None:
            return refusal
        if drain_within_s is not None and home.ledger(LIVE).exists():
            try:
                was_active = drain(home, LIVE, drain_within_s, clock, _told(talk))
            except (NotDrained, NoAnswer, Refused) as error:
                return f"live isn't flat: {error}"
    try:
        if way.packages and (problem := _install(builds, way, back)):
            return problem
        moving = Upgrade(home, clock, talk.say, lambda: _live_refusal(home, NOBODY))
        return moving.run(way.before, way.target, watch_s, going_back=back)
    except OperationEnded as ended:
        return str(ended)
    except KeyboardInterrupt:
        complain("interrupted: nae upgrade goes on from here, nae upgrade --back goes back")
        raise
    finally:
        if was_active:
            _lift(home, talk)


def _install(builds: Builds, way: Way, back: bool) -> str:
    """The packages that the target's lock says; why it can't run with them, or ''."""
    if back:
        return install_again(builds.path(way.target))
    if problem := install() or trial(builds.path(way.target)):
        again = install_again(builds.path(way.before))
        return f"{way.target} was not tried on anything: {problem}" + (f"\n{again}" if again else "")
    return ""


def _lift(home: Home, talk: _Talk) -> None:
    try:
        lift(home, LIVE, SystemClock(), READY_WITHIN_S)
    except (NoAnswer, Refused) as error:
        talk.say(f"live is still reduce_only ({error}): nae resume lifts it")


def _told(talk: _Talk) -> Any:
    said: list[str] = []

    def told(left: Exposure) -> None:
        if str(left) not in said:
            said.append(str(left))
            talk.say(f"draining live: {left}")

    return told


def _live_refusal(home: Home, trouble: str) -> str:
    """Why live may not be stopped as it is now, or ''."""
    left = exposure_of(home, LIVE)
    return "" if left.flat else f"live has {left} {trouble}: wait until it is flat, or nae upgrade --drain"
