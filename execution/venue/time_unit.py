"""Times in microseconds, for who asks for them (the header X-MBX-TIME-UNIT; timeUnit in a socket's address). Things
happen here at whole milliseconds: the last three digits are zeros. Pure."""

import orjson

from execution.venue import errors

UNITS = {"MICROSECOND": True, "microsecond": True, "MILLISECOND": False, "millisecond": False}
TIMES_MS = range(1_000_000_000_000, 4_000_000_000_000)  # 2001 to 2096; no id and no count here is that large


def wants_microseconds(unit: str | None) -> bool:
    """Does a request ask for them? Raises -1194 for any other word."""
    if unit is None:
        return False
    if unit not in UNITS:
        raise errors.ApiError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    return UNITS[unit]


def in_microseconds(value: object) -> object:
    """A reply or an event with all its times in microseconds."""
    if isinstance(value, dict):
        return {name: in_microseconds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [in_microseconds(part) for part in value]
    if type(value) is int and value in TIMES_MS:
        return value * 1000
    return value


def message_in_microseconds(message: bytes) -> bytes:
    """The same for what is in bytes already; what isn't JSON (a fault may be anything) stays as it is."""
    try:
        return orjson.dumps(in_microseconds(orjson.loads(message)))
    except orjson.JSONDecodeError:
        return message
