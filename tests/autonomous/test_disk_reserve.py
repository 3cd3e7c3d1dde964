"""Room for a sale on a full disk: taken while there is plenty, let go when there is none, taken again."""

import os
from pathlib import Path

import pytest

from execution.autonomous.disk_reserve import DiskReserve
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.platform import take_room
from execution.runtime.sqlite import DatabaseError
from tests.small_disk import fill, small_disk

__all__ = ["small_disk"]
KIB = 1024


def reserve_on(folder: Path) -> DiskReserve:
    return DiskReserve(folder, size_bytes=1024 * KIB, freed_below_bytes=256 * KIB, taken_above_bytes=1024 * KIB)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_file_takes_up_the_room_it_is_to_keep_on_either_platform(tmp_path: Path, platform: str) -> None:
    if platform == "linux" and not hasattr(os, "posix_fallocate"):
        pytest.skip("only Linux can promise room")
    path = tmp_path / "kept"
    with path.open("wb") as file:
        take_room(file.fileno(), 3 * 2**20, platform)
    assert path.stat().st_size == 3 * 2**20
    assert path.stat().st_blocks * 512 >= 3 * 2**20


def test_where_there_is_plenty_it_is_taken_once_and_stays(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path, size_bytes=64 * KIB)
    assert [reserve.look() for _ in range(3)] == [False] * 3
    assert reserve.path.stat().st_size == 64 * KIB
    assert reserve.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["disk_reserve"]


def test_a_folder_that_isnt_there_stops_nobody(tmp_path: Path) -> None:
    assert not reserve_on(tmp_path / "gone").look()


def test_on_a_full_disk_a_ledger_can_be_written_again_once_the_reserve_is_let_go(small_disk: Path) -> None:
    reserve = reserve_on(small_disk)
    ledger = Ledger(small_disk / "ledger.db", "sandbox", ManualClock())
    assert not reserve.look()
    fill(small_disk)
    with pytest.raises(DatabaseError):
        for number in range(200):
            ledger.save_runtime_state({"number": number, "text": "x" * 10_000})
    assert reserve.look()
    assert not reserve.path.exists()
    ledger.save_runtime_state({"number": 1, "text": "x" * 10_000})
    assert ledger.problem == ""
    assert not reserve.look(), "there is no room to take it again"
    ledger.close()
    (small_disk / "filling").unlink()
    assert not reserve.look()
    assert reserve.path.exists()
