"""The benchmark from a tick to an order: each of those compared acts on the tick that was sent to it."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import tick_to_order
from benchmarks.order_path import watched_wire


def test_each_of_those_compared_acts_on_its_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_to_order, "WARM_UP", 0)
    with watched_wire() as wire:
        times = asyncio.run(tick_to_order.measure(tmp_path, rounds=1, wire=wire))
    assert {name: len(values) for name, values in times.items()} == dict.fromkeys(times, 1)
    assert all(0 < values[0] < tick_to_order.WITHIN_S for values in times.values())
    assert times["commit"][0] < times["ours"][0]
    tick_to_order.show({name: values * 2 for name, values in times.items()})
