"""Answers of many megabytes, read a little at a time: an event loop that takes one apart in one go stands still for a
third of a second, and no stop is watched meanwhile. Knows JSON, and nothing of what is in it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from json import JSONDecoder
from typing import Any

from execution.exchange.classify import BadReply

LARGE = 64 * 1024  # characters: what is shorter is decoded at once, and so is every error
AT_ONCE = 25  # entries
_wanted_as_text: ContextVar[bool] = ContextVar("wanted_as_text", default=False)
_entry_at = JSONDecoder().raw_decode
_SPACE = re.compile(r"\s*")


@contextmanager
def left_as_text() -> Iterator[None]:
    """A large answer to what is asked in here comes as its text, for `entries`."""
    token = _wanted_as_text.set(True)
    try:
        yield
    finally:
        _wanted_as_text.reset(token)


def stays_text(answer: str) -> bool:
    """Is this one to be left undecoded?"""
    return len(answer) > LARGE and _wanted_as_text.get()


def entries(answer: str, name: str) -> Iterator[list[Any]]:
    """The list `name` of the answer, a few entries at a time, all of them: do something else between. BadReply when
    there is no such list, or it doesn't come to its end."""
    found = re.search(rf'"{name}"\s*:\s*\[', answer)
    if found is None or not answer.endswith("}"):
        raise BadReply(f"the venue's answer has no whole list of {name}")
    at, some = _after_space(answer, found.end()), list[Any]()
    more = answer[at : at + 1] != "]"
    while more:
        try:
            entry, end = _entry_at(answer, at)
        except ValueError as error:
            raise BadReply(f"the venue's {name} can't be read: {error}") from None
        some.append(entry)
        at = _after_space(answer, end)
        more, ended = answer[at : at + 1] == ",", answer[at : at + 1] == "]"
        if not more and not ended:
            raise BadReply(f"the venue's {name} can't be read: its list is broken off")
        at = _after_space(answer, at + 1)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


def _after_space(answer: str, at: int) -> int:
    match = _SPACE.match(answer, at)
    assert match is not None, "nothing is space enough"
    return match.end()
