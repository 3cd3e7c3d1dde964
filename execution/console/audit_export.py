"""Lines of the audit trails as a table for other programs: CSV, JSON lines, Parquet. Pure but for Parquet's own writer.

JSON lines hold all there is. The other two have the same columns for every kind; what differs is one column of JSON.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from execution.runtime.clock import iso
from execution.vocabulary.exit_codes import ConfigError

FORMATS = ("jsonl", "csv", "parquet")
COLUMNS = ("at", "process", "kind", "seq", "correlation", "cause", "config", "hash")
REST = "fields"
_STAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,3})?)?)?)?Z?")
_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(text: str, now_ms: int, option: str) -> str:
    """A time as the trails write it, or its beginning: 2026-11-21, 2026-11-21T08:15, or 2h for two hours ago.

    Raises ConfigError."""
    if not text:
        return ""
    if ago := _AGO.fullmatch(text):
        return iso(now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1000)
    if not _STAMP.fullmatch(text):
        raise ConfigError(
            f"{option} {text!r}: such as 2026-11-21, 2026-11-21T08:15 or 2h (ago) would be right; it is UTC"
        )
    return text.replace(" ", "T").removesuffix("Z")


def within(entry: Mapping[str, Any], since: str, until: str) -> bool:
    """Is it of that time? Both ends count; "2026-11-21" as an end is the whole day."""
    at = str(entry.get("at", ""))
    return at >= since and (not until or at[: len(until)] <= until)


def row_of(entry: Mapping[str, Any]) -> list[str]:
    """The columns of one line."""
    rest = {name: value for name, value in entry.items() if name not in (*COLUMNS, "prev")}
    return [*(str(entry.get(name, "")) for name in COLUMNS), json.dumps(rest, ensure_ascii=False)]


def rendered(entries: Iterable[Mapping[str, Any]], form: str) -> bytes:
    """All of them in one of FORMATS."""
    if form == "jsonl":
        lines = (json.dumps(dict(entry), ensure_ascii=False, separators=(",", ":")) for entry in entries)
        return "".join(f"{line}\n" for line in lines).encode()
    if form == "csv":
        text = io.StringIO()
        table = csv.writer(text)  # lines end as the format has it: then a lone end of line in a value is quoted
        table.writerow([*COLUMNS, REST])
        table.writerows(map(row_of, entries))
        return text.getvalue().encode()
    return _parquet([row_of(entry) for entry in entries])


def _parquet(rows: list[list[str]]) -> bytes:
    import polars  # noqa: PLC0415 -- takes a third of a second: only who wants this format waits for it

    names = [*COLUMNS, REST]
    frame = polars.DataFrame(rows, schema=dict.fromkeys(names, polars.String), orient="row")
    out = io.BytesIO()
    frame.with_columns(polars.col("seq").cast(polars.Int64)).write_parquet(out)
    return out.getvalue()
