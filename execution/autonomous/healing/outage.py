"""Is it the network, or the exchange, that is away? What several processes can't reach at the same time no remedy of
one process brings back: nothing is done, and nothing is learned from how it ends. Pure."""

from collections.abc import Iterable

from execution.autonomous.healing.remedy import Issue
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import MANAGER

RECENT_MS = 30_000
TOGETHER_MS = 10_000
TELLING = IssueType.CONNECTION
WAITING = frozenset({IssueType.CONNECTION, IssueType.HANG})  # a task that waits for the exchange is no hung one
WORDS = "several processes reach nothing: the exchange or the network is away, and no remedy brings it back"


def is_outage(issues: Iterable[Issue], now_ms: int) -> bool:
    """Do several processes say at the same time that they have no connection?"""
    lately = {issue.process for issue in _told(issues) if issue.in_window and now_ms - issue.last_ms <= RECENT_MS}
    return len(lately) > 1


def shared(one: Issue, issues: Iterable[Issue]) -> bool:
    """Did it end at the same time in another process, too? Then it wasn't the remedy that ended it."""
    others = (issue for issue in _told(issues) if issue.process != one.process)
    return one.type is TELLING and any(abs(issue.last_ms - one.last_ms) <= TOGETHER_MS for issue in others)


def _told(issues: Iterable[Issue]) -> Iterable[Issue]:
    return (issue for issue in issues if issue.type is TELLING and issue.process != MANAGER)
