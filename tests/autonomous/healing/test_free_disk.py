"""A full disk: room is made with rotated logs and with nothing that can't be had again; the revert restores all."""

import asyncio
import gzip
import hashlib
import logging
import os
import shutil
from pathlib import Path
from random import Random

import pytest

from execution.autonomous.healing.remedies.free_disk import FREE_DISK
from execution.autonomous.healing.remedy import CannotHeal
from execution.runtime.clock import ManualClock
from execution.runtime.home import Home
from execution.runtime.logs import CopyTruncateHandler
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.family_hands import issue_of
from tests.autonomous.healing.idle_hands import QuietHands
from tests.small_disk import fill, small_disk

__all__ = ["small_disk"]
ISSUE = issue_of(IssueType.DISK, "continuous_operation")
KEPT = ("data/live/ledger.db", "data/live/backups/ledger-1.db", "logs/audit/live_optimus.jsonl.1", "data/live/api.key")
LATER_MS = 4_000_000_000_000  # all that is there has settled


def picture(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file with its content, its time and its mode."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def lines_of(size: int, seed: int) -> bytes:
    """As a log has them: the same words, other numbers."""
    random, lines, length = Random(seed), [], 0
    while length < size:
        line = (
            f"2026-11-22T02:00:00.{random.randrange(1000):03}Z INFO    nae.trading: cycle took={random.random():.6f}\n"
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:size]


def furnish(root: Path, size: int = 200_000) -> Home:
    """A home with logs of all ages, and all that must never be touched."""
    home = Home(root)
    for name in KEPT:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(lines_of(1000, 1))
    for process in ("live_optimus", "ralph"):
        home.log_file(process).write_bytes(lines_of(1000, 2))
        for number in (1, 2):
            path = home.logs / f"{process}.log.{number}"
            path.write_bytes(lines_of(size, number))
            path.chmod(0o600)
            os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    for name in ("strange.log.1", "ralph.log.12", "ralph.log.old", "supervisord.log.1"):
        (home.logs / name).write_bytes(lines_of(1000, 3))
    (home.logs / "venue.log.1").symlink_to(root / KEPT[0])
    return home


def test_rotated_logs_shrink_nothing_else_is_touched_and_the_revert_restores_every_byte(tmp_path: Path) -> None:
    home = furnish(tmp_path)
    before = picture(tmp_path)
    hands = QuietHands(home, ManualClock(now_ms=LATER_MS))
    assert not asyncio.run(FREE_DISK.obstacle(ISSUE, hands))
    undo = asyncio.run(FREE_DISK.apply(ISSUE, hands))
    after = picture(tmp_path)
    compressed = {f"logs/{process}.log.{number}" for process in ("live_optimus", "ralph") for number in (1, 2)}
    assert {name: row for name, row in before.items() if name not in compressed} == {
        name: row for name, row in after.items() if not name.endswith(".gz")
    }
    assert {name.removesuffix(".gz") for name in after if name.endswith(".gz")} == compressed
    assert undo["freed_bytes"] > 0.7 * 4 * 200_000
    assert hands.kept[0]["compressed"] == undo["compressed"], "kept before the first change"
    assert asyncio.run(FREE_DISK.obstacle(ISSUE, hands)).startswith("nothing of ours in ")
    asyncio.run(FREE_DISK.revert(undo, hands))
    assert picture(tmp_path) == before
    asyncio.run(FREE_DISK.revert(undo, hands))
    assert picture(tmp_path) == before, "a second revert does nothing"


def test_killed_in_the_middle_it_is_reverted_with_what_was_kept_before(tmp_path: Path) -> None:
    home = furnish(tmp_path)
    before = picture(tmp_path)
    hands = QuietHands(home, ManualClock(now_ms=LATER_MS))
    asyncio.run(FREE_DISK.apply(ISSUE, hands))
    packed = home.logs / "ralph.log.1.gz"  # a kill between the two names of one log: both are there
    status = packed.stat()
    plain = home.logs / "ralph.log.1"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    plain.chmod(0o600)
    os.utime(plain, ns=(status.st_mtime_ns, status.st_mtime_ns))
    asyncio.run(FREE_DISK.revert(hands.kept[0], hands))
    assert picture(tmp_path) == before


def test_a_log_that_was_rotated_a_moment_ago_is_still_read_and_waits(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    (home.logs / "ralph.log.1").write_bytes(b"x" * 1000)
    hands = QuietHands(home, ManualClock(now_ms=int((home.logs / "ralph.log.1").stat().st_mtime * 1000) + 1000))
    assert asyncio.run(FREE_DISK.obstacle(ISSUE, hands))


def test_compressed_copies_grow_older_like_the_others_and_are_found_where_rotation_has_put_them(tmp_path: Path) -> None:
    home = furnish(tmp_path)
    contents = [(home.logs / f"ralph.log.{number}").read_bytes() for number in (1, 2)]
    hands = QuietHands(home, ManualClock(now_ms=LATER_MS))
    undo = asyncio.run(FREE_DISK.apply(ISSUE, hands))
    handler = CopyTruncateHandler(home.log_file("ralph"), max_bytes=10, keep=3)
    record = logging.LogRecord("nae", logging.INFO, "", 1, "a line that is long enough", None, None)
    handler.emit(record)
    assert not (home.logs / "ralph.log.1.gz").exists()
    asyncio.run(FREE_DISK.revert(undo, hands))
    assert [(home.logs / f"ralph.log.{number}").read_bytes() for number in (2, 3)] == contents
    handler.emit(record)
    handler.emit(record)
    kept = [path.name for end in ("", ".gz") for path in home.logs.glob(f"ralph.log.[1-9]{end}")]
    assert len(kept) == 3, "never more than are kept"
    os.close(handler.descriptor)


def test_compiled_code_of_builds_that_nobody_runs_goes_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for build in ("b1", "b2", "b3"):
        cache = home.builds / build / "execution" / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "one.cpython-311.pyc").write_bytes(b"x" * 1000)
        (home.builds / build / "execution" / "one.py").write_text("ONE = 1\n")
    (home.builds / "current").symlink_to("b3")
    hands = QuietHands(home)
    socket = home.socket("ralph.cmd")
    socket.parent.mkdir(parents=True)
    socket.touch()
    assert asyncio.run(FREE_DISK.obstacle(ISSUE, hands)), "who doesn't answer may run any of them"
    hands.answers["ralph"] = {"build": "b2"}
    undo = asyncio.run(FREE_DISK.apply(ISSUE, hands))
    assert undo["rebuilt_by_itself"] == ["builds/b1/execution/__pycache__"]
    assert undo["freed_bytes"] == 1000
    assert len(list(home.builds.rglob("one.py"))) == 3
    assert len(list(home.builds.rglob("*.pyc"))) == 2


def test_on_a_disk_that_is_really_full_there_is_room_again(small_disk: Path) -> None:
    home = furnish(small_disk, size=500_000)
    cache = home.builds / "b1" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / "one.pyc").write_bytes(b"x" * 150_000)
    fill(small_disk)
    before = picture(home.logs)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "an intent").write_bytes(b"x" * 8192)
    hands = QuietHands(home, ManualClock(now_ms=LATER_MS))
    undo = asyncio.run(FREE_DISK.apply(ISSUE, hands))
    assert undo["freed_bytes"] > 1_000_000
    assert shutil.disk_usage(small_disk).free > 1_000_000
    (small_disk / "an intent").write_bytes(b"x" * 8192)
    packed = picture(home.logs)
    fill(small_disk)
    with pytest.raises(CannotHeal, match="they stay compressed"):
        asyncio.run(FREE_DISK.revert(undo, hands))
    assert picture(home.logs) == packed, "a revert without room changes nothing"
    (small_disk / "filling").unlink()
    asyncio.run(FREE_DISK.revert(undo, hands))
    assert picture(home.logs) == before


def test_a_disk_without_room_even_for_compressing_is_told_to_a_person(small_disk: Path) -> None:
    home = furnish(small_disk, size=500_000)
    fill(small_disk)
    before = picture(home.logs)
    with pytest.raises(CannotHeal, match="too little room even to compress"):
        asyncio.run(FREE_DISK.apply(ISSUE, QuietHands(home, ManualClock(now_ms=LATER_MS))))
    assert picture(home.logs) == before
