"""The rows of a recording, parquet (read by polars) or CSV, and what is wrong with them: by file, row, column and
value, with what would be right. It knows no market."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from execution.vocabulary.exit_codes import ConfigError

Columns = dict[str, list[Any]]


def bad(path: Path, row: int, column: str, value: object, right: str) -> NoReturn:
    """Raise ConfigError for the value of a row, counted from 0; people count from 1."""
    raise ConfigError(f"{path}: row {row + 1}, column {column} = {value!r}: {right}")


def read_header(path: Path) -> list[str]:
    """The names of the columns. Raises ConfigError when the file can't be read."""
    if path.suffix == ".csv":
        return next(_csv_lines(path), [])
    import polars  # noqa: PLC0415 - 60 MiB that an invented market doesn't carry

    if path.suffix != ".parquet":
        raise ConfigError(f"{path}: must be a .parquet or a .csv file")
    try:
        return list(polars.read_parquet_schema(path))
    except (OSError, polars.exceptions.PolarsError) as error:
        raise ConfigError(f"{path}: can't be read as a parquet file: {reason(error)}") from error


def csv_rows(path: Path, width: int, headed: bool = True) -> Iterator[tuple[int, list[str]]]:
    """(row, its values) of a CSV file, one after the other; every row must have `width` values. Raises ConfigError."""
    lines = _csv_lines(path)
    if headed:
        next(lines, None)
    for number, row in enumerate(lines):
        if len(row) != width:
            bad(path, number, "count", len(row), f"a row must have {width} values")
        yield number, row


def _csv_lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.reader(file):
                if row:
                    yield [text.strip() for text in row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: can't be read as a CSV file: {reason(error)}") from error


def read_parquet(path: Path, whole: str, numbers: Sequence[str], words: Sequence[str] = ()) -> Columns:
    """Columns of a parquet file: one of whole numbers (or points in time, as milliseconds), others of numbers, others
    as they are. Raises ConfigError for a column of another type, and for a value that is missing."""
    import polars  # noqa: PLC0415

    try:
        frame = polars.read_parquet(path, columns=[whole, *numbers, *words])
    except (OSError, polars.exceptions.PolarsError) as error:
        raise ConfigError(f"{path}: can't be read as a parquet file: {reason(error)}") from error
    columns: Columns = {}
    for name in (whole, *numbers, *words):
        kind, column = frame.schema[name], frame[name]
        if name == whole and kind.is_temporal():
            kind, column = polars.Int64(), column.dt.epoch("ms")
        wrong = not kind.is_integer() if name == whole else name in numbers and not kind.is_numeric()
        if wrong:
            right = "whole milliseconds since 1970" if name == whole else "numbers"
            raise ConfigError(f"{path}: row 1, column {name} has the type {kind}; it must hold {right}")
        cast = {whole: polars.Int64} | dict.fromkeys(numbers, polars.Float64)
        columns[name] = (column.cast(cast[name]) if name in cast else column).to_list()
        if None in columns[name]:
            bad(path, columns[name].index(None), name, None, "there must be a value")
    return columns


def reason(error: Exception) -> str:
    """Why, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
