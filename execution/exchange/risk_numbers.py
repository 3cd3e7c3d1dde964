"""The numbers that the risk gate looked at, as the audit trail keeps them: each beside the limit that it was held
against. Pure, and no judge: what may be sent is the gate's to say."""

import math

from execution.exchange.risk_gate import RiskFacts
from execution.runtime.settings import RiskConfig
from execution.vocabulary.limits import ENTRIES_OFF_AFTER_S
from execution.vocabulary.money import text
from execution.vocabulary.orders import OrderRequest, Purpose


def numbers(request: OrderRequest, facts: RiskFacts, limits: RiskConfig) -> dict[str, str | int | float | bool | None]:
    """What was true of this request at that moment; amounts as text."""
    seen: dict[str, str | int | float | bool | None] = {
        "trading_state": facts.trading_state.value,
        "order_value": text(request.value),
        "quote_mid": None if facts.quote_mid is None else text(facts.quote_mid),
        "quote_age_s": round(facts.quote_age_s, 3) if math.isfinite(facts.quote_age_s) else None,
    }
    if request.purpose is Purpose.LIQUIDATION:
        return seen | {"quantity": text(request.quantity), "held": text(facts.spendable), "selling": "0"}
    if request.purpose is Purpose.EXIT:
        return seen | {"quantity": text(request.quantity), "held": text(facts.held), "selling": text(facts.selling)}
    return seen | {
        "reconciled": facts.reconciled,
        "order_value_max": text(limits.order_value_max),
        "position_value": text(facts.position_value),
        "position_value_max": text(limits.position_value_max),
        "exposure": text(facts.exposure),
        "exposure_max": text(limits.exposure_max),
        "open_positions": facts.open_positions,
        "open_positions_max": limits.open_positions_max,
        "orders_last_minute": facts.orders_last_minute,
        "orders_per_minute_max": limits.orders_per_minute_max,
        "price_collar": text(limits.price_collar),
        "quote_age_max_s": ENTRIES_OFF_AFTER_S,
        "unknown_on_symbol": facts.unknown_on_symbol,
        "signal_used": facts.signal_used,
        "same_last_minute": facts.same_last_minute,
        "repeated_orders_max": limits.repeated_orders_max,
        "loss_reached": facts.loss_reached,
        "losses_in_row": facts.losses_in_row,
        "losses_in_row_max": limits.losses_in_row_max,
    }
