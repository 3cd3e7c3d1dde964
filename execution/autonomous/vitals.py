"""The one door to psutil: what the machine and the processes use. Samples only; judging is done elsewhere."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from execution.runtime.platform import wants_core

NETWORK_FILESYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smbfs", "afpfs", "webdav", "fuse.sshfs", "9p", "ncpfs"})


@dataclass(frozen=True)
class ProcessVitals:
    """One process at one moment. `cpu_s` is the CPU time it has used in its life."""

    pid: int
    status: str  # psutil's word: running, sleeping, stopped, zombie, ...
    cpu_s: float
    rss_bytes: int
    descriptors: int | None


@dataclass(frozen=True)
class SystemVitals:
    """The machine at one moment. Shares are between 0 and 1; load is per core."""

    cpu_share: float
    load_per_core: float
    memory_available_bytes: int
    memory_available_share: float
    disk_free_bytes: int
    disk_free_share: float


def sample_process(pid: int) -> ProcessVitals | None:
    """The vitals of `pid`, or None when it is gone (or not ours to look at)."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return ProcessVitals(
                pid=pid,
                status=process.status(),
                cpu_s=times.user + times.system,
                rss_bytes=process.memory_info().rss,
                descriptors=_descriptors(process),
            )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _descriptors(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except psutil.AccessDenied:
        return None


@dataclass(frozen=True)
class Life:
    """What a look at a silent process tells. `wants_core`: a thread of it runs, or waits for a core or the disk."""

    status: str
    cpu_s: float
    wants_core: bool


class Child:
    """One process, known by its id and its start: never mistaken for another that has got its id."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.pid: int = process.pid

    @classmethod
    def known(cls, pid: int) -> "Child | None":
        """The process that has `pid` now, or None when there is none."""
        try:
            process = psutil.Process(pid)
            process.create_time()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return cls(process)

    def life(self) -> Life | None:
        """How it is now; None when it is gone."""
        try:
            with self._process.oneshot():
                times = self._process.cpu_times()
                return Life(self._process.status(), times.user + times.system, wants_core(self.pid))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None

    def descriptors_max(self) -> int | None:
        """How many files it may have open; None where the system doesn't say."""
        limits = getattr(self._process, "rlimit", None)
        try:
            return int(limits(psutil.RLIMIT_NOFILE)[0]) if limits else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None

    def stop_group(self) -> bool:
        """SIGSTOP to it and to all it has spawned: nobody is born there while they are counted. Was it?"""
        return self._signal_group(signal.SIGSTOP)

    def kill_group(self) -> bool:
        """SIGKILL to it and to all it has spawned; was it?"""
        return self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> bool:
        """To its group, if it is still the one we know and leads it."""
        try:
            if not self._process.is_running() or os.getpgid(self.pid) != self.pid:
                return False
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def kill(self) -> bool:
        """SIGKILL, if it is still the one we know; was it?"""
        try:
            self._process.kill()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False
        return True


def group_sizes() -> Counter[int]:
    """How many processes there are in each process group of the machine: supervisord gives every worker its own. Cheap
    enough for every second."""
    sizes: Counter[int] = Counter()
    for pid in psutil.pids():
        try:
            sizes[os.getpgid(pid)] += 1
        except (ProcessLookupError, PermissionError):
            continue  # it has ended while we counted
    return sizes


def sample_system(folder: Path) -> SystemVitals:
    """The machine, with the disk that holds `folder`."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(folder))
    return SystemVitals(
        cpu_share=psutil.cpu_percent() / 100,
        load_per_core=psutil.getloadavg()[0] / (psutil.cpu_count() or 1),
        memory_available_bytes=memory.available,
        memory_available_share=memory.available / memory.total,
        disk_free_bytes=disk.free,
        disk_free_share=disk.free / disk.total,
    )


def system_resources(vitals: SystemVitals) -> dict[str, Any]:
    """The same, in the words of get_status()."""
    return {
        "cpu_percent": round(vitals.cpu_share * 100, 1),
        "load_per_core": round(vitals.load_per_core, 2),
        "memory_available_mib": vitals.memory_available_bytes // 2**20,
        "memory_percent": round((1 - vitals.memory_available_share) * 100, 1),
        "disk_free_mib": vitals.disk_free_bytes // 2**20,
        "disk_percent": round((1 - vitals.disk_free_share) * 100, 1),
    }


def disk_free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds `folder`."""
    return psutil.disk_usage(str(folder)).free


def network_filesystem(folder: Path) -> str | None:
    """The file system's name when `folder` is on a network drive (locks and SQLite aren't safe there), else None."""
    holding = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    deepest = max(holding, key=lambda part: len(part.mountpoint), default=None)
    return deepest.fstype if deepest and deepest.fstype in NETWORK_FILESYSTEMS else None


def started_ms(pid: int) -> int | None:
    """When `pid` was started, on the wall clock; None when it is gone."""
    try:
        return round(psutil.Process(pid).create_time() * 1000)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def command_line(pid: int) -> str:
    """The words that started `pid`, or '' when it is gone."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""
