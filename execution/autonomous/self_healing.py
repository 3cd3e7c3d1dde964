"""SelfHealingSystem: what kind of trouble a report describes, and what has been fixed so far, from the record.

Detection classifies; it never acts on text. Repairs at this depth are restarts, made by the Overseer through
supervisord and counted as fixed only once the process has been seen to make progress again.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from execution.autonomous.change_log import ChangeLog, fixes
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home

RECENT = 10


class IssueType(StrEnum):
    """Kinds of trouble."""

    IMPORT = "import"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    KEY = "key"
    CONFIG = "config"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    CLOCK = "clock"
    FUNDS = "insufficient_funds"
    MINIMUM_SIZE = "minimum_size"
    DISK = "disk"
    DATABASE = "database"
    MEMORY = "memory"
    UNKNOWN = "unknown"


# exception type names first (they are certain), then words of the message; the first row that matches decides
PATTERNS: tuple[tuple[IssueType, str], ...] = (
    (IssueType.IMPORT, r"ModuleNotFoundError|ImportError"),
    (IssueType.CONFIG, r"ConfigError"),
    (IssueType.RATE_LIMIT, r"RateLimitExceeded|DDoSProtection|\b429\b|\b418\b"),
    (IssueType.AUTH, r"AuthenticationError|PermissionDenied"),
    (IssueType.CLOCK, r"InvalidNonce|-1021"),
    (IssueType.FUNDS, r"InsufficientFunds"),
    (IssueType.MINIMUM_SIZE, r"NOTIONAL|LOT_SIZE"),
    (IssueType.TIMEOUT, r"Timeout|timed out"),
    (IssueType.CONNECTION, r"ConnectionError|ConnectionRefused|ConnectionReset|NetworkError|ExchangeNotAvailable"),
    (IssueType.DISK, r"No space left|ENOSPC|Read-only file system"),
    (IssueType.DATABASE, r"sqlite3\.|OperationalError|DatabaseError"),
    (IssueType.MEMORY, r"MemoryError"),
    (IssueType.KEY, r"KeyError"),
)


class SelfHealingSystem:
    """The healing record of one home, readable from any process."""

    def __init__(self, home: str | Path | None = None) -> None:
        self._home = Home.find(home)

    def detect_issue(self, report: str) -> IssueType:
        """The kind of trouble an error's type and message describe."""
        for kind, pattern in PATTERNS:
            if re.search(pattern, report):
                return kind
        return IssueType.UNKNOWN

    def get_fix_summary(self) -> dict[str, Any]:
        """`total_fixed`, `by_type{type: count}`, `recent_fixes[...]`, from logs/change_log.json."""
        record = ChangeLog(self._home.change_log, SystemClock()).read()
        by_type = dict(record["fixed_by_type"])
        return {
            "total_fixed": sum(by_type.values()),
            "by_type": by_type,
            "recent_fixes": list(reversed(fixes(record)))[:RECENT],
        }
