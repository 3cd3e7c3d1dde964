"""The house's rules as functions: one parsed file in, a list of broken rules out, each with its reason.

Nothing here reads the disk; tests/test_house.py applies the rules to every file and proves that each can fail.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from tests.house_plan import (
    BANNED_PARTS,
    BANNED_WORDS,
    CATCH_ALL,
    CLOCK,
    CLOCK_CALLS,
    DOORS,
    FORBIDDEN_IMPORTS,
    FUNCTION_LINES_MAX,
    IMPURE,
    MACHINE_PATH,
    MAY_IMPORT,
    MODULE_LINES_MAX,
    MONEY_ROOMS,
    MONEY_WORDS,
    PURE_ROOMS,
    RESEARCHED_IN_FLOATS,
    SPAWNERS,
    SPAWNING,
)


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the project's root, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def room(self) -> str:
        """The house's room (`ledger`, `agents`, ...); '' for what belongs to none."""
        parts = PurePosixPath(self.path).parts
        if parts[0] == "execution":
            return parts[1] if len(parts) > 2 else ""
        return parts[0]

    def at(self, node: ast.AST, problem: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {problem}"


def imported(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every imported module's full name, wherever in the file the import stands."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node, "execution." + source.room
        elif isinstance(node, ast.ImportFrom) and node.module == "execution":
            yield from ((node, f"execution.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module


def _room_of(module: str) -> str | None:
    first, _, rest = module.partition(".")
    if first == "execution":
        return rest.partition(".")[0] or "vocabulary"
    return first if first in ("agents", "scripts", "tests", "benchmarks") else None


def import_direction(source: Source) -> list[str]:
    allowed = MAY_IMPORT.get(source.room)
    if allowed is None:
        return []
    reason = (
        f"{source.room} may import {', '.join(sorted(allowed))}: imports go one way, so that a room can be read alone"
    )
    rooms = [(node, module, _room_of(module)) for node, module in imported(source)]
    return [
        source.at(node, f"imports {module}; {reason}") for node, module, room in rooms if room and room not in allowed
    ]


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def vocabulary_is_plain(source: Source) -> list[str]:
    if source.room != "vocabulary":
        return []
    foreign = [(node, module) for node, module in imported(source) if not _is_standard(module)]
    return [
        source.at(node, f"imports {module}; the vocabulary is standard library and msgspec only: everybody imports it")
        for node, module in foreign
        if not module.startswith(("msgspec", "execution.vocabulary"))
    ]


def pure_rooms(source: Source) -> list[str]:
    if source.room not in PURE_ROOMS:
        return []
    return [
        source.at(node, f"imports {module}; {source.room} is pure: what it computes depends on its arguments alone")
        for node, module in imported(source)
        if module.partition(".")[0] in IMPURE
    ]


def one_door(source: Source) -> list[str]:
    problems = []
    for node, module in imported(source):
        name = module.partition(".")[0]
        doors = DOORS.get(name)
        if doors and not any(
            source.path == door or (door[-1] == "/" and source.path.startswith(door)) for door in doors
        ):
            reason = "one door per dependency: replacing it touches one place"
            problems.append(source.at(node, f"imports {name}, whose door is {' or '.join(doors)}; {reason}"))
        if name in FORBIDDEN_IMPORTS:
            problems.append(source.at(node, f"imports {name}; not here: {FORBIDDEN_IMPORTS[name]}"))
    return problems


def _called(node: ast.AST) -> str:
    return (
        ast.unparse(node.func) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) else ""
    )


def no_spawning(source: Source) -> list[str]:
    if source.path in SPAWNERS:
        return []
    reason = "one spawner, ever: two of them once meant two live traders"
    return [source.at(node, f"calls {_called(node)}; {reason}") for node in source.nodes if _called(node) in SPAWNING]


def no_code_from_text(source: Source) -> list[str]:
    banned = {"eval", "exec", "compile", "__import__"}
    reason = "text is never code here"
    return [source.at(node, f"calls {_called(node)}(); {reason}") for node in source.nodes if _called(node) in banned]


def time_is_an_argument(source: Source) -> list[str]:
    if source.path == CLOCK:
        return []
    hidden = [
        source.at(node, f"takes {alias.name} out of {node.module}; take a Clock: tests own the time")
        for node in source.nodes
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio")
        for alias in node.names
        if f"{node.module}.{alias.name}" in CLOCK_CALLS
    ]
    reason = f"wall clock and sleep live in {CLOCK}; take a Clock: tests own the time"
    named = [node for node in source.nodes if isinstance(node, ast.Attribute) and ast.unparse(node) in CLOCK_CALLS]
    return hidden + [source.at(node, f"uses {ast.unparse(node)}; {reason}") for node in named]


def _caught(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind) if kind else "" for kind in kinds}


def named_exceptions(source: Source) -> list[str]:
    handlers = [node for node in source.nodes if isinstance(node, ast.ExceptHandler)]
    bare = [
        source.at(node, "a bare except; name what is expected: the rest is a bug to be seen")
        for node in handlers
        if "" in _caught(node)
    ]
    wide = [node for node in handlers if _caught(node) & {"Exception", "BaseException"}]
    allowed = CATCH_ALL.get(source.path, (0, ""))[0]
    reason = (
        f"catches everything ({allowed} such place is agreed here); name what is expected, or agree on it in CATCH_ALL"
    )
    return bare + [source.at(node, reason) for node in wide[allowed:]]


def explained_silence(source: Source) -> list[str]:
    problems = []
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and all(isinstance(part, ast.Pass | ast.Continue) for part in node.body):
            text = source.lines[node.lineno - 1 : node.body[-1].end_lineno]
            if not any("#" in line for line in text):
                problems.append(source.at(node, "swallows an error; a comment must say what then holds"))
    return problems


def _is_money(name: str) -> bool:
    words = set(name.lower().split("_"))
    return name != "value" and bool(words & MONEY_WORDS) and not words & {"share", "rate", "age", "s", "ms", "default"}


def _names_float(annotation: ast.AST | None) -> bool:
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id == "float" for node in ast.walk(annotation)
    )


def _annotated(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    if isinstance(node, ast.arg):
        yield node.arg, node.annotation
    elif isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target).rpartition(".")[2], node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, node.returns


def money_is_decimal(source: Source) -> list[str]:
    if source.room not in MONEY_ROOMS or source.path in RESEARCHED_IN_FLOATS:
        return []
    reason = "money is Decimal: a float loses cents, and then the ledger and the venue disagree"
    problems = []
    for node in source.nodes:
        floats = [name for name, kind in _annotated(node) if _is_money(name) and _names_float(kind)]
        problems += [source.at(node, f"{name} is a float; {reason}") for name in floats]
        if _called(node) == "float":
            problems += [source.at(node, f"float() of {name}; {reason}") for name in _named_in(node) if _is_money(name)]
    return problems


def _named_in(node: ast.AST) -> set[str]:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def _words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def banned_name(name: str) -> str | None:
    """Why a file, class or function may not be called `name`; None when it may."""
    bad = _words_of(name) & BANNED_WORDS
    part = BANNED_PARTS.search(name)
    word = next(iter(bad), part.group() if part else None)
    reason = "a name says what a thing is, not that it is newer or extra"
    return f"the name {name} has {word!r} in it; {reason}" if word else None


def plain_names(source: Source) -> list[str]:
    found: list[tuple[ast.AST, str]] = [(source.tree, PurePosixPath(source.path).stem)]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    found += [(node, node.name) for node in source.nodes if isinstance(node, kinds)]
    return [source.at(node, problem) for node, name in found if (problem := banned_name(name))]


def sizes(source: Source) -> list[str]:
    problems = []
    if len(source.lines) > MODULE_LINES_MAX:
        problems.append(f"{source.path}: {len(source.lines)} lines; over {MODULE_LINES_MAX} it is two nouns: cut it")
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                problems.append(
                    source.at(node, f"{node.name} has {length} lines; over {FUNCTION_LINES_MAX} nobody sees it whole")
                )
    return problems


def opening_docstring(source: Source) -> list[str]:
    if not source.text.strip() or ast.get_docstring(source.tree):
        return []
    return [f"{source.path}:1: no docstring; a module opens by saying what it does and what it doesn't"]


def speaks_of_itself(path: str, text: str) -> list[str]:
    """For any text file: no path of the machine it was written on."""
    return [
        f"{path}:{number}: names a path of one machine; the project speaks only of itself and runs in any folder"
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]


RULES: tuple[Callable[[Source], list[str]], ...] = (
    import_direction,
    vocabulary_is_plain,
    pure_rooms,
    one_door,
    no_spawning,
    no_code_from_text,
    time_is_an_argument,
    named_exceptions,
    explained_silence,
    money_is_decimal,
    plain_names,
    sizes,
    opening_docstring,
)
