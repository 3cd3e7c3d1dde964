"""RiskManagementAssistant: how much to buy, and whether at all.

Pure: proposals and a portfolio in, approved requests and refusals out. It only ever makes an order smaller than the
usual one (sizing.py says by how much). The limits that bind are checked once more inside the gateway; this is where a
proposal learns early that it has no chance.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from execution.runtime.settings import RiskConfig, TradingConfig
from execution.trading.assistants.signal_generation import Proposal
from execution.trading.portfolio import Portfolio, is_dust
from execution.trading.sizing import (
    ONE,
    PRICE_RESERVE,
    NoRecord,
    Record,
    Shares,
    numbers,
    shares,
    smallest_order,
    value_of,
)
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.money import ZERO, floor_to_step, text
from execution.vocabulary.orders import OrderRequest, OrderType, Purpose, Side

SHOWN = 8  # decimals of what is told


class Sized(msgspec.Struct, frozen=True):
    """A decision to buy `quantity`, or the reason not to."""

    quantity: Decimal
    refusal: str = ""


REFUSALS = {  # by the share that is nothing
    "record": "no_edge_in_its_trades",
    "research": "unprofitable_in_research",
    "volatility": "too_volatile",
    "tier": "tier_without_entries",
    "regime": "regime_without_entries",
    "healing": "held_back_by_healing",
}


class Room(msgspec.Struct, frozen=True):
    """What is left to spend, in the quote currency, and how many positions may still be opened."""

    equity: Decimal
    free: Decimal
    exposure: Decimal
    positions: int

    def after(self, value: Decimal) -> "Room":
        """What is left once `value` more is bought."""
        return Room(self.equity, self.free - value, self.exposure - value, self.positions - 1)


class Assessment(msgspec.Struct, frozen=True):
    """Orders to send, and why each other proposal isn't one; `numbers`: what each was sized by. By condition id."""

    approved: list[OrderRequest]
    refused: dict[str, str]
    numbers: dict[str, dict[str, Any]] = {}


def usual_value(equity: Decimal, config: TradingConfig, limits: RiskConfig) -> Decimal:
    """What a full-size order is worth now, in the quote currency."""
    return min(equity * config.position_share, limits.order_value_max, limits.position_value_max)


def size(
    proposal: Proposal, room: Room, config: TradingConfig, limits: RiskConfig, found: Shares, *, learned: Decimal = ZERO
) -> Sized:
    """How much of a proposal to take: never more than any limit, always whole lots, never so little that it can't be
    sold again at the stop. `learned`: the least value that the venue has taken on this symbol, when that is known."""
    if found.all <= 0:
        return Sized(ZERO, REFUSALS[found.smallest])
    if room.positions <= 0:
        return Sized(ZERO, "open_positions_max")
    rules, price = proposal.listing.rules, proposal.listing.quote.ask
    usual = usual_value(room.equity, config, limits)
    value = value_of(usual, found, smallest_order(rules, price, config, learned))
    value = min(value, room.free / (1 + PRICE_RESERVE), room.exposure)
    quantity = floor_to_step(value / price, rules.lot_step) if value > 0 else ZERO
    least = max(config.minimum_order, rules.notional_min, learned)
    if quantity * price < least or quantity < rules.lot_min:
        return Sized(ZERO, _smallness(room, config, price * max(rules.lot_min, rules.lot_step)))
    left = floor_to_step(quantity * (1 - rules.taker_fee), rules.lot_step)
    if is_dust(left, price * (1 - config.stop_loss) * (1 - PRICE_RESERVE), rules):
        return Sized(ZERO, "too_small_to_sell_again")
    return Sized(quantity)


def _smallness(room: Room, config: TradingConfig, least_lot: Decimal) -> str:
    """What exactly made an order too small."""
    least = max(config.minimum_order, least_lot)
    if room.free < least:
        return "free_balance"
    return "exposure_max" if room.exposure < least else "minimum_order"


