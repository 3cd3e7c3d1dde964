"""Every key of nae.toml: its section, its type, its default, and the bounds it must lie between. Data only: config.py
reads and checks the file.
"""

from decimal import Decimal

import msgspec

from execution.vocabulary.limits import REQUEST_TIMEOUT_MOST_S, REQUEST_TIMEOUT_S


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of nae.toml: an unknown key is an error, never ignored."""


class OperationConfig(Strict, frozen=True):
    """[operation]: how the processes are watched."""

    health_interval_s: float = 30.0
    hang_after_s: float = 1.0
    memory_max_mib: int = 1024
    standby: bool = True
    log_level: str = "INFO"
    request_timeout_s: float = REQUEST_TIMEOUT_S


class VenueConfig(Strict, frozen=True):
    """[venue]: the embedded exchange."""

    market: str = "synthetic"
    speed: float = 60.0
    seed: int = 7
    symbols: tuple[str, ...] = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
    listed_later: tuple[str, ...] = ()
    volume_unit: str = "base"
    replay_symbol: str = ""
    history_bars: int = 1000
    taker_fee: Decimal = Decimal("0.001")
    maker_fee: Decimal = Decimal("0.001")
    opening_balance: Decimal = Decimal("10000")
    port: int = 0
    drills: bool = False
    legacy_listen_key: bool = False


class TradingConfig(Strict, frozen=True):
    """[trading]: what the traders look for, on both accounts."""

    interval_s: float = 5.0
    timeframe: str = "1m"
    quote: str = "USDT"
    symbols: tuple[str, ...] = ()
    trade_mode: str = "paper"
    position_share: Decimal = Decimal("0.05")
    kelly_fraction: Decimal = Decimal("0.25")
    volatility_target: Decimal = Decimal("0.005")
    minimum_order: Decimal = Decimal("2.00")
    reallocate: bool = False
    reallocate_margin: Decimal = Decimal("1.0")
    reallocate_after_bars: int = 10
    reallocations_per_hour: int = 4
    reinvest: str = "compound"
    harvest_share: Decimal = Decimal("0.5")
    convert: bool = False
    convert_keep: tuple[str, ...] = ("BNB",)
    profit_target: Decimal = Decimal("0.006")
    stop_loss: Decimal = Decimal("0.006")
    protective_gap: Decimal = Decimal("0.002")
    time_exit_bars: int = 45
    trailing_start: Decimal = Decimal("0.006")
    trailing_distance: Decimal = Decimal("0.003")
    exit_regimes: tuple[str, ...] = ("trend_down", "crash")
    target_over_cost: Decimal = Decimal("1.5")
    spread_max: Decimal = Decimal("0.002")


class UniverseConfig(Strict, frozen=True):
    """[universe]: which symbols may be entered, and with how much of the usual size."""

    day_value_min: Decimal = Decimal(0)
    age_min_bars: int = 30
    tier1_order_share: Decimal = Decimal("0.05")
    tier2_order_share: Decimal = Decimal("0.25")
    tier1_spread: Decimal = Decimal("0.0005")
    tier2_spread: Decimal = Decimal("0.001")
    tier1_bars: int = 120
    tier2_bars: int = 60
    tier2_size: Decimal = Decimal("0.5")
    tier3_size: Decimal = Decimal("0.25")


class RiskConfig(Strict, frozen=True):
    """[risk]: limits in the gateway's path. Money in the quote currency."""

    order_value_max: Decimal = Decimal("1000")
    position_value_max: Decimal = Decimal("1500")
    exposure_max: Decimal = Decimal("5000")
    open_positions_max: int = 8
    orders_per_minute_max: int = 60
    repeated_orders_max: int = 5
    price_collar: Decimal = Decimal("0.02")
    daily_loss_max: Decimal = Decimal("0.05")
    weekly_loss_max: Decimal = Decimal("0.10")
    drawdown_max: Decimal = Decimal("0.20")
    losses_in_row_max: int = 5
    cooldown_s: float = 300.0


class LiveConfig(Strict, frozen=True):
    """[live]: real money needs all of this, keys, and a person's `nae arm`."""

    exchange: str = ""
    real_money: bool = False


