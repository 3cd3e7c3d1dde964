"""Which agents run (OperationMode) and what an order means (TradeMode)."""

from enum import StrEnum


class OperationMode(StrEnum):
    """Which agents run."""

    SANDBOX = "sandbox"
    LIVE = "live"
    DUAL = "dual"


class TradeMode(StrEnum):
    """What happens to an order we decide on."""

    DRY_RUN = "dry_run"  # decide, send nothing
    PAPER = "paper"  # the embedded venue
    LIVE = "live"  # a real exchange


class Account(StrEnum):
    """A trading account. Each has one ledger, one lock, one key."""

    SANDBOX = "sandbox"
    LIVE = "live"
