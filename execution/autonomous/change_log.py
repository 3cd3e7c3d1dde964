"""logs/change_log.json: everything the operation changed by itself, newest last, written atomically, bounded.

Kinds: `restart`, `adjustment`, `fix`. It is the record that get_status() and get_fix_summary() count from.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from execution.runtime.clock import Clock, iso
from execution.runtime.files import write_atomically
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import CHANGE_LOG_MAX_ENTRIES

FORMAT = 1


class ChangeLog:
    """The record of one operation. One writer: the manager."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def read(self) -> dict[str, Any]:
        """The whole record: `format, totals{kind: n}, fixed_by_type{type: n}, entries[...]`.

        A file that isn't ours to read is set aside as .broken and said; the record then begins anew.
        """
        try:
            record = json.loads(self._path.read_text())
            if _has_our_shape(record):
                return dict(record)
        except FileNotFoundError:
            return _empty()
        except (ValueError, RecursionError):
            pass  # not JSON, or not text: set aside below
        self._path.replace(self._path.with_suffix(".json.broken"))
        return _empty() | {"note": "an unreadable record was set aside as change_log.json.broken"}

    def add(self, kind: str, process: str, what: str, cause: str, **details: Any) -> str:
        """Record one change; its id. Raises OSError when the disk refuses: the record then is what it was."""
        record = self.read()
        totals = Counter(record["totals"])
        totals[kind] += 1
        number = sum(totals.values())
        entry = {
            "id": f"c{number}",
            "at": iso(self._clock.now_ms()),
            "kind": kind,
            "process": process,
            "what": what,
            "cause": cause,
            **details,
        }
        record["totals"] = dict(totals)
        record["entries"] = [*record["entries"], entry][-CHANGE_LOG_MAX_ENTRIES:]
        if kind == "fix":
            record["fixed_by_type"] = dict(Counter(record["fixed_by_type"]) + Counter([str(details.get("type", what))]))
        write_atomically(self._path, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
        return str(entry["id"])


def _has_our_shape(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and record.get("format") == FORMAT
        and isinstance(record.get("entries"), list)
        and all(isinstance(entry, dict) and "kind" in entry for entry in record["entries"])
        and _counts(record.get("totals"))
        and _counts(record.get("fixed_by_type"))
    )


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(type(count) is int for count in value.values())


def _empty() -> dict[str, Any]:
    return {"format": FORMAT, "totals": {}, "fixed_by_type": {}, "entries": []}


def fixes(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries that are fixes, oldest first. Raises ConfigError when the record has lost its shape."""
    try:
        return [entry for entry in record["entries"] if entry["kind"] == "fix"]
    except (KeyError, TypeError) as error:
        raise ConfigError(f"change_log.json has lost its shape: {error!r}") from error
