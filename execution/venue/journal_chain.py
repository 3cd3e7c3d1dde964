"""The chain of the journal: each line carries the hash of the line before it, from file to file. Reads only.

A line torn by a kill or a full disk stays; the next one says how long it was and follows the last whole one.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from execution.runtime.files import lines_backwards

KEEP = 3  # full files kept beside the current one
START = "0" * 64  # what the first line of all carries
TORN = "is not a whole line, and the next one doesn't say why"


class End(NamedTuple):
    """Where a chain ends: the last whole line's hash, and how many bytes of torn ones follow it."""

    digest: str = START
    torn_bytes: int = 0


class Checked(NamedTuple):
    """What a check found. `unchained` lines come from before there was a chain; `lost` is what the writer says of lines
    that a disk refused; `torn` are the lines that aren't whole, each of them explained."""

    lines: int
    files: int
    unchained: int
    lost: int
    torn: list[str]
    problems: list[str]

    @property
    def nothing(self) -> bool:
        """Is there no whole line at all?"""
        return self.lines == len(self.torn)


def numbered(path: Path, number: int) -> Path:
    """The name of the journal's `number`th predecessor; 0 is the journal itself."""
    return path.with_name(f"{path.name}.{number}") if number else path


def files(path: Path) -> list[Path]:
    """The files that exist, oldest first."""
    return [file for number in range(KEEP, -1, -1) if (file := numbered(path, number)).is_file()]


def digest(line: bytes) -> str:
    """What the next line carries of this one; without its line end."""
    return hashlib.sha256(line).hexdigest()


def decoded(line: bytes) -> dict[str, Any] | None:
    """A line's facts; None when it isn't whole."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) and "at" in row else None


def newest_first(path: Path) -> Iterator[bytes]:
    """The lines of all files from the end, without their ends; the first may be torn."""
    for file in reversed(files(path)):
        for line in lines_backwards(file):
            yield line.removesuffix(b"\n")


def end_of_chain(path: Path) -> End:
    """Where to go on. Raises OSError."""
    torn = 0
    for line in newest_first(path):
        if decoded(line) is not None:
            return End(digest(line), torn)
        torn += len(line)
    return End(START, torn)


def beginning(path: Path) -> str | None:
    """The hash of the first line of all; None when it isn't there any more, or not yet. Raises OSError."""
    for _, line, row in rows(path):
        if row is not None:
            return digest(line) if row.get("prev") == START else None
    return None


def rows(path: Path) -> Iterator[tuple[str, bytes, dict[str, Any] | None]]:
    """(place, line, facts) of every line, oldest first."""
    for file in files(path):
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                whole = line.removesuffix(b"\n")
                yield f"{file}:{number}", whole, decoded(whole)


def verify(path: Path) -> Checked:
    """Does every line follow from the one before it? Raises OSError."""
    previous: str | None = None
    lines = unchained = lost = torn_bytes = 0
    torn: list[str] = []
    problems: list[str] = []
    for place, line, row in rows(path):
        lines += 1
        if row is None:
            torn.append(place)
            torn_bytes += len(line)
            continue
        said = int(row.get("torn", 0))
        if (
            torn_bytes and said != torn_bytes and not (previous is None and said > torn_bytes)
        ):  # the rest went with a file
            problems.append(f"{torn.pop()} {TORN}")
        torn_bytes = 0
        lost += int(row.get("lost", 0))
        if "prev" not in row:
            unchained += 1
            if unchained < lines - len(torn):
                problems.append(f"{place} carries no hash of the line before it")
        elif previous is not None and row["prev"] != previous:
            problems.append(f"{place} doesn't follow the line before it: something was changed, removed or put in")
        previous = digest(line)
    return Checked(lines, len(files(path)), unchained, lost, torn, problems)
