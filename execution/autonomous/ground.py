"""Is this machine fit to start on? Each check says what is wrong and what would be right; nothing is started here."""

import contextlib
import difflib
import os
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from execution.autonomous.vitals import command_line, disk_free_bytes, network_filesystem
from execution.runtime.config import ENVIRONMENT, load
from execution.runtime.home import Home
from execution.runtime.locks import FileLock, is_held, read_holder
from execution.runtime.settings import Config
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.limits import DISK_LOW_BYTES, DISK_START_BYTES

OLDEST_PYTHON = (3, 11)


class UnfitError(Exception):
    """The machine isn't fit (disk, rights, drive); the message says what would be."""


@dataclass
class Ground:
    """What was found: the configuration, and things worth saying that stop nobody."""

    config: Config
    notes: list[str] = field(default_factory=list)


def check_ground(home: Home) -> Ground:
    """All checks, cheapest first. Raises UnfitError, ConfigError, BusyError."""
    if sys.version_info < OLDEST_PYTHON:
        raise UnfitError(f"Python {sys.version.split()[0]} is too old; 3.11, 3.12 or 3.13 would be right")
    ground = Ground(load(home.config_file))
    check_folders(home)
    check_not_running(home)
    ground.notes += check_disk(home) + clear_stale_pid_file(home)
    check_config_fits(ground.config, home)
    ground.notes += misspelt(os.environ)
    if os.geteuid() == 0:
        ground.notes.append("running as root: a user of its own would be safer")
    return ground


def misspelt(environment: Iterable[str]) -> list[str]:
    """Variables that look like ours and do nothing: nobody would notice that a market or a home wasn't taken."""
    known = ["NAE_HOME", "NAE_SERVICE", *ENVIRONMENT]
    found = []
    for name in environment:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8) if name.startswith("NAE") else []
        if close and name not in (*known, "NAE_MODE"):
            found.append(f"environment variable {name} does nothing; did you mean {close[0]}?")
    return found


def check_folders(home: Home) -> None:
    """The home must be ours to write in, on a local drive."""
    if os.pathsep in str(home.root):
        raise UnfitError(
            f"{home.root} has a {os.pathsep!r} in its path, which Python takes for the end of a path: name another home"
        )
    drive = network_filesystem(home.root)
    if drive:
        raise UnfitError(f"{home.root} is on a network drive ({drive}); locks aren't safe there: use a local folder")
    try:
        home.prepare()
        for folder in (home.data, home.logs, home.run):
            probe = folder / f".probe-{os.getpid()}"
            probe.write_bytes(b"x" * 4096)
            probe.unlink()
    except OSError as error:
        where = error.filename or home.root
        raise UnfitError(
            f"can't write to {where}: {error.strerror}; make room or rights there and start again"
        ) from error


def check_writable(folder: Path) -> None:
    """Could a new folder be made in this one? Nothing is written."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UnfitError(f"can't write to {folder}; give rights there, or name another home in NAE_HOME")


def nearest_folder(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def check_not_running(home: Home) -> None:
    """One home, one operation."""
    lock = home.operation_lock
    if is_held(lock):
        raise BusyError(
            f"the operation of {home.root} is already running ({read_holder(lock)}); `scripts/nae down` stops it"
        )


def check_disk(home: Home) -> list[str]:
    """Enough room to begin with; a note when it is low."""
    free = disk_free_bytes(nearest_folder(home.data))
    if free < DISK_START_BYTES:
        raise UnfitError(
            f"{home.data} has {free // 2**20} MiB of disk free; to start it takes {DISK_START_BYTES // 2**20}"
        )
    return [f"disk low: {free // 2**20} MiB free"] if free < DISK_LOW_BYTES else []


def clear_stale_pid_file(home: Home) -> list[str]:
    """A pid file without an operation is a leftover; whoever has that pid now is a stranger and isn't touched.

    It is removed under the operation's lock: one that starts in this moment, by itself, keeps the file it writes.
    """
    if not home.pid_file.exists():
        return []
    lock = FileLock(home.operation_lock)
    try:
        lock.acquire(f"pid {os.getpid()} looking at the pid file")
    except BusyError:
        return []
    text = home.pid_file.read_text(errors="replace").strip()[:20]
    home.pid_file.unlink()
    lock.release()
    words = command_line(int(text)) if text.isdecimal() else ""
    owner = f"that pid now belongs to: {words[:60]}" if words else "no such process"
    return [f"removed a stale pid file ({text or 'empty'}; {owner})"]


def check_config_fits(config: Config, home: Home) -> None:
    """What nae.toml asks for must be possible here."""
    place = str(home.config_file)
    if config.live.exchange or config.live.real_money:
        raise ConfigError(
            f"{place}: live.exchange = {config.live.exchange!r}: trading on a real exchange isn't released yet; "
            'leave it "" (the embedded venue) and real_money = false'
        )
    file = config.venue.market.removeprefix("replay:")
    if file != config.venue.market and not Path(file).is_file():
        raise ConfigError(f"venue.market = {config.venue.market!r}: no such file; name a recording (parquet or CSV)")
    if config.venue.port:
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", config.venue.port))
            except OSError as error:
                raise ConfigError(
                    f"{place}: venue.port = {config.venue.port}: {error.strerror}; use a free port, or 0 for any"
                ) from error
