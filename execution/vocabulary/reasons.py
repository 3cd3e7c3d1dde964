"""Why a cycle didn't trade, and why a position was closed."""

from enum import StrEnum


class NoTradeReason(StrEnum):
    """Each cycle without an order names one of these, or `exception:<type>`."""

    EMPTY_UNIVERSE = "empty_universe"
    NO_CANDIDATES = "no_candidates_from_triggers"
    NO_PROPOSALS = "rules_engine_no_proposals"
    BLOCKED_BY_RISK = "all_proposals_blocked_by_risk"
    NO_ORDERS = "no_orders_after_execution_filter"
    STALE_DATA = "stale_market_data"
    NOT_RECONCILED = "account_not_reconciled"
    TRADING_PAUSED = "trading_paused"
    TRADING_HALTED = "trading_halted"
    REDUCE_ONLY = "trading_reduce_only"
    BUILDS_DIFFER = "builds_differ"
    NO_NEW_BAR = "no_new_bar"
    NO_CONDITIONS = "no_conditions_armed"
    DRY_RUN = "dry_run"


class ExitReason(StrEnum):
    """Every exit says why. Listed by precedence: the first that holds is the reason."""

    EMERGENCY = "emergency"
    STOP_LOSS = "stop_loss"
    PROFIT_TARGET = "profit_target"
    TIME_EXIT = "time_exit"


def exception_reason(error: BaseException) -> str:
    """The NO_TRADE reason of a cycle that raised."""
    return f"exception:{type(error).__name__}"
