"""The only module that reads the wall clock or sleeps. Wall time labels things; durations are monotonic."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time as an argument."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970 UTC. May jump; only for labels and for the exchange's timestamps."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards. For every duration."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Give way to others for at least `seconds`."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is told to move; sleeping moves it. For tests and simulations."""

    def __init__(self, now_ms: int = 1_700_000_000_000, monotonic: float = 1000.0) -> None:
        self._now_ms = now_ms
        self._monotonic = monotonic

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._monotonic += seconds
        self._now_ms += round(seconds * 1000)

    def step_wall(self, seconds: float) -> None:
        """Move the wall clock only, as an administrator or NTP would."""
        self._now_ms += round(seconds * 1000)


def block(seconds: float) -> None:
    """Sleep in a plain, synchronous program (the start command, a benchmark). Never inside a worker's loop."""
    time.sleep(seconds)


def iso(now_ms: int) -> str:
    """A UTC label such as 2026-11-21T08:15:00.123Z."""
    seconds, millis = divmod(now_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"


def file_stamp(now_ms: int) -> str:
    """The same as part of a file's name: 20261121T081500123Z."""
    return iso(now_ms).translate(str.maketrans("", "", "-:."))
