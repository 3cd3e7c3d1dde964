"""A JSON file of healing's own memory: written whole, checked whole when read. A damaged one is set aside and said; the
memory then begins anew."""

import logging
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from execution.runtime.files import write_atomically

log = logging.getLogger("nae.healing")
T = TypeVar("T", bound=msgspec.Struct)
MAX_BYTES = 8_000_000


class KeptFile(Generic[T]):
    """One file that holds one `T`."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self._kind = kind

    def read(self) -> T:
        """What it holds; the empty `T` when there is no file, or it was damaged. Raises OSError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return self._kind()
        try:
            if len(data) > MAX_BYTES:
                raise msgspec.ValidationError(f"{len(data)} bytes, at most {MAX_BYTES} would be right")
            return msgspec.json.decode(data, type=self._kind)
        except (msgspec.DecodeError, RecursionError) as error:
            aside = self.path.with_name(f"{self.path.name}.broken")
            self.path.replace(aside)
            fields = {"file": self.path.name, "aside": aside.name, "error": error}
            log.error("set aside: it can't be read", extra={"fields": fields})
            return self._kind()

    def write(self, value: T) -> None:
        """Replace what it holds. Raises OSError when the disk refuses; it then holds what it held."""
        write_atomically(self.path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
