"""A large answer is read a little at a time, and as if it had been read in one go."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import market_reload
from execution.exchange import translate
from execution.exchange.classify import BadReply
from execution.exchange.large_answers import AT_ONCE, LARGE, entries, left_as_text, stays_text
from execution.exchange.venue_reader import VenueReader

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])


@given(st.lists(VALUES, max_size=4 * AT_ONCE), SEPARATORS, st.sampled_from([None, 2]))
def test_a_few_at_a_time_come_to_all_of_them(rows: list[Any], separators: tuple[str, str], indent: int | None) -> None:
    answer = json.dumps({"rateLimits": [1], "symbols": rows, "sors": [{"symbols": ["A"]}]}, indent=indent)
    if indent is None:
        answer = json.dumps({"timezone": "UTC", "symbols": rows}, separators=separators)
    parts = list(entries(answer, "symbols"))
    assert [row for part in parts for row in part] == rows
    assert max(map(len, parts)) <= AT_ONCE


@given(st.lists(VALUES, min_size=1, max_size=5), st.data())
def test_a_list_that_is_broken_off_anywhere_is_refused(rows: list[Any], data: st.DataObject) -> None:
    answer = json.dumps({"symbols": rows})
    cut = data.draw(st.integers(0, len(answer) - 1))
    with pytest.raises(BadReply):
        list(entries(answer[:cut], "symbols"))


def test_an_answer_without_the_list_is_refused() -> None:
    for answer in ('{"symbols":{}}', '{"other":[]}', "<html>symbols</html>", ""):
        with pytest.raises(BadReply):
            list(entries(answer, "symbols"))


def test_only_a_large_answer_that_is_wanted_so_stays_text() -> None:
    large = "x" * (LARGE + 1)
    assert not stays_text(large)
    with left_as_text():
        assert stays_text(large) and not stays_text(large[1:])
    assert not stays_text(large)


def test_the_rules_of_many_markets_are_those_of_an_answer_read_at_once(tmp_path: Path) -> None:
    size, theirs, ours = asyncio.run(market_reload.measure(tmp_path, 150, rounds=1))
    assert size > LARGE and theirs[0].markets == ours[0].markets == 150


def test_others_go_on_while_many_markets_are_read() -> None:
    answer = market_reload.listing(300, [])
    turns = 0

    class Client:
        apiKey, taker_fee = "", None  # noqa: N815 -- ccxt's name

        class budget:  # noqa: N801
            clock = market_reload.CLOCK

        @staticmethod
        async def call(name: str, parameters: object) -> str:
            return answer

    async def scene() -> dict[str, Any]:
        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.ensure_future(other())
        try:
            return dict(await VenueReader(Client()).load_rules())  # type: ignore[arg-type]
        finally:
            beside.cancel()

    rules = asyncio.run(scene())
    assert rules == translate.rules_of(json.loads(answer), Decimal("0.001"))
    assert turns >= 300 / AT_ONCE
