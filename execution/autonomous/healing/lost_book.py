"""A book of cases that was lost, or is an older build's, begins anew without harm: no name is used a second time, and
no budget is forgotten. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from execution.autonomous.healing.case_book import Book, Use
from execution.runtime.clock import Clock


def numbered(book: Book, names: Iterable[str]) -> Book:
    """The book, beginning its next case beyond all names that are known elsewhere: a lost book uses none again."""
    known = [name.partition(".")[0].removeprefix("h") for name in names]
    return msgspec.structs.replace(book, next=max([book.next, *(int(one) + 1 for one in known if one.isdecimal())]))


def with_uses(book: Book, recorded: Sequence[tuple[str, str, int]], clock: Clock) -> Book:
    """A book that was lost forgets no budget: what the record tells of is counted as used."""
    if book.cases or book.uses:
        return book
    now, now_ms = clock.monotonic(), clock.now_ms()
    uses = [Use(remedy, process, now - max(0, now_ms - at_ms) / 1000) for remedy, process, at_ms in recorded]
    return msgspec.structs.replace(book, uses=uses)
