"""What every test may use: waiting without sleeping blindly."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], within_s: float = 10.0, every_s: float = 0.02) -> T:
    """Call `probe` until it returns something true; its last value, or AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        time.sleep(every_s)
