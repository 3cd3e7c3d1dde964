"""The note of the venue's rules counts for a minute and for one start of the venue; anything else is asked anew."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from agents.embedded import write_port
from agents.venue_rules import GOOD_FOR_MS, RulesNote
from execution.runtime.home import Home
from execution.vocabulary.market import SymbolRules

NOW_MS = 1_700_000_000_000
STEP = Decimal("0.0001")
RULES = {
    "BTC/USDT": SymbolRules("BTC/USDT", "BTC", "USDT", Decimal("0.01"), STEP, STEP, Decimal(5), Decimal("0.00075"))
}


async def load() -> dict[str, SymbolRules]:
    return RULES


@pytest.fixture
def note(tmp_path: Path) -> RulesNote:
    """Written down just now."""
    home = Home(tmp_path)
    write_port(home, 4711)
    made = RulesNote(home, "live")
    assert made.read(NOW_MS) is None
    assert asyncio.run(made.renew(load, lambda: NOW_MS)) is RULES
    return made


def test_what_was_written_down_is_read_back_to_the_last_digit_for_a_minute(note: RulesNote) -> None:
    assert note.read(NOW_MS) == note.read(NOW_MS + GOOD_FOR_MS) == RULES
    assert note.read(NOW_MS + GOOD_FOR_MS + 1) is None
    assert note.read(NOW_MS - 1) is None  # the clock was set back: nobody knows how old it is


def test_a_venue_that_started_anew_may_have_other_rules(note: RulesNote, tmp_path: Path) -> None:
    write_port(Home(tmp_path), 4711)
    assert note.read(NOW_MS) is None


def test_a_venue_that_starts_while_it_is_asked_makes_the_note_worthless(note: RulesNote, tmp_path: Path) -> None:
    async def in_the_middle() -> dict[str, SymbolRules]:
        write_port(Home(tmp_path), 4711)
        return RULES

    asyncio.run(note.renew(in_the_middle, lambda: NOW_MS))
    assert note.read(NOW_MS) is None


@pytest.mark.parametrize("left", [b"", b"{}", b'{"at_ms": 1', b"\xff\xfe", b"[1, 2]"])
def test_half_a_note_is_none_and_no_place_for_one_is_no_harm(note: RulesNote, left: bytes) -> None:
    note.path.write_bytes(left)
    assert note.read(NOW_MS) is None
    note.path.unlink()
    note.path.mkdir()
    assert note.read(NOW_MS) is None
    assert asyncio.run(note.renew(load, lambda: NOW_MS)) is RULES
