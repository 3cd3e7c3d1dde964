"""The benchmark of the cycle: each one counted saw a bar of every symbol."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import cycle
from execution.research.strategies import STRATEGIES


def test_a_measured_cycle_has_seen_a_bar_of_every_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "WARM_UP", 0)
    symbols = cycle.symbols_of(3)
    armed, cycles = asyncio.run(cycle.measure(tmp_path, symbols, 1))
    assert armed == 3 * len(STRATEGIES)
    assert [row.fresh for row in cycles] == [3] and cycles[0].duration_ms > 0
    cycle.show(3, armed, cycles)
