"""The few things Linux and macOS do differently, in one place. Each function takes the platform's name, so that both
branches are tested on either.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PROC_UID_ONLY = 4  # libproc.h


def sqlite_pragmas(platform: str = sys.platform) -> tuple[str, ...]:
    """What SQLite needs so that a commit is on the platter: on macOS a plain fsync stops at the drive's cache."""
    return ("PRAGMA fullfsync=1", "PRAGMA checkpoint_fullfsync=1") if platform == "darwin" else ()


def ask_for_death_signal(number: int, platform: str = sys.platform) -> bool:
    """Have the kernel send us `number` when the thread that spawned us ends; False where it can't.

    The caller checks afterwards that its parent still lives: a death before the asking sends nothing.
    """
    if platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number) == 0)


def user_state_folder(environment: Mapping[str, str], home: Path, platform: str = sys.platform) -> Path:
    """Where a user's programs keep what isn't any one operation's. An XDG_STATE_HOME that is no absolute path counts
    for nothing, as its standard says."""
    chosen = environment.get("XDG_STATE_HOME", "")
    if chosen.startswith("/"):
        return Path(chosen)
    return home / "Library/Application Support" if platform == "darwin" else home / ".local/state"


def awake_command(pid: int, platform: str = sys.platform) -> tuple[str, ...]:
    """The command that holds sleep off while `pid` lives; none where a service isn't put to sleep."""
    return ("/usr/bin/caffeinate", "-s", "-i", "-w", str(pid)) if platform == "darwin" else ()


def memory_limit(platform: str = sys.platform) -> int | None:
    """The resource limit that bounds what a process may fill with its own data; None where the kernel keeps none."""
    return resource.RLIMIT_DATA if platform == "linux" else None


def count_of_user(user: int, platform: str = sys.platform) -> int | None:
    """How much of RLIMIT_NPROC `user` has used up: threads on Linux, processes on macOS. None where nobody says."""
    if platform == "linux":
        return sum(_threads_if_of(user, path) for path in Path("/proc").glob("[0-9]*"))
    listing = getattr(ctypes.CDLL(None), "proc_listpids", None)
    return None if listing is None else int(listing(PROC_UID_ONLY, user, None, 0)) // ctypes.sizeof(ctypes.c_int)


def _threads_if_of(user: int, path: Path) -> int:
    try:
        return (path / "task").stat().st_nlink - 2 if path.stat().st_uid == user else 0
    except OSError:
        return 0  # it has ended while we looked


def wants_core(pid: int, platform: str = sys.platform) -> bool:
    """Does a thread of `pid` want to run, or wait for the disk? False where the kernel doesn't say it per thread."""
    if platform != "linux":
        return False
    states = (_thread_state(path) for path in Path(f"/proc/{pid}/task").glob("*/stat"))
    return any(state in ("R", "D") for state in states)


def is_pending(pid: int, number: int, platform: str = sys.platform) -> bool:
    """Has `pid` been sent this signal and, being stopped, not taken it yet? False where the kernel doesn't tell."""
    if platform != "linux":
        return False
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def _thread_state(path: Path) -> str:
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""  # the thread has ended while we looked


def take_room(descriptor: int, size: int, platform: str = sys.platform) -> None:
    """Make a file take up `size` bytes of the disk: promised by the file system, or written where it can't be asked.
    Raises OSError when there isn't so much."""
    if platform == "linux":
        os.posix_fallocate(descriptor, 0, size)
        return
    left = size
    while left:
        left -= os.write(descriptor, os.urandom(min(left, 2**20)))  # nothing that a disk could make small
    os.fsync(descriptor)
