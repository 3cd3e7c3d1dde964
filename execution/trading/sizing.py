"""How much of the usual size an entry gets: the smallest of what its record, its volatility, its tier and its regime
allow. Pure; every share lies between 0 and 1, so that no size is ever above the usual one, which the caps bound.

What isn't known counts as bad: no history, no volatility or a number that isn't one gives the least share, never more.
"""

import math
from decimal import ROUND_DOWN, Decimal
from typing import Any, Protocol

import msgspec

from execution.research.regime import SIZE_SHARES
from execution.runtime.settings import TradingConfig
from execution.trading.assistants.data_analysis import Listing
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.money import ZERO, ceil_to_step, text

ONE = Decimal(1)
LEAST = Decimal("0.25")  # of the usual size: for what isn't proven, and for what research found unprofitable so far
PRICE_RESERVE = Decimal("0.005")  # a market order may fill this much dearer than the quote
PRIOR_TRADES = 20  # trades without an edge that every record is mixed with: a few good ones convince nobody
DEVIATIONS = 1.0  # the win rate counts as this many standard errors worse than it was seen
SHOWN = 6
STEP = Decimal("0.000001")  # shares are cut off here, never rounded up


class Record(Protocol):
    """What a strategy's closed trades came to. The means are shares of the money put in, both positive."""

    @property
    def trades(self) -> int:
        """How many were closed."""
        ...

    @property
    def wins(self) -> int:
        """How many of them won."""
        ...

    @property
    def mean_win(self) -> float:
        """What a winner brought."""
        ...

    @property
    def mean_loss(self) -> float:
        """What a loser cost."""
        ...


class NoRecord(msgspec.Struct, frozen=True):
    """Nothing was closed yet."""

    trades: int = 0
    wins: int = 0
    mean_win: float = 0.0
    mean_loss: float = 0.0


class Shares(msgspec.Struct, frozen=True):
    """What each side allows of the usual size. `record` and `research` are about evidence, the others about risk;
    `healing` comes on top of all, or it would do nothing where orders are small already."""

    record: Decimal = ONE
    research: Decimal = ONE
    volatility: Decimal = ONE
    tier: Decimal = ONE
    regime: Decimal = ONE
    healing: Decimal = ONE

    @property
    def risk(self) -> Decimal:
        """The most that the market's own dangers, and faults that are being healed, allow."""
        return min(self.volatility, self.tier, self.regime) * self.healing

    @property
    def all(self) -> Decimal:
        """The smallest; of that again, what healing leaves."""
        return min(self.record * self.healing, self.research * self.healing, self.risk)

    @property
    def smallest(self) -> str:
        """Which one that is; "" when nothing makes the order smaller."""
        pairs = {name: getattr(self, name) for name in self.__struct_fields__}
        return "" if self.all >= ONE else min(pairs, key=lambda name: pairs[name])


def shares(
    listing: Listing, score: float, record: Record, config: TradingConfig, explore: bool, *, healing: Decimal = ONE
) -> Shares:
    """For one entry. `explore`: the account goes on trying, with the least share, what loses. `healing`: the share that
    it leaves; no number above 1 counts."""
    floor = ZERO if hopeless(record) and not explore else LEAST
    return Shares(
        record=max(floor, _share(kelly(record, config))),
        research=ONE if score > 0.0 else LEAST if explore else ZERO,
        volatility=volatility_share(listing.volatility, config),
        tier=listing.place.size_share,
        regime=SIZE_SHARES[listing.regime],
        healing=min(ONE, healing),
    )


def kelly(record: Record, config: TradingConfig) -> float:
    """`kelly_fraction` of Kelly's stake, as a share of the usual position, between 0 and 1; 0 without an edge.

    The record is mixed with trades that have no edge (PRIOR_TRADES), and its win rate counts as worse than it was seen,
    by what luck explains (DEVIATIONS): full size needs many trades, or very good ones.
    """
    win = record.mean_win if record.wins > 0 else float(config.profit_target)
    loss = record.mean_loss if record.trades > record.wins else float(config.stop_loss)
    sound = math.isfinite(win) and math.isfinite(loss) and win > 0.0 and loss > 0.0
    if not sound or not 0 <= record.wins <= record.trades or record.trades == 0:
        return 0.0
    even = loss / (win + loss)  # the win rate that brings nothing
    trades = record.trades + PRIOR_TRADES
    rate = (record.wins + PRIOR_TRADES * even) / trades
    rate -= DEVIATIONS * math.sqrt(rate * (1.0 - rate) / trades)
    stake = rate / loss - (1.0 - rate) / win  # of the whole account, in one position
    share = stake * float(config.kelly_fraction) / float(config.position_share)
    return max(0.0, min(1.0, share)) if math.isfinite(share) else 0.0


def hopeless(record: Record) -> bool:
    """Have enough trades been seen, and did they bring nothing?"""
    lost = record.trades - record.wins
    return record.trades >= PRIOR_TRADES and not record.wins * record.mean_win > lost * record.mean_loss


def volatility_share(volatility: float, config: TradingConfig) -> Decimal:
    """1 up to the target; beyond it so much less that a usual bar moves no more money. Unknown: the least."""
    if not math.isfinite(volatility) or volatility <= 0.0:
        return LEAST
    return _share(float(config.volatility_target) / volatility)


def value_of(usual: Decimal, found: Shares, smallest: Decimal) -> Decimal:
    """What to buy for. A lack of evidence makes no order too small to be placed where risk allows one (`smallest`):
    otherwise a small account could never prove anything. Nothing at all stays nothing."""
    if found.all <= 0:
        return ZERO
    return max(usual * found.all, min(usual * found.risk, smallest))


def smallest_order(rules: SymbolRules, price: Decimal, config: TradingConfig, learned: Decimal) -> Decimal:
    """The least value that can be bought and, less the fee, sold again at the stop."""
    least = max(config.minimum_order, rules.notional_min, learned)
    at_the_stop = rules.notional_min / ((1 - config.stop_loss) * (1 - PRICE_RESERVE) * (1 - rules.taker_fee))
    lots = ceil_to_step(max(least, at_the_stop) / price, rules.lot_step) + rules.lot_step
    return max(lots, rules.lot_min + rules.lot_step) * price


def numbers(found: Shares, record: Record, listing: Listing) -> dict[str, Any]:
    """For the audit trail."""
    return {
        "shares": {name: text(getattr(found, name)) for name in found.__struct_fields__},
        "share": text(found.all),
        "smallest": found.smallest,
        "record": {"trades": record.trades, "wins": record.wins}
        | {"mean_win": _shown(record.mean_win), "mean_loss": _shown(record.mean_loss)},
        "volatility": _shown(listing.volatility),
        "tier": listing.place.tier.value,
        "tier_because": listing.place.because,
    }


def _shown(value: float) -> float | None:
    return round(value, SHOWN) if math.isfinite(value) else None


def _share(value: float) -> Decimal:
    """A share as a decimal, between 0 and 1, cut off and never rounded up. What isn't a number is 0."""
    if not math.isfinite(value) or value <= 0.0:
        return ZERO
    return min(ONE, Decimal(repr(min(value, 1.0))).quantize(STEP, ROUND_DOWN))
