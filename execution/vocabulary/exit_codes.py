"""Exit codes are an interface: scripts, services and tests rely on them. Numbers follow BSD sysexits.h."""

from enum import IntEnum

from execution.vocabulary.issues import IssueType


class ExitCode(IntEnum):
    """What a command's or a process's end means."""

    OK = 0
    FAILED = 1
    USAGE = 64  # the words of the command line are wrong
    UNAVAILABLE = 69  # a needed part (venue, exchange, manager) doesn't answer
    SOFTWARE = 70  # a bug of ours
    OS_ERROR = 71  # the ground isn't fit: disk full, folder not writable
    BUSY = 75  # somebody else holds what we need; try again later
    CONFIG = 78  # nae.toml, a candle file or the environment is wrong


class ConfigError(Exception):
    """Something a person wrote is wrong; the message names the place, the value and what would be right."""

    issue_type = IssueType.CONFIG


class BusyError(Exception):
    """Somebody else holds what we need; the message names the holder."""
