"""Files written so that a crash leaves either the old content or the new, never a mixture."""

import glob
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_BLOCK_BYTES = 65_536
_swept: set[Path] = set()  # whose leftovers this process has removed


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` with `content`: temporary file, fsync, rename, fsync of the folder.

    Raises OSError when the disk refuses; `path` then still holds what it held, and no temporary file stays. One that a
    killed writer left goes with the next writer's first content.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    if path not in _swept:
        remove_leftovers(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.{os.getpid()}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writers of `path` that have died in the middle; one that lives keeps its own."""
    _swept.add(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.*"):
        writer = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if writer.isdecimal() and int(writer) != os.getpid() and not _lives(int(writer)):
            left.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True  # somebody else's, by now
    return True


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tail_lines(path: Path, count: int, most_bytes: int = 65_536) -> list[str]:
    """The last `count` lines of a log file, or none when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            return file.read().decode(errors="replace").splitlines()[-count:] if count else []
    except FileNotFoundError:
        return []


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from its end, read in blocks; each with its line end, if it has one. Raises OSError."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        rest = b""
        while position:
            step = min(_BLOCK_BYTES, position)
            position -= step
            file.seek(position)
            *whole, last = (file.read(step) + rest).split(b"\n")
            lines = [line + b"\n" for line in whole] + ([last] if last else [])
            rest = lines.pop(0) if position else b""
            yield from reversed(lines)
