"""The rows of the proof, one for each IssueType: what is planted in a sandbox worker or done to it, and how it ends.

Rows of one group are played one after the other on one operation.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.healing_scene import Act, Row, Scene, settings
from benchmarks.real_operation import NAE, DidNot
from execution.vocabulary.issues import IssueType as Kind

TRADER, JUDGE, MASTER = "sandbox_optimus", "accelerator_controller", "master_controller"
MIB = 2**20
HOUR_S = 3600
DISK_MIB = 760
ROTATED_MIB = 160  # each of two files: less than 500 MiB are left then, which counts as low
LEAPS_APART_S = 20.0
GROUND = Path("/dev/shm")  # a small disk of its own is mounted on a folder made here


def _bug(bug: str, process: str = TRADER) -> tuple[Act, Act]:
    return lambda scene: scene.operation.switch_on(bug, process), lambda scene: scene.operation.switch_off(bug)


def _signal(number: int) -> Act:
    return lambda scene: os.kill(scene.pid, number)


def _nothing(scene: Scene) -> None:
    """It is over by itself."""


def _exchange(kind: Kind, planted: str, fault: str, ends: str | float, **rule: object) -> Row:
    plant: Act = lambda scene: scene.fault(fault, **rule)  # noqa: E731
    return Row(kind, planted, TRADER, plant, Scene.no_faults, ends=ends, within_s=200.0, told=True)


def _leap(scene: Scene) -> None:
    """Twice: once a minute a trader asks for the time by itself, and may be just about to."""
    scene.fault("clock_offset", value=30)
    scene.fault("clock_offset", value=60, after_s=LEAPS_APART_S)


def _source(kind: Kind, bug: str, planted: str, within_s: float = 90.0, ends: str | float = "stays") -> Row:
    plant, take_back = _bug(bug)
    return Row(kind, planted, TRADER, plant, take_back, ends=ends, within_s=within_s, bug=bug)


def _refused(kind: Kind, bug: str, planted: str) -> Row:
    plant, take_back = _bug(bug, "venue")
    return Row(kind, planted, TRADER, plant, take_back, within_s=200.0, bug=bug)


def _break_module(scene: Scene) -> None:
    scene.operation.switch_on("syntax", JUDGE)
    os.kill(scene.pid, signal.SIGKILL)


def _mend_module(scene: Scene) -> None:
    scene.operation.switch_off("syntax")
    scene.operation.call(NAE, "start", JUDGE)


def _spoil_config(scene: Scene) -> None:
    file = scene.operation.home.config_file
    scene.notes["config"] = file.read_bytes()
    file.write_text("[operation]\nhealth_interval_seconds = 30\n")
    os.kill(scene.pid, signal.SIGKILL)


def _restore_config(scene: Scene) -> None:
    scene.operation.home.config_file.write_bytes(scene.notes["config"])
    scene.operation.call(NAE, "start", MASTER)


def _damage_ledger(scene: Scene) -> None:
    """While nobody has it open: its trader finds it so at its next start."""
    operation = scene.operation
    operation.call(NAE, "stop", TRADER)
    ledger = operation.home.ledger("sandbox")
    data = bytearray(ledger.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4096] = bytes(4096)
    ledger.write_bytes(data)
    scene.notes["damaged"] = hashlib.sha256(data).hexdigest()
    operation.call(NAE, "start", TRADER)


def _kept_beside(scene: Scene) -> str:
    folder = scene.operation.home.account("sandbox")
    files = [path for path in folder.glob("replaced-*/*") if path.is_file()]
    files += [path for path in folder.glob("replaced-*") if path.is_file()]
    if scene.notes["damaged"] not in {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}:
        raise DidNot(f"the damaged ledger isn't kept beside as it was: {[path.name for path in files]}")
    return "never put back; the damaged bytes are kept beside"


def _fill_disk(scene: Scene) -> None:
    line = b"2026-11-21T08:15:00.123Z INFO    nae.venue: a day's worth of what nobody will ever read again n=4711\n"
    for number in (2, 3):
        path = scene.operation.home.logs / f"venue.log.{number}"
        with path.open("wb") as file:
            for _ in range(ROTATED_MIB):
                file.write(line * (MIB // len(line)))
        os.utime(path, (path.stat().st_mtime - HOUR_S,) * 2)
    scene.before = settings(scene.operation)


def cannot_mount() -> str:
    """Why no small disk can be made here; empty when it can."""
    if not GROUND.is_dir() or shutil.which("mount") is None:
        return "no tmpfs can be mounted on this system"
    return "" if os.geteuid() == 0 else "mounting a small disk needs root"


def small_disk(mib: int) -> tuple[Path, Callable[[], None]]:
    """A disk of its own, and how it goes."""
    folder = GROUND / f"nae-healing-{os.getpid()}"
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], check=True)

    def gone() -> None:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()

    return folder, gone


@dataclass(frozen=True)
class Group:
    """Rows for one operation. `disk_mib`: its home is on a disk of its own, this small. `pace` times the table's: where
    a fault shows seldom, that it stays away must be watched for longer."""

    name: str
    rows: tuple[Row, ...]
    disk_mib: int = 0
    pace: float = 1.0
    settings: str = ""  # more lines of [operation] in its nae.toml


GROUPS = (
    Group(
        "source",
        (
            replace(
                _source(Kind.IMPORT, "import", "a name used at each bar whose import is missing"), stays_in_reach=True
            ),
            _source(Kind.KEY, "key", "a KeyError in one strategy's step"),
            _source(Kind.ATTRIBUTE, "attribute", "an AttributeError in another strategy's step"),
        ),
    ),
    Group(
        "processes",
        (
            Row(Kind.CRASH, "kill -9", TRADER, _signal(signal.SIGKILL), _nothing),
            Row(Kind.HANG, "SIGSTOP", TRADER, _signal(signal.SIGSTOP), _nothing),
            _source(Kind.MEMORY, "memory", "30 MiB kept at each bar", ends="renewed"),
            _source(Kind.DESCRIPTOR_LEAK, "files", "25 files left open at each bar", ends="renewed"),
            _source(Kind.UNKNOWN, "unknown", "a RuntimeError in one strategy's step"),
        ),
    ),
    Group(
        "venue",
        (
            _source(Kind.CONNECTION, "line", "the line of the trader's client is broken for good"),
            _exchange(
                Kind.RATE_LIMIT,
                "429 to two orders",
                "too_many_requests",
                "stays",
                on="POST /api/v3/order",
                value=2,
                times=2,
            ),
            Row(Kind.CLOCK, "the venue's clock leaps 30 s", TRADER, _leap, Scene.no_faults, within_s=200.0, told=True),
        ),
    ),
    Group(
        "time-out",
        (
            _exchange(
                Kind.TIMEOUT,
                "one kind of request answered after 1.5 s, given up after 1",
                "latency",
                "stays",
                on="GET /api/v3/account",
                value="1.5",
                distribution="constant",
            ),
        ),
        settings="request_timeout_s = 1\n",
    ),
    Group(
        "account",
        (
            _exchange(Kind.MINIMUM_SIZE, "the smallest order raised to 600", "min_notional", "stays", value=600),
            _refused(Kind.INSUFFICIENT_FUNDS, "funds", "each order refused for want of funds"),
            _exchange(Kind.AUTH, "the key revoked", "revoked_key", "stays", on="sandbox"),
        ),
        pace=5.0,
    ),
    Group(
        "files",
        (
            Row(Kind.SYNTAX, "a module doesn't compile", JUDGE, _break_module, _mend_module, within_s=90.0),
            Row(
                Kind.CONFIG,
                "an unknown key in nae.toml",
                MASTER,
                _spoil_config,
                _restore_config,
                within_s=90.0,
                told=True,
            ),
        ),
    ),
    Group(
        "database",
        (
            Row(
                Kind.DATABASE,
                "a page of the ledger overwritten",
                TRADER,
                _damage_ledger,
                _nothing,
                within_s=150.0,
                told=True,
                kept=_kept_beside,
            ),
        ),
    ),
    Group(
        "disk",
        (Row(Kind.DISK, "less than 500 MiB left", "continuous_operation", _fill_disk, _nothing, within_s=120.0),),
        disk_mib=DISK_MIB,
    ),
)
