"""What the manager does about supervisord, decided pure: kill one that hangs, take a dead one's place, or end.

A requested stop is never undone, an operation somebody else runs is never touched, and no orphan stays.
"""

from dataclasses import dataclass
from enum import StrEnum

from execution.vocabulary.limits import (
    ORPHANS_END_WITHIN_S,
    SUPERVISORD_SILENT_AFTER_S,
    SUPERVISORD_UNANSWERED_MIN,
)


class Action(StrEnum):
    """What is to be done now."""

    WATCH = "watch"  # all is as it should be, or not bad enough yet
    KILL_SUPERVISORD = "kill supervisord"
    WAIT = "wait"  # orphans are ending
    KILL_ORPHANS = "kill orphans"
    TAKE_OVER = "take over"
    END = "end"


@dataclass(frozen=True)
class Silence:
    """Answers of a living supervisord that haven't come: how many in a row, for how long. `idle`: it is stopped, or has
    used no CPU and wanted none meanwhile."""

    unanswered: int = 0
    lasted_s: float = 0.0
    idle: bool = False


@dataclass(frozen=True)
class Seen:
    """What the manager sees at one moment. `held`: the operation's lock has a holder, which isn't our parent once that
    is dead. `orphaned_s`: time since the parent's death."""

    parent_lives: bool
    told_to_stop: bool = False
    stop_requested: bool = False
    owned_by_service: bool = False
    held: bool = False
    orphans: int = 0
    orphaned_s: float = 0.0
    silence: Silence = Silence()


def decide(seen: Seen) -> Action:
    """The next thing to do."""
    if seen.parent_lives:
        return Action.KILL_SUPERVISORD if _hangs(seen.silence) else Action.WATCH
    if seen.held:
        return Action.END  # it sees to what was left behind
    if not (seen.told_to_stop or seen.stop_requested or seen.owned_by_service):
        return Action.TAKE_OVER
    return see_to_orphans(seen.orphans, seen.orphaned_s) or Action.END


def see_to_orphans(orphans: int, waited_s: float) -> Action | None:
    """They end by themselves; those that can't are killed. None when there are none."""
    if not orphans:
        return None
    return Action.KILL_ORPHANS if waited_s >= ORPHANS_END_WITHIN_S else Action.WAIT


def _hangs(silence: Silence) -> bool:
    long_enough = silence.lasted_s >= SUPERVISORD_SILENT_AFTER_S
    return silence.idle and long_enough and silence.unanswered >= SUPERVISORD_UNANSWERED_MIN
