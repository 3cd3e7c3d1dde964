"""Loads a patched module in place of its original, in a process that healing has given one: a finder that Python asks
first. No file of the code is ever changed, and nothing is written here.

A patch is loaded only when it stands for the very original that this process would load, is what its manifest says, and
is no more than the rules allow. Anything else is ignored, and said: an overlay can't keep a process from starting.
"""

import importlib.machinery
import importlib.util
import json
import os
import re
import stat
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from execution.runtime.overlay import FORMAT, MANIFEST, folder_of, ignored, in_force
from execution.runtime.overlay_rules import SCOPES, SOURCE_MAX_BYTES, digest, patch_refusal, path_refusal


class _Patch(SourceLoader):
    """One module's source, already checked; it is compiled from memory and leaves nothing on the disk."""

    def __init__(self, file: Path, source: bytes) -> None:
        self._file = str(file)
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return self._file

    def get_data(self, path: str | bytes) -> bytes:
        if path != self._file:
            raise OSError(f"{path!r} isn't of this overlay")
        return self._source


class _Finder(MetaPathFinder):
    def __init__(self, patches: dict[str, _Patch]) -> None:
        self._patches = patches

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        patch = self._patches.get(fullname)
        if patch is None:
            return None
        return importlib.util.spec_from_file_location(fullname, patch.get_filename(fullname), loader=patch)


def install(data: Path, root: Path, process: str) -> None:
    """Have this process load what is in force for it. `root` is the code's; called before any of it is loaded."""
    scope = SCOPES.get(process)
    if scope is None:
        return
    folder = folder_of(data, scope)
    rows: dict[str, Any] = {}
    try:
        rows = modules_of(read_plain(folder, Path(MANIFEST)))
    except FileNotFoundError:
        return  # there is nothing for this scope
    except (OSError, ValueError, RecursionError) as error:
        ignored["manifest"] = ascii(f"{type(error).__name__}: {error}")[1:-1][:300]
    patches: dict[str, _Patch] = {}
    for path, row in rows.items():
        module = ascii(path.removesuffix(".py").replace("/", "."))[1:200].rstrip("'")  # it may be shown on a terminal
        try:
            patches[module] = _Patch(folder / path, checked(folder, root, path, row))
        except (OSError, ValueError) as error:
            ignored[module] = ascii(str(error))[1:-1][:300]
        else:
            in_force[module] = row["id"]
    if patches:
        sys.meta_path.insert(0, _Finder(patches))


def modules_of(manifest: bytes) -> dict[str, Any]:
    """The rows of a manifest, by the path of the module. ValueError when it isn't one."""
    found = json.loads(manifest)
    rows = found.get("modules") if isinstance(found, dict) and found.get("format") == FORMAT else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise ValueError(f"{MANIFEST} isn't a manifest of format {FORMAT}")
    return rows


def checked(folder: Path, root: Path, path: str, row: dict[str, Any]) -> bytes:
    """The source of one patch. ValueError says why it mustn't be loaded, OSError that it can't be read."""
    if refused := path_refusal(path):
        raise ValueError(refused)
    original = (root / path).read_bytes()
    if row.get("original") != digest(original):
        raise ValueError("made for another build: the original isn't what it stands for")
    patched = read_plain(folder, Path(path))
    if row.get("patched") != digest(patched):
        raise ValueError("the file isn't what the manifest says")
    if refused := patch_refusal(path, original, patched):
        raise ValueError(refused)
    if not re.fullmatch("[a-z0-9]{1,20}", str(row.get("id")), re.ASCII) or not isinstance(row["id"], str):
        raise ValueError("the manifest gives it no id")
    return patched


def read_plain(folder: Path, inside: Path) -> bytes:
    """A plain file of ours below `folder`, reached without a link. ValueError when it isn't such a file, or too big."""
    for part in [folder.parent.parent, folder.parent, *(folder / above for above in inside.parents)]:
        if not stat.S_ISDIR(part.lstat().st_mode):
            raise ValueError(f"{part} is no plain folder")
    descriptor = os.open(folder / inside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise ValueError(f"{inside} isn't a plain file of ours that only we can write")
        if status.st_size > SOURCE_MAX_BYTES:
            raise ValueError(f"{inside} is over {SOURCE_MAX_BYTES} bytes")
        return file.read(SOURCE_MAX_BYTES + 1)
