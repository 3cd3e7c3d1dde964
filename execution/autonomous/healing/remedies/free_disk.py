"""The disk is nearly full: makes room with what is ours and can be had again. Rotated logs are compressed, the compiled
code of builds that nobody runs is removed (Python makes it anew). Never a ledger, a backup, an audit trail, the venue's
journal, a key, a log that is being written; and nothing outside of the home.
"""

import gzip
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from execution.autonomous.builds import Builds
from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.autonomous.healing.worker_thread import finished
from execution.runtime.clock import Clock
from execution.runtime.files import sync_folder
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import BY_NAME

ROTATED = re.compile(r"(?P<process>[a-z_]+)\.log\.\d")
COMPRESSED = re.compile(ROTATED.pattern + r"\.gz")
SETTLED_AFTER_S = 5.0  # the copying of a rotation, and who reads its rest, are done by then
BLOCK_BYTES = 2**20
LEVEL = 3  # a twelfth of the room within a third of the time that the usual one takes


def rotated_logs(home: Home, clock: Clock) -> list[Path]:
    """The logs of our processes that nobody writes any more, smallest first: of those a full disk takes one."""
    found = []
    for path in home.logs.glob("*.log.*"):
        named = ROTATED.fullmatch(path.name)
        if named and named["process"] in BY_NAME and path.is_file() and not path.is_symlink():
            status = path.stat()
            if clock.now_ms() / 1000 - status.st_mtime >= SETTLED_AFTER_S and status.st_size:
                found.append((status.st_size, path))
    return [path for _, path in sorted(found)]


def idle_caches(home: Home, in_use: set[str]) -> list[Path]:
    """Compiled code of builds that nobody runs and that isn't the current one."""
    builds = Builds(home)
    idle = [path for path in home.builds.glob("*") if path.is_dir() and not path.is_symlink()]
    kept = {builds.current(), *in_use}
    return [cache for path in idle if path.name not in kept for cache in sorted(path.rglob("__pycache__"))]


class FreeDisk:
    """See the module."""

    name = "free_disk"
    what = "compresses rotated logs and removes compiled code that nobody runs"

    def __init__(self) -> None:
        terms = Terms(
            budget=4,
            window_s=21_600.0,
            cool_down_s=300.0,
            reverted_when_useless=False,  # to unpack them again would take the room that there isn't
            deadline_s=300.0,
        )
        self.fits = {IssueType.DISK: terms}

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        if rotated_logs(hands.home, hands.clock) or idle_caches(hands.home, await _in_use(hands)):
            return ""
        return f"nothing of ours in {hands.home.root} can be made smaller: make room on this disk"

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        logs, caches = rotated_logs(hands.home, hands.clock), idle_caches(hands.home, await _in_use(hands))
        try:
            names = await finished(lambda: {path.name: _digest(path) for path in logs})
            undo: Undo = {"compressed": names, "freed_bytes": 0, "rebuilt_by_itself": []}
            hands.keep(undo)
            await finished(lambda: _make_room(logs, caches, hands.home, undo))
        except OSError as error:
            raise CannotHeal(f"no room could be made: {error}; make some on the disk of {hands.home.root}") from error
        if not undo["freed_bytes"]:
            raise CannotHeal(f"there is too little room even to compress: make some on the disk of {hands.home.root}")
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        try:
            await finished(lambda: _unpack_all(hands.home.logs, set(undo["compressed"].values())))
        except (OSError, EOFError, gzip.BadGzipFile) as error:
            raise CannotHeal(f"logs couldn't be unpacked: {error}; they stay compressed, gunzip reads them") from error


async def _in_use(hands: Hands) -> set[str]:
    """The builds that processes run. One that doesn't answer may run any: then all count."""
    found = set()
    for process in BY_NAME:
        if hands.home.socket(f"{process}.cmd").exists():
            try:
                found.add(str((await hands.ask(process, "heartbeat"))["build"]))
            except (CannotHeal, KeyError):
                return {path.name for path in hands.home.builds.glob("*")}
    return found


def _make_room(logs: list[Path], caches: list[Path], home: Home, undo: Undo) -> None:
    """What is only removed comes first: it makes the room that compressing takes."""
    for cache in caches:
        size = sum(file.stat().st_size for file in cache.glob("*") if file.is_file())
        shutil.rmtree(cache)
        undo["freed_bytes"] += size
        undo["rebuilt_by_itself"].append(str(cache.relative_to(home.data)))
    for path in logs:
        undo["freed_bytes"] += _compressed(path, undo["compressed"][path.name])


def _compressed(path: Path, digest: str) -> int:
    """Put `path`.gz in the place of `path`; how many bytes that frees. A disk too full for it leaves `path` alone."""
    part, target = path.with_name(f".{path.name}.gz.part"), path.with_name(f"{path.name}.gz")
    status = path.stat()
    try:
        with path.open("rb") as plain, part.open("wb") as packed:
            part.chmod(0o600)
            with gzip.GzipFile("", "wb", LEVEL, packed, status.st_mtime) as zipped:
                shutil.copyfileobj(plain, zipped, BLOCK_BYTES)
            packed.flush()
            os.fsync(packed.fileno())
        if _digest(part, gzip.open) != digest or path.stat().st_mtime_ns != status.st_mtime_ns:
            return 0  # it was rotated away meanwhile
        os.utime(part, ns=(status.st_mtime_ns, status.st_mtime_ns))
        freed = status.st_size - part.stat().st_size
        part.rename(target)
        path.unlink()
        sync_folder(path.parent)
        return freed
    except OSError:
        return 0
    finally:
        part.unlink(missing_ok=True)


def _unpack_all(folder: Path, digests: set[str]) -> None:
    """Every log that we have compressed, wherever rotation has moved it to since; what it dropped is gone."""
    for path in sorted(folder.glob("*.gz")):
        if COMPRESSED.fullmatch(path.name) and _digest(path, gzip.open) in digests:
            target = path.with_name(path.name.removesuffix(".gz"))
            if target.exists():  # killed between the two names: both are the same log
                path.unlink()
            else:
                _unpack(path, target)


def _unpack(path: Path, target: Path) -> None:
    part, status = target.with_name(f".{target.name}.part"), path.stat()
    try:
        with gzip.open(path, "rb") as packed, part.open("wb") as plain:
            part.chmod(0o600)
            shutil.copyfileobj(packed, plain, BLOCK_BYTES)
            plain.flush()
            os.fsync(plain.fileno())
        os.utime(part, ns=(status.st_mtime_ns, status.st_mtime_ns))
        part.rename(target)
        path.unlink()
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _digest(path: Path, opener: Any = Path.open) -> str:
    found = hashlib.sha256()
    with opener(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


FREE_DISK = FreeDisk()
