"""data/healing/adjustments.json: settings that the operation has changed by itself, laid over nae.toml by config.load.

Only the keys of TUNABLE can stand in it, each within its bounds and in its one direction; no key of risk, money or the
choice of markets is among them. The file is checked whole and refused whole: then the last good one holds. Reads only;
autonomous/healing/adjustment_book.py writes.
"""

import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from execution.runtime.settings import CHOICES, RANGES, Config
from execution.vocabulary.limits import ADJUSTMENTS_MAX, ADJUSTMENTS_MAX_BYTES
from execution.vocabulary.programs import BY_NAME

log = logging.getLogger("nae.settings")
FORMAT = 1
Value = float | str


class AdjustmentsRefused(Exception):
    """The file, or an adjustment, can't be right: what is wrong, and what would be right."""


class Tunable(msgspec.Struct, frozen=True):
    """How far a key may go from what nae.toml says: by these factors, or to one of these words."""

    lowest_share: float = 1.0
    highest_share: float = 1.0
    words: tuple[str, ...] = ()
    per_process: bool = False  # it holds for one process, which must be named

    def problem(self, key: str, value: Value, base: Value) -> str:
        """What would be right, when `value` isn't; `base` is nae.toml's own."""
        if self.words:
            fits = value in self.words and base in CHOICES[key]
            return "" if fits else f"one of {', '.join(self.words)}"
        if not (_is_number(value) and _is_number(base)):
            return "a finite number"
        if wrong := RANGES[key].problem(float(base)):
            return f"{wrong}, in nae.toml too"
        least, most = self.bounds(key, base)
        return "" if least <= float(value) <= most else f"a number of at least {least:g} and at most {most:g}"

    def bounds(self, key: str, base: Value) -> tuple[float, float]:
        """The least and the most that the key may be: never outside of what a person may write in nae.toml."""
        own, number = RANGES[key], float(base)
        least, most = number * self.lowest_share, number * self.highest_share
        return max(least, own.least or 0.0), most if own.most is None else min(most, own.most)


TUNABLE: dict[str, Tunable] = {
    "operation.health_interval_s": Tunable(lowest_share=0.0),  # closer looks only
    "operation.hang_after_s": Tunable(highest_share=1.5),  # a little more patience, for a machine that is overloaded
    "operation.request_timeout_s": Tunable(highest_share=8.0),  # longer only; its range keeps it within recvWindow
    "operation.log_level": Tunable(words=("DEBUG",), per_process=True),
}


class Adjustment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One change. `base`: what nae.toml said then; a person who has changed that since has the last word. `before`:
    what was in force before this one."""

    id: str
    key: str
    value: Value
    before: Value
    base: Value
    cause: str
    at_ms: int
    process: str = ""  # the one for which it holds; all of them when empty

    def problem(self) -> str:
        """Why this can't be; '' when it can."""
        tunable = TUNABLE.get(self.key)
        if tunable is None:
            return f"{self.key} can't be adjusted; what can: {', '.join(TUNABLE)}"
        if self.process not in (BY_NAME if tunable.per_process else ("", *BY_NAME)):
            return f"{self.key} for process {self.process!r}: it must be one of {', '.join(BY_NAME)}"
        if wrong := tunable.problem(self.key, self.value, self.base):
            return f"{self.key} = {self.value!r} where nae.toml says {self.base!r}; it must be {wrong}"
        return ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    adjustments: list[Adjustment]


def file_in(data: Path) -> Path:
    """Where they stand, in an operation's data folder."""
    return data / "healing" / "adjustments.json"


def last_good(path: Path) -> Path:
    """The copy that holds while the file at `path` can't be used."""
    return path.with_name("adjustments.last_good.json")


def encode(adjustments: Sequence[Adjustment]) -> bytes:
    """As they stand in the file: the same ones are the same bytes."""
    content = {"format": FORMAT, "adjustments": msgspec.to_builtins(adjustments)}
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def decode(content: bytes) -> list[Adjustment]:
    """Oldest first. Raises AdjustmentsRefused when anything in it isn't as it must be."""
    if len(content) > ADJUSTMENTS_MAX_BYTES:
        raise AdjustmentsRefused(f"{len(content)} bytes; at most {ADJUSTMENTS_MAX_BYTES} would be right")
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AdjustmentsRefused(f"not what we write: {error}") from error
    rows = found.adjustments
    if found.format != FORMAT or len(rows) > ADJUSTMENTS_MAX or len({row.id for row in rows}) != len(rows):
        right = f"format {FORMAT}, at most {ADJUSTMENTS_MAX} adjustments, each with an id of its own"
        raise AdjustmentsRefused(f"format {found.format}, {len(rows)} adjustments; {right} would be right")
    for row in rows:
        if wrong := row.problem():
            raise AdjustmentsRefused(wrong)
    return rows


def read(path: Path) -> tuple[list[Adjustment], str]:
    """Those that hold, and why the file itself can't be used, if so: then it is those of the last good one."""
    try:
        return _decoded(path), ""
    except FileNotFoundError:
        return [], ""
    except (AdjustmentsRefused, OSError) as error:
        problem = f"{path} is refused: {error}"
    try:
        return _decoded(last_good(path)), problem
    except (AdjustmentsRefused, OSError):
        return [], problem


def _decoded(path: Path) -> list[Adjustment]:
    with path.open("rb") as file:
        return decode(file.read(ADJUSTMENTS_MAX_BYTES + 1))


def laid_over(config: Config, adjustments: Iterable[Adjustment], process: str = "") -> Config:
    """`config` with what has been adjusted for `process`; the newest of a key holds. Where a person has changed
    nae.toml since, it is nae.toml's."""
    changed: dict[str, Any] = {}
    for row in adjustments:
        if row.process in ("", process) and stands(row, config):
            changed[row.key.partition(".")[2]] = row.value
    if not changed:
        return config
    return msgspec.structs.replace(config, operation=msgspec.structs.replace(config.operation, **changed))


def stands(adjustment: Adjustment, config: Config) -> bool:
    """Does nae.toml, as it is in `config`, still say what it said when this was adjusted?"""
    return bool(value_in(config, adjustment.key) == adjustment.base)


def value_in(config: Config, key: str) -> Value:
    """What `config` says for a key of TUNABLE."""
    section, _, name = key.partition(".")
    value: Value = getattr(getattr(config, section), name)
    return value


def _is_number(value: Value) -> bool:
    return not isinstance(value, str) and math.isfinite(value)
