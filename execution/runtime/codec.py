"""Bytes to messages and back. Decoding has hard limits first (msgpack), types second (msgspec)."""

import math
from typing import Any, cast

import msgpack
import msgspec

from execution.vocabulary.limits import MESSAGE_MAX_BYTES
from execution.vocabulary.messages import VERSION, AnyMessage

CONTAINER_MAX = 10_000
DEPTH_MAX = 12


class Garbage(ValueError):
    """A frame that is no message of ours. The text says why; the sender learns nothing."""


def encode(message: AnyMessage) -> bytes:
    """One message as msgpack; Decimals become text. Raises ValueError when it is too large to be taken."""
    data = msgspec.msgpack.encode(message)
    if len(data) > MESSAGE_MAX_BYTES:
        raise ValueError(f"{type(message).__name__} of {len(data)} bytes is over the limit of {MESSAGE_MAX_BYTES}")
    return data


def decode(data: bytes) -> AnyMessage:
    """The message in `data`, or Garbage: too large, too deep, not finite, unknown kind, field or version."""
    if len(data) > MESSAGE_MAX_BYTES:
        raise Garbage(f"{len(data)} bytes")
    try:
        raw = msgpack.unpackb(
            data,
            max_str_len=MESSAGE_MAX_BYTES,
            max_array_len=CONTAINER_MAX,
            max_map_len=CONTAINER_MAX,
            max_bin_len=0,
            max_ext_len=0,
        )
        _check([raw], DEPTH_MAX)
        message = cast(AnyMessage, msgspec.convert(raw, AnyMessage))
    except Garbage:
        raise
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise Garbage(f"{type(error).__name__}: {str(error)[:200]}") from error
    if message.version != VERSION:
        raise Garbage(f"version {message.version}, we speak {VERSION}")
    return message


def _check(value: Any, depth: int) -> None:
    """Every leaf is looked at where it is found: a call for each would cost more than all the rest of decode()."""
    if depth == 0:
        raise Garbage("nested too deep")
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is dict or kind is list:
            _check(item, depth - 1)
        elif kind is float and not math.isfinite(item):
            raise Garbage("a number that isn't finite")
