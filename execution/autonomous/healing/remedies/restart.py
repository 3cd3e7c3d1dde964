"""The remedy that a process be ended in good order and started anew; whoever holds an account hands it over first.

For faults that live in a process's memory and that nothing gentler has ended. It leaves nothing to put back. Deaths and
hangs aren't its own: who is dead or hung is back long before anybody has thought about it.
"""

from execution.autonomous.healing.remedy import Hands, Issue, Terms, Undo
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import BY_NAME, MANAGER

LEAK = Terms(budget=2, window_s=1800.0, cool_down_s=600.0, quiet_for_s=300.0)


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
        return "who heals doesn't end itself: its own watcher does" if issue.process == MANAGER else ""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """End it, to be started anew."""
        await hands.renew(issue.process, f"{issue.type}: {issue.exception or issue.place or 'seen from outside'}")
        return {"left": "nothing to put back"}

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """A process started anew is as it was meant to be."""


RESTART = Restart()
