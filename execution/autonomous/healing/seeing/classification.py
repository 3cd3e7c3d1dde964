"""What kind of trouble a report tells of: one pure table over what the type system and our own code say. The words of a
message never decide: somebody else may have written them.

Also how bad it is, and what it most likely comes from, in one sentence for people.
"""

from collections.abc import Mapping

from execution.vocabulary.health import ErrorCount
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import ERROR_WINDOW_S, ERRORS_UNHEALTHY_PER_MINUTE

CRITICAL_FROM = 3  # a process that came back at once is one thing, one that doesn't stay is another
# types of our own that say more than those they descend from
_OURS = {
    "LedgerDamaged": IssueType.DATABASE,
    "LedgerUntrusted": IssueType.DATABASE,
    "LedgerTaken": IssueType.UNKNOWN,  # another process has it: nothing is damaged
    "LedgerFromLater": IssueType.CONFIG,  # a later build's: a person has to run that one
    "BooksDiffer": IssueType.DATABASE,
    "WrongAccount": IssueType.CONFIG,
    "NoAnswer": IssueType.TIMEOUT,
    "StreamEnded": IssueType.CONNECTION,
    "BadReply": IssueType.CONNECTION,
    "UnboundLocalError": IssueType.UNKNOWN,  # a NameError by descent, but nothing that an import would mend
}
_BY_ERRNO = {
    **dict.fromkeys(("ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG"), IssueType.DISK),
    **dict.fromkeys(("EMFILE", "ENFILE"), IssueType.DESCRIPTOR_LEAK),
    "ENOMEM": IssueType.MEMORY,
    "ETIMEDOUT": IssueType.TIMEOUT,
    **dict.fromkeys(
        ("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "ENOTCONN"),
        IssueType.CONNECTION,
    ),
    **dict.fromkeys(("EACCES", "EPERM"), IssueType.CONFIG),
}
_BY_CODE = {
    **dict.fromkeys(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY"), IssueType.DISK),
    "SQLITE_NOMEM": IssueType.MEMORY,
}
# the nearest of a type's own name and its ancestors' that stands here decides; ccxt's and aiohttp's families among them
_BY_TYPE = {
    "SyntaxError": IssueType.SYNTAX,
    "ImportError": IssueType.IMPORT,
    "NameError": IssueType.IMPORT,
    "AttributeError": IssueType.ATTRIBUTE,
    "LookupError": IssueType.KEY,
    "MemoryError": IssueType.MEMORY,
    "DatabaseError": IssueType.DATABASE,
    "ConfigError": IssueType.CONFIG,
    "RateLimitExceeded": IssueType.RATE_LIMIT,
    "DDoSProtection": IssueType.RATE_LIMIT,
    "AuthenticationError": IssueType.AUTH,
    "PermissionDenied": IssueType.AUTH,
    "InvalidNonce": IssueType.CLOCK,
    "InsufficientFunds": IssueType.INSUFFICIENT_FUNDS,
    "InvalidOrder": IssueType.MINIMUM_SIZE,
    "RequestTimeout": IssueType.TIMEOUT,
    "TimeoutError": IssueType.TIMEOUT,
    "CancelledError": IssueType.TIMEOUT,
    "ConnectionError": IssueType.CONNECTION,
    "NetworkError": IssueType.CONNECTION,
    "ClientError": IssueType.CONNECTION,
    "gaierror": IssueType.CONNECTION,
    "SSLError": IssueType.CONNECTION,
}
_CAUSES: Mapping[IssueType, str] = {
    IssueType.IMPORT: "a module or a name isn't there: a damaged environment, or an import that was forgotten",
    IssueType.ATTRIBUTE: "our code, or a library of another version, expects what an object doesn't have",
    IssueType.KEY: "something expected wasn't in what was looked through: an answer of another shape, or a bug of ours",
    IssueType.CONNECTION: "the network or the venue is away, or cuts its lines",
    IssueType.TIMEOUT: "the venue or the network takes longer than it is given",
    IssueType.SYNTAX: "a source file is damaged, or of another Python",
    IssueType.CONFIG: "a setting or the rights of a file are wrong: a person has to change them",
    IssueType.RATE_LIMIT: "more was asked of the venue than it allows",
    IssueType.AUTH: "the key was withdrawn, has other rights, or may not be used from this address",
    IssueType.CLOCK: "the clock of this machine and the venue's differ",
    IssueType.INSUFFICIENT_FUNDS: "the account has less than the order needs: money was moved, or fees took it",
    IssueType.MINIMUM_SIZE: "the venue's rules for the symbol differ from those we know",
    IssueType.DISK: "the disk is full, can't be written, or fails",
    IssueType.DATABASE: "a database file is damaged, or used by another process",
    IssueType.MEMORY: "more memory is used than there may be: a leak, or too much at once",
    IssueType.DESCRIPTOR_LEAK: "files or connections are opened and not closed again",
    IssueType.HANG: "the process doesn't turn any more: it waits for something that doesn't come, or computes for ever",
    IssueType.CRASH: "it was killed from outside, by the kernel for want of memory, or a library brought it down",
    IssueType.UNKNOWN: "no table of ours knows it",
}
_SERIOUS = frozenset({IssueType.AUTH, IssueType.DATABASE, IssueType.DISK, IssueType.MEMORY, IssueType.DESCRIPTOR_LEAK})
_FATAL = frozenset({IssueType.HANG, IssueType.CRASH})


def classify(report: ErrorCount) -> IssueType:
    """The kind of trouble. Every report gets one."""
    told = _OURS.get(report.kind) or _declared(report.issue)
    if told is not None:
        return told
    context = report.context
    known = _BY_ERRNO.get(context.get("errno", "")) or _BY_CODE.get(_sqlite_family(context.get("code", "")))
    if known is not None:
        return known
    return next((_BY_TYPE[name] for name in (report.kind, *report.bases) if name in _BY_TYPE), IssueType.UNKNOWN)


def _declared(value: str) -> IssueType | None:
    try:
        return IssueType(value) if value else None
    except ValueError:
        return None  # of a later build, which knows more kinds


def _sqlite_family(code: str) -> str:
    """SQLITE_IOERR_FSYNC is one of SQLITE_IOERR's."""
    return "_".join(code.split("_")[:2])


def severity_of(kind: IssueType, in_window: int, ends_process: bool = False) -> Severity:
    """How bad: `in_window` times lately; `ends_process`: each time a process ended by it."""
    if not in_window:
        return Severity.NOTE
    if ends_process or kind in _FATAL:
        return Severity.CRITICAL if in_window >= CRITICAL_FROM else Severity.SERIOUS
    often = in_window / (ERROR_WINDOW_S / 60) > ERRORS_UNHEALTHY_PER_MINUTE
    return Severity.SERIOUS if kind in _SERIOUS or often else Severity.WARNING


def cause_of(kind: IssueType) -> str:
    """What it most likely comes from, in one sentence."""
    return _CAUSES[kind]
