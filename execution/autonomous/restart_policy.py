"""What to do about a verdict, as a pure function. supervisord brings a crashed program back by itself; what it gives up
on (FATAL), and what hangs, is ours: kill the hung, resurrect the given-up with a growing pause."""

from dataclasses import dataclass, replace
from enum import StrEnum

from execution.autonomous.judgement import Verdict
from execution.vocabulary.limits import RESTART_FIRST_BACKOFF_S, RESTART_LAST_BACKOFF_S

FORGET_AFTER_S = 600.0
LET_RECOVER_S = 15.0
REAPED_WITHIN_S = 2.0  # supervisord needs a moment to see a death: until then one kill is not two


class Action(StrEnum):
    """What the edge carries out."""

    NONE = "none"
    KILL = "kill"  # supervisord sees it die and starts it again
    START = "start"


@dataclass(frozen=True)
class History:
    """What the policy remembers of one program. Times are monotonic seconds."""

    attempts: int = 0
    last_action_at: float | None = None


def backoff_s(attempts: int) -> float:
    """The pause before attempt number `attempts` (0 is the first, which comes at once)."""
    if attempts == 0:
        return 0.0
    return min(RESTART_LAST_BACKOFF_S, RESTART_FIRST_BACKOFF_S * 2.0 ** min(attempts - 1, 30))


def decide(
    program_state: str, verdict: Verdict, critical_overdue: bool, history: History, now: float
) -> tuple[Action, History]:
    """The action to take now, and what to remember.

    `critical_overdue`: a task without which there is no trading makes no progress (the process itself still beats).
    """
    if history.last_action_at is not None and now - history.last_action_at > FORGET_AFTER_S:
        history = History()
    waited = history.last_action_at is None or now - history.last_action_at >= backoff_s(history.attempts)
    recovering = history.last_action_at is not None and now - history.last_action_at < LET_RECOVER_S
    if program_state == "FATAL" and waited:
        return Action.START, _remember(history, now)
    reaping = history.last_action_at is not None and now - history.last_action_at < REAPED_WITHIN_S
    if verdict.hung and program_state in ("STARTING", "RUNNING") and not reaping:
        return Action.KILL, _remember(history, now)
    if critical_overdue and program_state == "RUNNING" and waited and not recovering:
        return Action.KILL, _remember(history, now)
    return Action.NONE, history


def _remember(history: History, now: float) -> History:
    return replace(history, attempts=history.attempts + 1, last_action_at=now)
