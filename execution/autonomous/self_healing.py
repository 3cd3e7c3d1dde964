"""SelfHealingSystem: what kind of trouble a report describes, what the running manager does about it at a word, and
what has been fixed so far, from the record.

A text is evidence and nothing else: it is classified for show, and nothing is ever done because of it. What is healed
is a case that the manager itself has opened, from what its processes reported.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from execution.autonomous.change_log import ChangeLog, fixes
from execution.autonomous.healing.catalogue import Catalogue
from execution.autonomous.healing.remedy import Issue
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import MANAGER

RECENT = 10
LINES_MAX = 100_000
EXAMPLE_MAX = 200
WRONG = re.compile(r"\b(ERROR|CRITICAL|Traceback)\b|^\w+(\.\w+)*(Error|Exception)\b")

# exception type names first (they are certain), then words of the message; the first row that matches decides
PATTERNS: tuple[tuple[IssueType, str], ...] = (
    (IssueType.IMPORT, r"ModuleNotFoundError|ImportError|NameError"),
    (IssueType.SYNTAX, r"SyntaxError|IndentationError"),
    (IssueType.CONFIG, r"ConfigError"),
    (IssueType.RATE_LIMIT, r"RateLimitExceeded|DDoSProtection|\b429\b|\b418\b"),
    (IssueType.AUTH, r"AuthenticationError|PermissionDenied"),
    (IssueType.CLOCK, r"InvalidNonce|-1021"),
    (IssueType.INSUFFICIENT_FUNDS, r"InsufficientFunds"),
    (IssueType.MINIMUM_SIZE, r"NOTIONAL|LOT_SIZE"),
    (IssueType.TIMEOUT, r"Timeout|timed out"),
    (IssueType.CONNECTION, r"ConnectionError|ConnectionRefused|ConnectionReset|NetworkError|ExchangeNotAvailable"),
    (IssueType.DISK, r"No space left|ENOSPC|Read-only file system"),
    (IssueType.DESCRIPTOR_LEAK, r"Too many open files|EMFILE"),
    (IssueType.DATABASE, r"sqlite3\.|OperationalError|DatabaseError"),
    (IssueType.MEMORY, r"MemoryError"),
    (IssueType.ATTRIBUTE, r"AttributeError"),
    (IssueType.KEY, r"KeyError"),
)


class SelfHealingSystem:
    """The healing of one home, from any process."""

    def __init__(self, home: str | Path | None = None) -> None:
        self._home = Home.find(home)

    def detect_issue(self, report: str | Issue) -> IssueType:
        """The kind of trouble: as the manager has it, or as an error's type and message describe it."""
        if isinstance(report, Issue):
            return report.type
        for kind, pattern in PATTERNS:
            if re.search(pattern, report):
                return kind
        return IssueType.UNKNOWN

    def fix_issue(self, issue: str | dict[str, Any]) -> dict[str, Any]:
        """Ask the running manager to heal a case of its own now (its id, or a document with one), within its budgets.
        `ok`, `case`, `state`, `why`. Without a manager nothing is done, and it says so."""
        case = str(issue.get("id", "")) if isinstance(issue, dict) else str(issue)
        refused = {"ok": False, "case": case, "state": None}
        try:
            told = ask(self._home.run, MANAGER, "heal", SystemClock(), act="now", id=case, by="SelfHealingSystem")
        except Refused as refusal:
            return refused | {"why": str(refusal)}
        except NoAnswer as silence:
            return refused | {"why": f"nothing was done: {silence}; start the operation first: nae up"}
        found = told["case"]
        return {"ok": True, "case": found["id"], "state": found["state"], "why": found["said"]}

    def heal_from_log(self, path: str | Path) -> dict[str, Any]:
        """What a log tells of, grouped by kind, and which remedies would fit. It acts on nothing: a text is evidence,
        and anybody may have written it. Raises OSError when it can't be read."""
        counts: Counter[IssueType] = Counter()
        examples: dict[IssueType, str] = {}
        lines = 0
        with Path(path).open(errors="replace") as file:
            for lines, line in enumerate(file, 1):
                if lines > LINES_MAX:
                    break
                if WRONG.search(line):
                    kind = self.detect_issue(line)
                    counts[kind] += 1
                    examples.setdefault(kind, line.strip()[:EXAMPLE_MAX])
        fitting = Catalogue().fitting
        found = [
            {
                "type": str(kind),
                "count": count,
                "example": examples[kind],
                "would_fit": [name for name, _ in fitting.get(kind, ())],
            }
            for kind, count in counts.most_common()
        ]
        return {"file": str(path), "lines": min(lines, LINES_MAX), "issues": found, "acted": False}

    def get_fix_summary(self) -> dict[str, Any]:
        """`total_fixed`, `by_type{type: count}`, `recent_fixes[...]`, from logs/change_log.json."""
        record = ChangeLog(self._home.change_log, SystemClock()).read()
        by_type = dict(record["fixed_by_type"])
        return {
            "total_fixed": sum(by_type.values()),
            "by_type": by_type,
            "recent_fixes": list(reversed(fixes(record)))[:RECENT],
        }
