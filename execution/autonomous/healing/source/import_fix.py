"""Finds the one import that a module of ours lacks, and writes the module with it, by its syntax tree.

What is missing is known by the exception's own attribute; what it comes from, by how the rest of our code imports that
very name: one answer, or none. What may be patched, and with what, is runtime/overlay_rules.py's. Writes no file.
"""

import ast
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from execution.autonomous.healing.remedy import Issue
from execution.runtime.build import ROOMS
from execution.runtime.overlay_rules import bound_names, import_refusal, patch_refusal, path_refusal

NAME_MAX = 100
REMEMBERED = 32
_FUTURE, _STANDARD, _FOREIGN, _OURS = range(4)  # the order in which sections of imports stand


class NoFix(Exception):
    """There is no fix of this kind; why."""


@dataclass(frozen=True)
class Place:
    """Where in our code: `path` as seen from the code's root."""

    path: str
    line: int

    @classmethod
    def of(cls, issue: Issue) -> "Place":
        """The innermost frame. Raises NoFix when there is none of the shape module:function:line."""
        module, _, rest = (issue.frames or [""])[-1].partition(":")
        line = rest.rpartition(":")[2]
        if not line.isdecimal() or not all(part.isidentifier() for part in module.split(".")):
            raise NoFix("the report doesn't say in which line of our code it happened")
        return cls(module.replace(".", "/") + ".py", int(line))


@dataclass(frozen=True)
class ImportFix:
    """One module, before and after."""

    path: str
    line: str
    original: bytes
    patched: bytes


def find_fix(issue: Issue, root: Path) -> ImportFix:
    """The patch for a name that isn't there. Raises NoFix."""
    if issue.exception != "NameError":
        raise NoFix("no name was missing")
    name = issue.context.get("name", "")
    if not (name.isascii() and name.isidentifier() and len(name) <= NAME_MAX):
        raise NoFix("the report doesn't say which name was missing")
    place = Place.of(issue)
    if refused := path_refusal(place.path):
        raise NoFix(refused)
    found = _found(root, place, name, source_of(root, place.path))
    if isinstance(found, str):
        raise NoFix(found)
    return found


@lru_cache(maxsize=REMEMBERED)
def _found(root: Path, place: Place, name: str, original: bytes) -> ImportFix | str:
    """The patch, or why there is none. Asked again and again while a case is open; a build's code never changes."""
    try:
        _check_missing(ast.parse(original), name, place)
        line = only_import_of(name, root)
    except NoFix as error:
        return str(error)
    except (SyntaxError, ValueError) as error:
        return f"the code that runs can't be read: {error}"
    if refused := import_refusal(place.path, line):
        return refused
    patched = with_import(original, line)
    return patch_refusal(place.path, original, patched) or ImportFix(place.path, line, original, patched)


def source_of(root: Path, path: str) -> bytes:
    """The text of one of our modules. Raises NoFix when it can't be read or isn't there."""
    try:
        return (root / path).read_bytes()
    except OSError as error:
        raise NoFix(f"{path} can't be read: {error.strerror}") from error


def _check_missing(tree: ast.Module, name: str, place: Place) -> None:
    """What the report says must be seen in the source as well."""
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    if not any(isinstance(node.ctx, ast.Load) and node.lineno == place.line for node in used):
        raise NoFix(f"line {place.line} of {place.path} doesn't use {name}: this isn't the code that failed")
    if name in bound_names(tree):
        raise NoFix(f"{name} is bound elsewhere in {place.path}: it isn't simply an import that is missing")


def only_import_of(name: str, root: Path) -> str:
    """The one line by which our modules import `name`. Raises NoFix when there is none, or more than one."""
    found = {line for room in ROOMS for path in sorted((root / room).rglob("*.py")) for line in _imports(path, name)}
    if len(found) != 1:
        several = f"is imported in different ways: {', '.join(sorted(found)[:3])}"
        raise NoFix(f"{name} {several if found else 'is imported nowhere else in our code'}")
    return found.pop()


def _imports(path: Path, name: str) -> Iterator[str]:
    """How the module in `path` imports `name` for all of itself."""
    source = path.read_bytes()
    if name.encode() not in source:
        return  # most modules: parsing them all takes a second
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    yield ast.unparse(_alone(statement, alias))


def _alone(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.stmt:
    if isinstance(statement, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(statement.module, [alias], statement.level)


def with_import(source: bytes, line: str) -> bytes:
    """`source` with one more import, in its place among the others; nothing else is touched."""
    import libcst  # noqa: PLC0415 - heavy, and hardly ever needed

    module = libcst.parse_module(source)
    added = libcst.parse_statement(line, config=module.config_for_parsing)
    body = list(module.body)
    texts = [module.code_for_node(row.with_changes(leading_lines=[])).strip() for row in body]
    order, at = _order(line), int(module.get_docstring() is not None)
    while at < len(body) and _is_import(texts[at]) and _order(texts[at]) <= order:
        at += 1
    starts = at == 0 or not _is_import(texts[at - 1]) or _order(texts[at - 1])[0] != order[0]
    if starts and at < len(body) and _is_import(texts[at]):  # the first of its section: the blank line is above it
        rows = body[at].leading_lines
        above = len(list(itertools.takewhile(lambda row: row.comment is None, rows)))
        added = added.with_changes(leading_lines=rows[:above])
        body[at] = body[at].with_changes(leading_lines=rows[above:])
    return module.with_changes(body=[*body[:at], added, *body[at:]]).bytes


def _is_import(text: str) -> bool:
    return text.startswith(("import ", "from "))


def _order(text: str) -> tuple[int, bool, str]:
    """Where an import stands among others: by section, `import` before `from`, by name."""
    words = text.split()
    top = words[1].partition(".")[0].rstrip(",")
    if top == "__future__":
        section = _FUTURE
    elif top in ROOMS:
        section = _OURS
    else:
        section = _STANDARD if top in sys.stdlib_module_names else _FOREIGN
    return section, words[0] == "from", words[1]
