"""nae.toml: read whole, checked whole, refused whole. Errors name the file, the key, the value, what would be right."""

import difflib
import os
import re
import reprlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from execution.vocabulary.exit_codes import ConfigError


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of nae.toml: an unknown key is an error, never ignored."""


class OperationConfig(Strict, frozen=True):
    """[operation]: how the processes are watched."""

    health_interval_s: float = 30.0
    hang_after_s: float = 1.0
    memory_max_mib: int = 1024
    standby: bool = True
    log_level: str = "INFO"


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
    minimum_order: Decimal = Decimal("2.00")
    profit_target: Decimal = Decimal("0.006")
    stop_loss: Decimal = Decimal("0.006")
    protective_gap: Decimal = Decimal("0.002")
    time_exit_bars: int = 45
    target_over_cost: Decimal = Decimal("1.5")
    spread_max: Decimal = Decimal("0.002")


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
    "venue.speed": Range(above=0, most=100_000),
    "venue.history_bars": Range(least=100, most=100_000),
    "venue.taker_fee": Range(least=0, most=0.1),
    "venue.maker_fee": Range(least=0, most=0.1),
    "venue.opening_balance": Range(above=0, most=1e15),
    "venue.port": Range(least=0, most=65_535),
    "venue.seed": Range(least=0),
    "trading.interval_s": Range(least=0.1, most=3600),
    "trading.position_share": Range(above=0, most=1),
    "trading.minimum_order": Range(above=0),
    "trading.profit_target": Range(above=0, most=1),
    "trading.stop_loss": Range(above=0, most=1),
    "trading.protective_gap": Range(least=0, most=0.5),
    "trading.time_exit_bars": Range(least=1),
    "trading.target_over_cost": Range(least=1),
    "trading.spread_max": Range(above=0, most=1),
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
    "trading.trade_mode": ("dry_run", "paper"),
}
MARKETS = '"synthetic", "replay:FILE" or "mirror:EXCHANGE"'
MARKET_FORM = re.compile(r"(replay|mirror):.")
ENVIRONMENT = {"NAE_MARKET": "market", "NAE_SPEED": "speed", "NAE_VOLUME_UNIT": "volume_unit"}


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read nae.toml (defaults when there is none) with what the environment says on top. Raises ConfigError."""
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(path.read_text(), parse_float=Decimal)
    except FileNotFoundError:
        pass  # every key has a default
    except (ValueError, ArithmeticError, RecursionError) as error:  # tomllib lets absurd numbers and nesting through
        raise ConfigError(f"{path}: not valid TOML: {str(error) or type(error).__name__}") from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    _check(raw, Config, str(path), "")
    config = msgspec.convert(raw, Config, strict=False)
    market = absolute_market(config.venue.market, path.parent)
    venue = _venue_from_environment(msgspec.structs.replace(config.venue, market=market), environment)
    operation = config.operation
    if environment.get("NAE_STANDBY"):
        standby = _on_or_off("NAE_STANDBY", environment["NAE_STANDBY"])
        operation = msgspec.structs.replace(operation, standby=standby)
    given = environment.get("NAE_HEALTH_INTERVAL")
    if given:
        _check_value(given, float, "environment variable NAE_HEALTH_INTERVAL", "operation.health_interval_s", False)
        operation = msgspec.structs.replace(operation, health_interval_s=float(given))
    return msgspec.structs.replace(config, venue=venue, operation=operation)


def _on_or_off(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise ConfigError(f"environment variable {name}: {_shown(value)} isn't known; it must be 0 or 1")
    return value == "1"


def absolute_market(market: str, folder: Path) -> str:
    """`replay:FILE` with FILE as seen from `folder`; any other market as it is."""
    file = market.removeprefix("replay:")
    return market if file in ("", market) else f"replay:{folder / file}"


def _venue_from_environment(venue: VenueConfig, environment: Mapping[str, str]) -> VenueConfig:
    given = {key: environment[name] for name, key in ENVIRONMENT.items() if environment.get(name)}
    return changed_venue(venue, given, {key: f"environment variable {name}" for name, key in ENVIRONMENT.items()})


def changed_venue(venue: VenueConfig, given: Mapping[str, Any], places: Mapping[str, str]) -> VenueConfig:
    """[venue] with some values changed; `places` says where each was given. Raises ConfigError."""
    for key, value in given.items():
        _check_value(value, get_type_hints(VenueConfig)[key], places[key], f"venue.{key}", False)
    return msgspec.convert(msgspec.structs.asdict(venue) | dict(given), VenueConfig, strict=False)


def _check(raw: dict[str, Any], section: type[Strict], place: str, prefix: str) -> None:
    types = get_type_hints(section)
    for key, value in raw.items():
        name = f"{prefix}{key}"
        if key not in types:
            close = difflib.get_close_matches(key, types, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known keys: {', '.join(sorted(types))}"
            raise ConfigError(f"{place}: unknown key {name} = {_shown(value)}; {hint}")
        kind = types[key]
        if isinstance(kind, type) and issubclass(kind, Strict):
            if not isinstance(value, dict):
                raise ConfigError(f"{place}: {name} = {_shown(value)} must be a section: write [{name}]")
            _check(value, kind, place, f"{name}.")
        else:
            _check_value(value, kind, place, name, True)


def _check_value(value: Any, kind: Any, place: str, name: str, strict: bool) -> None:
    shown = _shown(value)
    if strict and isinstance(value, bool) != (kind is bool):
        raise ConfigError(f"{place}: {name} = {shown} has the wrong type; it must be {_plain(kind)}")
    try:
        number = msgspec.convert(_widened(value, kind), kind, strict=strict and kind is not Decimal)
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise ConfigError(f"{place}: {name} = {shown} has the wrong type; it must be {_plain(kind)}") from error
    if name in RANGES:
        problem = "a finite number" if not Decimal(number).is_finite() else RANGES[name].problem(number)
        if problem:
            raise ConfigError(f"{place}: {name} = {shown} is out of range; it must be {problem}")
    if name == "venue.market" and value != "synthetic" and not MARKET_FORM.match(value):
        raise ConfigError(f"{place}: {name} = {shown} isn't known; it must be {MARKETS}")
    if name in CHOICES and value not in CHOICES[name]:
        raise ConfigError(f"{place}: {name} = {shown} isn't known; it must be one of {', '.join(CHOICES[name])}")


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else reprlib.repr(value)  # short, however long the value is


def _widened(value: Any, kind: Any) -> Any:
    """TOML floats arrive as Decimal; a whole number may stand where a fraction is asked for."""
    if kind is float and isinstance(value, Decimal | int):
        return float(value)
    if kind is Decimal and isinstance(value, int):
        return str(value)
    return value


def _plain(kind: Any) -> str:
    names = {
        int: "a whole number",
        float: "a number",
        Decimal: "a number",
        str: "text in quotes",
        bool: "true or false",
    }
    return names.get(kind, 'a list of texts, like ["BTC/USDT"]')
