"""Is there any order at all that passes every limit, filter and balance? The very rules that judge real orders, asked
about the best order there could be on each symbol: everything sold, all money free, a signal that research found good.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from execution.exchange.risk_gate import RiskFacts, check
from execution.research.costs import Costs, round_trip_share
from execution.research.regime import Regime
from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.assistants.data_analysis import Listing
from execution.trading.assistants.risk_management import Room, request_of, size
from execution.trading.assistants.signal_generation import Proposal
from execution.trading.sizing import Shares
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.market import Condition, Quote, SymbolRules
from execution.vocabulary.money import ZERO

NAMED_MAX = 4


def obstacle(rules: SymbolRules, quote: Quote, equity: Decimal, config: TradingConfig, limits: RiskConfig) -> str:
    """The rule that kills even the best order on one symbol; "" when one would pass."""
    if quote.spread_share > config.spread_max:
        return f"a spread of {quote.spread_share:.2%}: trading.spread_max is {config.spread_max:.2%}"
    cost = round_trip_share(Costs.of(rules.taker_fee, quote.spread_share))
    least = Decimal(repr(cost)) * config.target_over_cost
    if config.profit_target <= least:
        return f"costs: trading.profit_target is {config.profit_target:.2%}, more than {least:.2%} would be right"
    condition = Condition("best", rules.symbol, "any", {}, "any", 1.0, 0, 1)
    proposal = Proposal(condition, Listing(rules.symbol, rules, quote, 0, Regime.RANGE), 0, 1.0, cost, 1.0)
    room = Room(equity, equity, limits.exposure_max, limits.open_positions_max)
    sized = size(proposal, room, config, limits, Shares())
    if sized.refusal:
        return f"its size: {sized.refusal} (equity {equity:.2f}, the venue's least order {rules.notional_min})"
    facts = RiskFacts(
        trading_state=TradingState.ACTIVE,
        state_reason="",
        reconciled=True,
        quote_mid=quote.mid,
        quote_age_s=0.0,
        rules=rules,
        held=ZERO,
        selling=ZERO,
        position_value=ZERO,
        exposure=ZERO,
        open_positions=0,
        symbol_is_open=False,
        unknown_on_symbol=False,
        orders_last_minute=0,
        signal_used=False,
    )
    return check(request_of(proposal, sized.quantity, ""), facts, limits) or ""


def infeasible(
    rules: Mapping[str, SymbolRules],
    quote: Callable[[str], Quote | None],
    equity: Decimal,
    config: TradingConfig,
    limits: RiskConfig,
) -> str | None:
    """Why no order could pass anywhere; "" when one could somewhere; None while no symbol has a quote to judge by."""
    found: dict[str, str] = {}
    for symbol in config.symbols or [name for name, row in rules.items() if row.quote == config.quote]:
        rule, quoted = rules.get(symbol), quote(symbol)
        if rule is None or quoted is None:
            continue
        found[symbol] = obstacle(rule, quoted, equity, config, limits)
        if not found[symbol]:
            return ""
    if not found:
        return None
    named = "; ".join(f"{symbol}: {why}" for symbol, why in list(found.items())[:NAMED_MAX])
    return f"no order can pass on any of {len(found)} symbols: {named}"


class Feasibility:
    """Keeps asking, and says it once when the answer changes. `record` writes an audit line, and a line in the log."""

    def __init__(self, config: TradingConfig, limits: RiskConfig, record: Callable[..., None]) -> None:
        self._config = config
        self._limits = limits
        self._record = record
        self.why_not = ""  # why no order could pass; "" when one could, or nobody knows yet

    def look(
        self, rules: Mapping[str, SymbolRules], quote: Callable[[str], Quote | None], equity: Callable[[], Decimal]
    ) -> None:
        """Ask anew; without a single quote the last answer stands."""
        found = infeasible(rules, quote, equity(), self._config, self._limits)
        if found is not None and found != self.why_not:
            if bool(found) is not bool(self.why_not):  # the numbers in it change all the time
                self._record("feasibility", feasible=not found, why=found)
            self.why_not = found
