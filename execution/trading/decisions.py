"""The numbers behind each decision, as the audit trail keeps them: what was seen, beside what was asked for. With them
`nae why` tells later, from the trail alone, why something was bought, sold or left. Pure; amounts are text."""

from collections.abc import Mapping
from typing import Any

from execution.runtime.clock import iso
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.signal_generation import SHOWN, Proposal, target_numbers
from execution.trading.sell_coordinator import Decision
from execution.vocabulary.money import text
from execution.vocabulary.orders import OrderRequest


def entry(request: OrderRequest, proposal: Proposal, sized: Mapping[str, Any], config: TradingConfig) -> dict[str, Any]:
    """A purchase about to be offered to the gateway: signal, condition, what it was weighed against, its size."""
    condition, listing = proposal.condition, proposal.listing
    quote = listing.quote
    return {
        "side": request.side.value,
        "symbol": request.symbol,
        "quantity": text(request.quantity),
        "signal": {
            "strategy": condition.strategy,
            "bar": iso(proposal.bar_ms),
            "bar_ms": proposal.bar_ms,
            "strength": round(proposal.strength, SHOWN),
        },
        "condition": {
            "id": condition.id,
            "regime": condition.regime,
            "score": round(condition.score, SHOWN),
            "params": condition.params,
            "since": iso(condition.created_bar_ms),
            "ttl_bars": condition.ttl_bars,
        },
        "weighed": {
            "bid": text(quote.bid),
            "ask": text(quote.ask),
            "spread": text(round(quote.spread_share, SHOWN)),
            "spread_max": text(config.spread_max),
            "regime_now": listing.regime.value,
            "rank": round(proposal.rank, SHOWN),
            **target_numbers(proposal.cost, config, condition.strategy),
        },
        "sized": dict(sized),
    }


def leaving(decision: Decision, request: OrderRequest) -> dict[str, Any]:
    """A sale about to be offered to the gateway: why, and the prices it was decided at."""
    return {
        "side": request.side.value,
        "symbol": request.symbol,
        "quantity": text(request.quantity),
        "reason": decision.reason.value,
        "exit": decision.numbers,
    }


def cause_of(request: OrderRequest) -> str:
    """What led to a sale: the signal that its position came from. (A purchase's cause is its condition.)"""
    return f"{request.strategy}@{request.signal_bar_ms}"
