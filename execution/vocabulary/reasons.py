"""Why a cycle didn't trade, and why a position was closed."""

from enum import StrEnum


class NoTradeReason(StrEnum):
    """Each cycle without an order names one of these, or `exception:<type>`."""

    EMPTY_UNIVERSE = "empty_universe"
    NO_CANDIDATES = "no_candidates_from_triggers"
    NO_PROPOSALS = "rules_engine_no_proposals"
    BLOCKED_BY_RISK = "all_proposals_blocked_by_risk"
    NO_ORDERS = "no_orders_after_execution_filter"
    WAITING_FOR_PRICE = "shots_waiting_for_their_price"
    STALE_DATA = "stale_market_data"
    NOT_RECONCILED = "account_not_reconciled"
    TRADING_PAUSED = "trading_paused"
    TRADING_HALTED = "trading_halted"
    REDUCE_ONLY = "trading_reduce_only"
    BUILDS_DIFFER = "builds_differ"
    NO_NEW_BAR = "no_new_bar"
    NO_CONDITIONS = "no_conditions_armed"
    DRY_RUN = "dry_run"
    LEDGER_FAILING = "ledger_failing"
    BREAKER_OPEN = "venue_orders_breaker_open"


class ExitReason(StrEnum):
    """Every exit says why. Listed by precedence: the first that holds is the reason."""

    EMERGENCY = "emergency"
    PROTECTIVE_STOP = "protective_stop"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    PROFIT_TARGET = "profit_target"
    REGIME_CHANGE = "regime_change"
    REALLOCATED = "reallocated"
    TIME_EXIT = "time_exit"


EXIT_RULES = {
    ExitReason.EMERGENCY: "a person, or a limit, ordered everything sold: at any price, whatever else holds",
    ExitReason.PROTECTIVE_STOP: "the stop order that stands at the venue was filled: nobody here sold in time",
    ExitReason.STOP_LOSS: "the price fell by stop_loss below what was paid",
    ExitReason.TRAILING_STOP: "the price had risen by trailing_start, and fell trailing_distance from its highest bar",
    ExitReason.PROFIT_TARGET: "the price reached what leaves profit_target after all costs",
    ExitReason.REGIME_CHANGE: "the market became one of exit_regimes, which it wasn't at the entry",
    ExitReason.REALLOCATED: "its money was wanted for a clearly better entry",
    ExitReason.TIME_EXIT: "so many bars have closed since the entry: time_exit_bars",
}


def exception_reason(error: BaseException) -> str:
    """The NO_TRADE reason of a cycle that raised."""
    return f"exception:{type(error).__name__}"