def _numbers(proposal: Proposal, sized: Sized, room: Room, config: TradingConfig, limits: RiskConfig) -> dict[str, Any]:
    return {
        "symbol": proposal.symbol,
        "price": text(proposal.listing.quote.ask),
        "quantity": text(sized.quantity),
        "value": text(round(sized.quantity * proposal.listing.quote.ask, SHOWN)),
        "usual_value": text(round(usual_value(room.equity, config, limits), SHOWN)),
        "equity": text(round(room.equity, SHOWN)),
        "free": text(round(room.free, SHOWN)),
        "exposure_left": text(round(room.exposure, SHOWN)),
        "positions_left": room.positions,
        "score": round(proposal.condition.score, SHOWN),
        "exploratory": proposal.condition.score <= 0,
    }


class RiskManagementAssistant:
    """Sizes proposals against what the account may still take. `explore=False` refuses what research found
    unprofitable; real money always trades so. `record`: what a strategy's trades came to; `minimum`: the least value
    that the venue was seen to take on a symbol; `restraint`: the share of the usual size that healing leaves."""

    def __init__(
        self,
        config: TradingConfig,
        limits: RiskConfig,
        explore: bool,
        record: Callable[[str], Record] = lambda strategy: NoRecord(),
        minimum: Callable[[str], Decimal] = lambda symbol: ZERO,
        *,
        restraint: Callable[[], Decimal] = lambda: ONE,
    ) -> None:
        self._config = config
        self._limits = limits
        self._explore = explore
        self._record = record
        self._minimum = minimum
        self._restraint = restraint
        self._approved = 0
        self._refused: dict[str, int] = {}

    def assess(self, proposals: Iterable[Proposal], portfolio: Portfolio, correlation_id: str) -> Assessment:
        """Best proposal first; each approved one leaves less room for the next."""
        room = self.room(portfolio)
        approved: list[OrderRequest] = []
        refused: dict[str, str] = {}
        told: dict[str, dict[str, Any]] = {}
        for proposal in proposals:
            sized, told[proposal.condition.id] = self._sized(proposal, room)
            if sized.refusal:
                refused[proposal.condition.id] = sized.refusal
                self._refused[sized.refusal] = self._refused.get(sized.refusal, 0) + 1
                continue
            request = request_of(proposal, sized.quantity, correlation_id)
            approved.append(request)
            room = room.after(request.value * (1 + PRICE_RESERVE))
        self._approved += len(approved)
        return Assessment(approved, refused, told)

    def _sized(self, proposal: Proposal, room: Room) -> tuple[Sized, dict[str, Any]]:
        """One proposal's size, and all that it was decided by."""
        condition, listing = proposal.condition, proposal.listing
        record, learned = self._record(condition.strategy), self._minimum(proposal.symbol)
        found = shares(listing, condition.score, record, self._config, self._explore, healing=self._restraint())
        sized = size(proposal, room, self._config, self._limits, found, learned=learned)
        least = max(self._config.minimum_order, listing.rules.notional_min, learned)
        told = _numbers(proposal, sized, room, self._config, self._limits) | {"minimum_order": text(least)}
        return sized, told | numbers(found, record, listing)

    def room(self, portfolio: Portfolio) -> Room:
        """What the limits and the money leave now."""
        return Room(
            equity=portfolio.tradable,
            free=portfolio.free,
            exposure=self._limits.exposure_max - portfolio.exposure,
            positions=self._limits.open_positions_max - portfolio.open_positions,
        )

    def order_value(self, portfolio: Portfolio) -> Decimal:
        """What a full-size order is worth now, in the quote currency."""
        return usual_value(portfolio.tradable, self._config, self._limits)

    def get_health(self) -> ComponentHealth:
        """Always healthy: it is a calculation. The counts say what it did."""
        return ComponentHealth(
            status=ComponentStatus.HEALTHY,
            metrics={"approved": self._approved, "refused": dict(self._refused), "explore": self._explore},
        )


def request_of(proposal: Proposal, quantity: Decimal, correlation_id: str) -> OrderRequest:
    """The order that carries a sized proposal out."""
    return OrderRequest(
        symbol=proposal.symbol,
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=quantity,
        reference_price=proposal.listing.quote.ask,
        purpose=Purpose.ENTRY,
        strategy=proposal.condition.strategy,
        reason=f"{proposal.condition.strategy} in {proposal.condition.regime}, score {proposal.condition.score:.3g}",
        signal_bar_ms=proposal.bar_ms,
        correlation_id=correlation_id,
    )
