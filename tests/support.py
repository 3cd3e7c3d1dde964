"""What every test may use: waiting without sleeping blindly, and real child processes."""

import asyncio
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from execution.runtime.pulse import LastPulse, PulseReader

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]


def eventually(probe: Callable[[], T], within_s: float = 10.0, every_s: float = 0.02) -> T:
    """Call `probe` until it returns something true; its last value, or AssertionError after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        value = probe()
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        time.sleep(every_s)


async def eventually_async(probe: Callable[[], Any], within_s: float = 10.0, every_s: float = 0.01) -> Any:
    """The same inside a running loop; `probe` may be a coroutine function."""
    deadline = time.monotonic() + within_s
    while True:
        value = probe()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        await asyncio.sleep(every_s)


@contextmanager
def child(code: str, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python child that runs `code`, with pipes; killed and reaped at the end, whatever happened."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a child prints; '' when it has ended without one."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def is_running(pid: int) -> bool:
    """Is there a process with this id that isn't a zombie?"""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def rounds(fewest: int = 2) -> int:
    """How often a fault is tried: a few times as a rule; NAE_ROUNDS=20 is the full count."""
    return max(1, int(os.environ.get("NAE_ROUNDS", fewest)))


def read_pulse(path: Path) -> LastPulse | None:
    """One look at the pulse in `path`."""
    reader = PulseReader(path)
    try:
        return reader.read()
    finally:
        reader.anew()
