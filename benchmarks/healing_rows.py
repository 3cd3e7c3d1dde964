"""The rows of the proof, one for each IssueType: what is planted in a sandbox worker or done to it, and how it ends.

Rows of one group are played one after the other on one operation.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.healing_scene import Act, Row, Scene, settings
from benchmarks.real_operation import NAE
from execution.vocabulary.issues import IssueType as Kind

TRADER, JUDGE, MASTER = "sandbox_optimus", "accelerator_controller", "master_controller"
MIB = 2**20
DISK_MIB = 760
ROTATED_MIB = 160  # each of two files: less than 500 MiB are left then, which counts as low
GROUND = Path("/dev/shm")  # a small disk of its own is mounted on a folder made here


def _bug(bug: str, process: str = TRADER) -> tuple[Act, Act]:
    return lambda scene: scene.operation.switch_on(bug, process), lambda scene: scene.operation.switch_off(bug)


def _signal(number: int) -> Act:
    return lambda scene: os.kill(scene.pid, number)


def _nothing(scene: Scene) -> None:
    """It is over by itself."""


def _venue(fault: str, **rule: object) -> tuple[Act, Act]:
    return lambda scene: scene.fault(fault, **rule), Scene.no_faults


def _source(kind: Kind, bug: str, planted: str, within_s: float = 90.0, ends: str | float = "stays") -> Row:
    plant, take_back = _bug(bug)
    return Row(kind, planted, TRADER, plant, take_back, ends=ends, within_s=within_s, bug=bug)


def _refused(kind: Kind, bug: str, planted: str) -> Row:
    plant, take_back = _bug(bug, "venue")
    return Row(kind, planted, TRADER, plant, take_back, ends=60.0, within_s=150.0, bug=bug)


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


def _fill_disk(scene: Scene) -> None:
    line = b"2026-11-21T08:15:00.123Z INFO    nae.venue: a day's worth of what nobody will ever read again n=4711\n"
    for number in (2, 3):
        with (scene.operation.home.logs / f"venue.log.{number}").open("wb") as file:
            for _ in range(ROTATED_MIB):
                file.write(line * (MIB // len(line)))
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
    """Rows for one operation. `disk_mib`: its home is on a disk of its own, this small."""

    name: str
    rows: tuple[Row, ...]
    disk_mib: int = 0


GROUPS = (
    Group(
        "source",
        (
            _source(Kind.IMPORT, "import", "a name used at each bar whose import is missing"),
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
            _source(Kind.DESCRIPTOR_LEAK, "files", "250 files left open at each bar", ends="renewed"),
            _source(Kind.UNKNOWN, "unknown", "a RuntimeError in one strategy's step"),
        ),
    ),
    Group(
        "venue",
        (
            Row(Kind.CONNECTION, "signed requests cut off, 8 s", TRADER, *_venue("cut", on="*", for_s=8), ends=9.0),
            Row(Kind.TIMEOUT, "answers 8 s late, 15 s", TRADER, *_venue("late_reply", value=8, for_s=15), ends=16.0),
            Row(Kind.RATE_LIMIT, "429, 8 s", TRADER, *_venue("too_many_requests", value=2, for_s=8), ends=9.0),
            Row(Kind.CLOCK, "the venue's clock leaps 30 s", TRADER, *_venue("clock_offset", value=30), ends=60.0),
        ),
    ),
    Group(
        "account",
        (
            _refused(Kind.INSUFFICIENT_FUNDS, "funds", "each order refused for want of funds"),
            _refused(Kind.MINIMUM_SIZE, "smallest", "each order refused as too small"),
            Row(Kind.AUTH, "the key revoked", TRADER, *_venue("revoked_key", on="sandbox"), ends=80.0, within_s=120.0),
        ),
    ),
    Group(
        "files",
        (
            Row(Kind.SYNTAX, "a module doesn't compile", JUDGE, _break_module, _mend_module, within_s=90.0),
            Row(Kind.CONFIG, "an unknown key in nae.toml", MASTER, _spoil_config, _restore_config, within_s=90.0),
        ),
    ),
    Group(
        "disk",
        (Row(Kind.DISK, "less than 500 MiB left", "continuous_operation", _fill_disk, _nothing, within_s=120.0),),
        DISK_MIB,
    ),
)
