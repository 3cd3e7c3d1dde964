"""The remedy that a process be ended in good order and started anew; whoever holds an account hands it over first.

For faults that live in a process's memory and that nothing gentler has ended. It leaves nothing to put back. Deaths and
hangs aren't its own: who is dead or hung is back long before anybody has thought about it.
"""

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import BY_NAME, MANAGER, PROGRAMS

LEAK = Terms(budget=2, window_s=1800.0, cool_down_s=600.0, quiet_for_s=300.0)

WAITS_FOR_VENUE = frozenset({IssueType.CONNECTION, IssueType.HANG})


class Restart:
    """See the module."""

    name = "restart"
    what = "ends the process in good order, to be started anew; an account is handed over first"
    fits = {  # noqa: RUF012 -- as the protocol has it: read, never changed
        IssueType.CONNECTION: Terms(after=6, budget=1, cool_down_s=120.0),
        IssueType.MEMORY: LEAK,
        IssueType.DESCRIPTOR_LEAK: LEAK,
        IssueType.HANG: Terms(after=3, budget=1, cool_down_s=120.0),
    }

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """It isn't ours, or it is the one that heals."""
        if issue.process not in BY_NAME:
            return f"{issue.process} isn't started by supervisord here"
        if issue.process == MANAGER:
            return "who heals doesn't end itself: its own watcher does"
        return await _venue_away(issue, hands) if issue.type in WAITS_FOR_VENUE else ""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """End it, to be started anew."""
        await hands.renew(issue.process, f"{issue.type}: {issue.exception or issue.place or 'seen from outside'}")
        return {"left": "nothing to put back"}

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """A process started anew is as it was meant to be."""


async def _venue_away(issue: Issue, hands: Hands) -> str:
    """What waits for a venue that nobody reaches would start anew into the same waiting, and lose what it has. As any
    trader tells that answers; '' when none does, or one of them reaches it."""
    away = ""
    for trader in (program.name for program in PROGRAMS if program.account is not None):
        try:
            told = await hands.ask(trader, "heal", what="reconnect", mark=issue.fingerprint, check=True)
        except CannotHeal:  # a standby, or not there: it can't tell
            continue
        if not told.get("venue_away"):
            return ""
        away = str(told.get("obstacle"))
    return away


RESTART = Restart()
