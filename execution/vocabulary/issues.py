"""What can go wrong, by kind: the words that detection, remedies and the record share."""

from enum import StrEnum


class IssueType(StrEnum):
    """Kinds of trouble."""

    IMPORT = "import"
    ATTRIBUTE = "attribute"
    KEY = "key"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    SYNTAX = "syntax"
    CONFIG = "config"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    CLOCK = "clock"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    MINIMUM_SIZE = "minimum_size"
    DISK = "disk"
    DATABASE = "database"
    MEMORY = "memory"
    DESCRIPTOR_LEAK = "descriptor_leak"
    HANG = "hang"
    CRASH = "crash"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How bad an issue is, mildest first."""

    NOTE = "note"  # seen, and gone by itself
    WARNING = "warning"  # it comes again
    SERIOUS = "serious"  # something doesn't get done
    CRITICAL = "critical"  # a process can't live, or money can't be managed
