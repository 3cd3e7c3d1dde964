"""What it takes to put each standing change back, one file per attempt, for its owner alone. It outlives every process,
and goes when the change has been put back."""

from pathlib import Path
from typing import Any

import msgspec

from execution.autonomous.healing.kept_file import KeptFile
from execution.autonomous.healing.remedy import CannotHeal, folder_of
from execution.runtime.home import Home

FORMAT = 1


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One change that can be put back."""

    format: int = FORMAT
    id: str = ""  # of the attempt
    remedy: str = ""
    process: str = ""
    fingerprint: str = ""
    at_ms: int = 0
    undo: dict[str, Any] = {}


class UndoStore:
    """All of one home."""

    def __init__(self, home: Home) -> None:
        self._folder = folder_of(home) / "undo"

    def keep(self, standing: Standing) -> None:
        """Durably. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file(standing.id).write(standing)

    def has(self, attempt: str) -> bool:
        """Does something stand of this attempt?"""
        return self._file(attempt).path.exists() or self._aside(attempt).exists()

    def find(self, attempt: str) -> Standing | None:
        """What was kept for this attempt; None when nothing stands. Raises CannotHeal when it can't be read."""
        if not self.has(attempt):
            return None
        found = self._file(attempt).read()
        if found.id != attempt:
            raise CannotHeal(f"data/healing/undo/{self._aside(attempt).name} can't be read: put it right by hand")
        return found

    def ids(self) -> list[str]:
        """Of every standing change, also of those that can't be read."""
        names = self._folder.glob("*.json*") if self._folder.is_dir() else ()
        return sorted({path.name.partition(".json")[0] for path in names})

    def _aside(self, attempt: str) -> Path:
        return self._folder / f"{attempt}.json.broken"

    def all(self) -> list[Standing]:
        """Every standing change, oldest first."""
        paths = self._folder.glob("*.json") if self._folder.is_dir() else ()
        found = [self._read(path) for path in sorted(paths)]
        return sorted((one for one in found if one.id), key=lambda one: (one.at_ms, one.id))

    def forget(self, attempt: str) -> None:
        """It has been put back."""
        self._file(attempt).path.unlink(missing_ok=True)

    def _file(self, attempt: str) -> KeptFile[Standing]:
        return KeptFile(self._folder / f"{attempt}.json", Standing)

    def _read(self, path: Path) -> Standing:
        return KeptFile(path, Standing).read()