class Config(Strict, frozen=True):
    """The whole of nae.toml."""

    operation: OperationConfig = OperationConfig()
    venue: VenueConfig = VenueConfig()
    trading: TradingConfig = TradingConfig()
    universe: UniverseConfig = UniverseConfig()
    risk: RiskConfig = RiskConfig()
    live: LiveConfig = LiveConfig()


class Range(msgspec.Struct, frozen=True):
    """Where a number must lie; `above` excludes the bound itself."""

    least: float | None = None
    above: float | None = None
    most: float | None = None

    def problem(self, value: Decimal | float | int) -> str | None:
        """What would be right, when `value` isn't."""
        low = (self.above is not None and not value > self.above) or (
            self.least is not None and not value >= self.least
        )
        high = self.most is not None and not value <= self.most
        if not low and not high:
            return None
        start = f"more than {self.above:g}" if self.above is not None else f"at least {self.least or 0:g}"
        return f"a number of {start}" + (f" and at most {self.most:g}" if self.most is not None else "")


RANGES = {
    "operation.health_interval_s": Range(least=1, most=3600),
    "operation.memory_max_mib": Range(least=64, most=1_000_000),
    "operation.hang_after_s": Range(least=0.05, most=60),
    "operation.request_timeout_s": Range(least=0.2, most=REQUEST_TIMEOUT_MOST_S),
    "venue.speed": Range(above=0, most=100_000),
    "venue.history_bars": Range(least=100, most=100_000),
    "venue.taker_fee": Range(least=0, most=0.1),
    "venue.maker_fee": Range(least=0, most=0.1),
    "venue.opening_balance": Range(above=0, most=1e15),
    "venue.port": Range(least=0, most=65_535),
    "venue.seed": Range(least=0),
    "trading.interval_s": Range(least=0.1, most=3600),
    "trading.position_share": Range(above=0, most=1),
    "trading.kelly_fraction": Range(above=0, most=1),
    "trading.volatility_target": Range(above=0, most=1),
    "trading.minimum_order": Range(above=0),
    "trading.reallocate_margin": Range(least=0),
    "trading.reallocate_after_bars": Range(least=0),
    "trading.reallocations_per_hour": Range(least=1),
    "trading.harvest_share": Range(above=0, most=1),
    "trading.profit_target": Range(above=0, most=1),
    "trading.stop_loss": Range(above=0, most=1),
    "trading.protective_gap": Range(least=0, most=0.5),
    "trading.time_exit_bars": Range(least=1),
    "trading.trailing_start": Range(least=0, most=1),
    "trading.trailing_distance": Range(least=0, most=0.5),
    "trading.target_over_cost": Range(least=1),
    "trading.spread_max": Range(above=0, most=1),
    "universe.day_value_min": Range(least=0),
    "universe.age_min_bars": Range(least=0, most=600),
    "universe.tier1_order_share": Range(above=0, most=1),
    "universe.tier2_order_share": Range(above=0, most=1),
    "universe.tier1_spread": Range(least=0, most=1),
    "universe.tier2_spread": Range(least=0, most=1),
    "universe.tier1_bars": Range(least=0, most=600),
    "universe.tier2_bars": Range(least=0, most=600),
    "universe.tier2_size": Range(above=0, most=1),
    "universe.tier3_size": Range(above=0, most=1),
    "risk.order_value_max": Range(above=0),
    "risk.position_value_max": Range(above=0),
    "risk.exposure_max": Range(above=0),
    "risk.open_positions_max": Range(least=1),
    "risk.orders_per_minute_max": Range(least=1),
    "risk.repeated_orders_max": Range(least=1),
    "risk.price_collar": Range(above=0, most=1),
    "risk.daily_loss_max": Range(above=0, most=1),
    "risk.weekly_loss_max": Range(above=0, most=1),
    "risk.drawdown_max": Range(above=0, most=1),
    "risk.losses_in_row_max": Range(least=1),
    "risk.cooldown_s": Range(least=0, most=604_800),
}
CHOICES = {
    "operation.log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "venue.volume_unit": ("base", "quote"),
    "trading.timeframe": ("1m", "3m", "5m", "15m", "30m", "1h"),
    "trading.reinvest": ("compound", "harvest"),
    "trading.trade_mode": ("dry_run", "paper"),
    "trading.exit_regimes": ("volatile", "trend_down", "crash"),  # of a list: each of its texts
}
