"""nae.toml: read whole, checked whole, refused whole. Errors name the file, the key, the value, what would be right."""

import difflib
import logging
import os
import re
import reprlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from execution.runtime.adjustments import file_in, laid_over, read
from execution.runtime.settings import CHOICES, RANGES, Config, Strict, VenueConfig
from execution.vocabulary.exit_codes import ConfigError

log = logging.getLogger("nae.settings")
MARKETS = '"synthetic", "replay:FILE" or "mirror:EXCHANGE"'
MARKET_FORM = re.compile(r"synthetic$|(synthetic|replay|mirror):.")
ENVIRONMENT = {"NAE_MARKET": "market", "NAE_SPEED": "speed", "NAE_VOLUME_UNIT": "volume_unit"}


def load(path: Path, environment: Mapping[str, str] = os.environ, process: str = "") -> Config:
    """What a person has said (see `as_written`), and laid over it what the operation has adjusted by itself for
    `process`. Raises ConfigError."""
    rows, problem = read(file_in(path.parent / "data"))
    if problem:
        log.warning("%s; the last good ones hold", problem)
    return laid_over(as_written(path, environment), rows, process)


def as_written(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
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
    if name == "venue.market" and not MARKET_FORM.match(value):
        raise ConfigError(f"{place}: {name} = {shown} isn't known; it must be {MARKETS}")
    chosen = value if isinstance(value, list) else [value]
    if name in CHOICES and not all(one in CHOICES[name] for one in chosen):
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
