"""The overlays of a home on disk: patches put in force for a scope, and taken away without a trace.

One writer: the manager. It decides nothing, and writes only below data/healing/overlay; what processes load from there,
and what they refuse, is runtime/overlay_finder.py's.
"""

import errno
import json
from pathlib import Path
from typing import Any

from execution.autonomous.healing.remedy import CannotHeal, Undo
from execution.autonomous.healing.source.import_fix import ImportFix
from execution.runtime.clock import Clock
from execution.runtime.files import remove_leftovers, write_atomically
from execution.runtime.home import Home
from execution.runtime.overlay import FORMAT, MANIFEST, folder_of
from execution.runtime.overlay_finder import modules_of, read_plain
from execution.runtime.overlay_rules import SCOPES, bound_by, digest, patch_refusal, path_refusal


class OverlayStore:
    """All scopes of one home."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._data = home.data
        self._clock = clock

    def id_of(self, scope: str, fix: ImportFix) -> str:
        """The id of a patch if it is in force in a scope; else ''."""
        row = self._rows(scope).get(fix.path, {})
        same = row.get("original") == digest(fix.original) and row.get("patched") == digest(fix.patched)
        return str(row.get("id", "")) if same else ""

    def plan(self, scope: str, fix: ImportFix) -> Undo:
        """What a removal of this patch will need. Raises CannotHeal when it can't be added."""
        self._check(scope, fix.path)
        if refused := patch_refusal(fix.path, fix.original, fix.patched):
            raise CannotHeal(f"this patch isn't allowed: {refused}")
        before = self._rows(scope).get(fix.path)
        if before is not None and before.get("original") == digest(fix.original):
            raise CannotHeal(f"{fix.path} has a patch already for {scope}: one is all that a module is given")
        file = folder_of(self._data, scope) / fix.path
        source = file.read_text() if before is not None and file.is_file() else None  # of another build
        name = f"o{digest(scope.encode() + fix.patched)[:11]}"
        return {"scope": scope, "path": fix.path, "id": name, "before": before, "source": source}

    def add(self, undo: Undo, fix: ImportFix, fingerprint: str) -> None:
        """Put a planned patch in force for whoever of the scope starts from now on. Raises CannotHeal, with nothing
        changed."""
        row = {
            "id": undo["id"],
            "original": digest(fix.original),
            "patched": digest(fix.patched),
            "name": bound_by(fix.line),
            "line": fix.line,
            "issue": fingerprint,
            "at_ms": self._clock.now_ms(),
        }
        scope = str(undo["scope"])
        file = folder_of(self._data, scope) / fix.path
        try:
            self._make_room(file)
            write_atomically(file, fix.patched)  # first: a manifest never names what isn't there
            self._write(scope, self._rows(scope) | {fix.path: row})
        except OSError as error:
            self.remove(undo)
            raise CannotHeal(f"the patch can't be written: {error.strerror}; make room on the disk") from error

    def remove(self, undo: Undo) -> None:
        """Have it be as it was before the patch; harmless when repeated. Raises CannotHeal."""
        scope, path = str(undo["scope"]), str(undo["path"])
        self._check(scope, path)
        file = folder_of(self._data, scope) / path
        try:
            rows = self._rows(scope)
            if path in rows and rows[path].get("id") != undo["id"]:
                return  # another one stands there by now; it has an undo of its own
            before, source = undo.get("before"), undo.get("source")
            rows.pop(path, None)
            if before is not None and source is not None:  # one for another build
                write_atomically(file, source)
                self._write(scope, rows | {path: before})
                return
            self._write(scope, rows)
            remove_leftovers(file)
            file.unlink(missing_ok=True)
            self._tidy(file.parent)
        except OSError as error:
            raise CannotHeal(f"the patch can't be taken away: {error.strerror}") from error

    def _check(self, scope: str, path: str) -> None:
        if scope not in SCOPES.values() or path_refusal(path):
            raise CannotHeal(f"no overlay may be there: {scope[:50]!r}, {path[:200]!r}")

    def _rows(self, scope: str) -> dict[str, Any]:
        folder = folder_of(self._data, scope)
        try:
            return dict(modules_of(read_plain(folder, Path(MANIFEST))))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise CannotHeal(
                f"{folder / MANIFEST} can't be trusted: {error}; look at it, then remove {folder}"
            ) from error

    def _write(self, scope: str, rows: dict[str, Any]) -> None:
        manifest = folder_of(self._data, scope) / MANIFEST
        if rows:
            write_atomically(manifest, json.dumps({"format": FORMAT, "modules": rows}, indent=1, sort_keys=True) + "\n")
        else:
            remove_leftovers(manifest)
            manifest.unlink(missing_ok=True)
            self._tidy(manifest.parent)

    def _make_room(self, file: Path) -> None:
        """Folders that only we can enter; a link in their place isn't followed."""
        for folder in reversed([file.parent, *file.parent.parents]):
            if self._data in folder.parents and not folder.exists():
                folder.mkdir(mode=0o700)
            if self._data in folder.parents and folder.is_symlink():
                raise CannotHeal(f"{folder} is a link; remove it")

    def _tidy(self, folder: Path) -> None:
        """Remove what is empty, from here up to the overlays' own folder."""
        top = folder_of(self._data, "").resolve()
        while top == folder or top in folder.parents:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass  # it has gone already
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                raise
            folder = folder.parent
