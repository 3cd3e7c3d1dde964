"""What a person could change where a key or an attribute wasn't there: the place, the expression, and a diff. Changes
nothing, ever: a value made up where one is missing hides the fault, and only who knows the code can say if it may.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from execution.autonomous.healing.remedy import Issue
from execution.autonomous.healing.source.import_fix import REMEMBERED, NoFix, Place, source_of
from execution.autonomous.healing.source.source_code import diff

if TYPE_CHECKING:
    import libcst

KINDS = {"KeyError": "key", "AttributeError": "attribute"}


@dataclass(frozen=True)
class Suggestion:
    """`diff` is empty when more than one expression of the line may be meant."""

    place: str  # path:line
    expressions: tuple[str, ...]
    diff: str

    def __str__(self) -> str:
        shown = " or ".join(self.expressions)
        first = f"never applied by itself; at {self.place}, {shown} found nothing"
        return f"{first}; if nothing may be there, this says so:\n{self.diff}" if self.diff else first


def suggestion(issue: Issue, root: Path) -> Suggestion:
    """For a KeyError or an AttributeError in our own code. Raises NoFix when the place can't be told."""
    if issue.exception not in KINDS:
        raise NoFix("nothing is suggested for this kind of error")
    place = Place.of(issue)
    if not place.path.startswith(("execution/", "agents/")):
        raise NoFix(f"{place.path} isn't our code")
    found = _looked_up(place, source_of(root, place.path), issue.exception, issue.context.get("name", ""))
    if found is None:
        raise NoFix(f"line {place.line} of {place.path} has no such expression: another build, perhaps")
    return found


@lru_cache(maxsize=REMEMBERED)
def _looked_up(place: Place, source: bytes, exception: str, name: str) -> Suggestion | None:
    """Asked again and again while a case is open, and costs half a second."""
    text = source.decode()
    found = list(_candidates(text, place.line, exception, name))
    if not found:
        return None
    names = tuple(dict.fromkeys(shown for shown, _ in found))
    shown = diff(place.path, text, found[0][1]) if len(found) == 1 else ""
    return Suggestion(f"{place.path}:{place.line}", names, shown)


def _candidates(source: str, line: int, exception: str, name: str) -> Iterator[tuple[str, str]]:
    """The expressions on a line that may have failed: their text, and the module's text without the fault."""
    import libcst  # noqa: PLC0415 - heavy, and hardly ever needed
    from libcst import metadata  # noqa: PLC0415

    try:
        wrapper = metadata.MetadataWrapper(libcst.parse_module(source))
    except libcst.ParserSyntaxError:
        return  # not the code that ran
    module = wrapper.module
    places = wrapper.resolve(metadata.PositionProvider)
    contexts = wrapper.resolve(metadata.ExpressionContextProvider)
    for node, span in places.items():
        if not span.start.line <= line <= span.end.line or contexts.get(node) is not metadata.ExpressionContext.LOAD:
            continue
        if (softer := _softer(node, exception, name, module)) is not None:
            yield module.code_for_node(node), module.code_for_node(module.deep_replace(node, softer))


def _softer(
    node: "libcst.CSTNode", exception: str, name: str, module: "libcst.Module"
) -> "libcst.BaseExpression | None":
    """The same expression, with None where there was an error; None when it can't have raised this error."""
    import libcst  # noqa: PLC0415

    if exception == "KeyError" and isinstance(node, libcst.Subscript) and len(node.slice) == 1:
        inside = node.slice[0].slice
        if isinstance(inside, libcst.Index):
            return libcst.Call(libcst.Attribute(node.value, libcst.Name("get")), [libcst.Arg(inside.value)])
    if exception == "AttributeError" and isinstance(node, libcst.Attribute) and name in ("", node.attr.value):
        return libcst.parse_expression(f'getattr({module.code_for_node(node.value)}, "{node.attr.value}", None)')
    return None
