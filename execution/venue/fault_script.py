"""Faults as text: a JSON list of rules, or one, from a file or from the control port. Every value is checked; what is
wrong is said by place, key and value. Pure but for reading the file."""

import difflib
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from execution.venue.fault_kinds import MEANINGS, Fault
from execution.venue.faults import RULES_MAX, Rule
from execution.venue.filters import decimals
from execution.venue.latency import Distribution
from execution.venue.symbols import E8_DIGITS
from execution.vocabulary.exit_codes import ConfigError

TEXT_MAX_BYTES = 256 * 1024
PATTERN_MAX = 200
KEYS = ("fault", "on", "times", "chance", "after_s", "for_s", "value", "distribution")


def read_script(path: Path) -> list[Rule]:
    """The rules of a fault script. Raises ConfigError naming file, rule and key."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    return parse_rules(text, str(path))


def parse_rules(text: bytes, place: str) -> list[Rule]:
    """The rules in a JSON text: a list, or one by itself. Raises ConfigError."""
    if len(text) > TEXT_MAX_BYTES:
        raise ConfigError(f"{place}: {len(text)} bytes; at most {TEXT_MAX_BYTES} would be right")
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{place}: not valid JSON: {error}") from error
    if not isinstance(raw, list):
        return [read_rule(raw, place)]
    if len(raw) > RULES_MAX:
        raise ConfigError(f"{place}: {len(raw)} rules; at most {RULES_MAX} would be right")
    return [read_rule(row, f"{place}: rule {number}") for number, row in enumerate(raw, 1)]


def read_rule(row: object, place: str) -> Rule:
    """One rule. Raises ConfigError."""
    if not isinstance(row, dict):
        raise ConfigError(f'{place} must be an object like {{"fault": "execute_504", "on": "POST /api/v3/order"}}')
    for key in row:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(KEYS)}"
            raise ConfigError(f"{place}: unknown key {key!r}; {hint}")
    fault = read_kind(row.get("fault"), place)
    times = row.get("times")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise _bad(place, "times", times, "a whole number of at least 1")
    return Rule(
        fault,
        _pattern(fault, row.get("on", "*"), place),
        times,
        _number(row, "chance", place, 0, 1) or 0.0 if "chance" in row else 1.0,
        _number(row, "after_s", place, 0, 1e6) or 0.0,
        _number(row, "for_s", place, 0, 1e6),
        _value(fault, row.get("value"), place),
        _distribution(fault, row.get("distribution"), place),
    )


def read_kind(name: object, place: str) -> Fault:
    """A kind by its name. Raises ConfigError."""
    if isinstance(name, str) and name in list(Fault):
        return Fault(name)
    close = difflib.get_close_matches(str(name), list(Fault), n=1)
    raise _bad(place, "fault", name, close[0] if close else f"one of {', '.join(Fault)}")


def as_row(rule: Rule) -> dict[str, Any]:
    """A rule as it would be written."""
    row = {name: getattr(rule, name) for name in KEYS}
    row["value"] = None if rule.value is None else str(rule.value)
    return {name: value for name, value in row.items() if value is not None}


def _pattern(fault: Fault, text: object, place: str) -> str:
    if fault is Fault.BALANCE and str(text).count("/") != 1:
        raise _bad(place, "on", text, "an account and an asset, like trader/USDT,")
    if not isinstance(text, str) or not 0 < len(text) <= PATTERN_MAX:
        raise _bad(place, "on", text, f"a text of 1 to {PATTERN_MAX} characters, * for any")
    return text


def _number(row: Mapping[str, object], name: str, place: str, least: float, most: float) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not math.isfinite(float(str(value))) or not least <= float(str(value)) <= most:
        raise _bad(place, name, value, f"a number from {least:g} to {most:g}")
    return float(str(value))


def _value(fault: Fault, value: object, place: str) -> Decimal | None:
    meaning = MEANINGS[fault]
    if value is None:
        if meaning.takes_value and meaning.usual is None:
            raise ConfigError(f"{place}: value is missing; {fault} needs the {meaning.unit}")
        return None
    if not meaning.takes_value:
        raise _bad(place, "value", value, f"none: {fault} takes no value")
    right = f"{meaning.unit} from {meaning.least:f} to {meaning.most:f}"
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 40:
        raise _bad(place, "value", value, right)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _bad(place, "value", value, right) from None
    if not number.is_finite() or not meaning.least <= number <= meaning.most:
        raise _bad(place, "value", value, right)
    if meaning.unit == "amount" and decimals(number) > E8_DIGITS:
        raise _bad(place, "value", value, f"an amount with at most {E8_DIGITS} decimals")
    return number


def _distribution(fault: Fault, name: object, place: str) -> Distribution | None:
    if name is None:
        return None
    if fault is not Fault.LATENCY:
        raise _bad(place, "distribution", name, f"none: {fault} takes no distribution")
    if isinstance(name, str) and name in list(Distribution):
        return Distribution(name)
    close = difflib.get_close_matches(str(name), list(Distribution), n=1)
    raise _bad(place, "distribution", name, close[0] if close else f"one of {', '.join(Distribution)}")


def _bad(place: str, key: str, value: object, right: str) -> ConfigError:
    return ConfigError(f"{place}: {key} = {str(value)[:80]!r}; {right} would be right")
