"""A venue that takes longer than the configured time-out: seen in what was measured, healed within bounds, put back."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.autonomous.healing.remedies.raise_timeout import RAISE_TIMEOUT, REQUESTS_LEAST, wanted
from execution.autonomous.healing.remedy import CannotHeal
from execution.runtime.adjustments import file_in
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.family_hands import FamilyHands, issue_of
from tests.chaos.family import CONFIG, family_in
from tests.support import eventually, eventually_async

TRADER = "sandbox_optimus"
IMPATIENT = CONFIG.replace("[venue]", "[venue]\ndrills = true") + "[operation]\nrequest_timeout_s = 0.6\n"
SLOW_S = "0.8"


def measured(**more: Any) -> dict[str, Any]:
    return {"requests": 100, "given_up": 0, "timeout_s": 4.0, "p99_s": 0.2} | more


def test_requests_that_are_given_up_ask_for_twice_the_time_and_slow_ones_for_half_as_much_again() -> None:
    assert wanted(measured(given_up=5, timeout_s=1.0, p99_s=1.0), 4.8)[0] == 2.0
    assert wanted(measured(timeout_s=1.0, p99_s=0.9), 4.8)[0] == 1.4
    assert wanted(measured(given_up=5, p99_s=4.0), 4.8)[0] == 4.8


def test_without_evidence_nothing_is_raised_and_it_is_said_why() -> None:
    assert "too few" in wanted(measured(requests=REQUESTS_LEAST - 1, given_up=3), 4.8)[1]
    assert "a longer time-out wouldn't help" in wanted(measured(), 4.8)[1]
    assert "4.8 s is the most it may be" in wanted(measured(given_up=9, timeout_s=4.8, p99_s=4.8), 4.8)[1]


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.2, 4.8), st.floats(0, 100), st.floats(0.2, 4.8))
def test_whatever_is_measured_it_is_only_raised_and_never_above_its_bound(
    requests: int, given_up: int, now_s: float, p99_s: float, most: float
) -> None:
    line = {"requests": requests, "given_up": given_up, "timeout_s": now_s, "p99_s": p99_s}
    value, told = wanted(line, most)
    assert told
    assert value == 0 or now_s < value <= most + 1e-6


def ask_venue(home: Home, method: str, **rule: str) -> None:
    """A fault in, or all of them out, by the venue's control port."""
    told = json.loads(next(home.data.rglob("control.json")).read_text())
    url = f"http://127.0.0.1:{told['port']}/faults"
    head = {"Authorization": f"Bearer {told['token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(rule).encode() if rule else None, head, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


async def line_of_trader(hands: FamilyHands) -> dict[str, Any]:
    told = await hands.ask(TRADER, "settings")
    return dict(told["parts"].get("line", {}).get("metrics", {}))


def test_a_trader_whose_venue_has_become_slow_gets_its_answers_again_and_the_revert_leaves_no_byte(
    tmp_path: Path,
) -> None:
    issue = issue_of(IssueType.TIMEOUT, TRADER)

    async def heal(hands: FamilyHands) -> None:
        async def given_up() -> bool:
            line = await line_of_trader(hands)
            return int(line["given_up"]) >= 3

        assert "a longer time-out wouldn't help" in await RAISE_TIMEOUT.obstacle(issue, hands)
        ask_venue(hands.home, "POST", fault="latency", on="GET /api/v3/*", value=SLOW_S, distribution="constant")
        await eventually_async(given_up, 30, every_s=0.1)
        assert not await RAISE_TIMEOUT.obstacle(issue, hands)
        undo = await RAISE_TIMEOUT.apply(issue, hands)
        assert (undo["before"], undo["after"], hands.renewed) == (0.6, 1.2, [TRADER])
        assert hands.kept[0]["adjustment"] == undo["adjustment"]

        async def answered() -> bool:
            line = await line_of_trader(hands)
            return (
                bool(line) and int(line["requests"]) >= REQUESTS_LEAST and float(line["p50_s"]) >= float(SLOW_S) - 0.1
            )

        await eventually_async(answered, 40, every_s=0.2)
        line = await line_of_trader(hands)
        assert line["timeout_s"] == 1.2
        assert line["given_up"] < line["requests"] / 2, "all of them would have been given up before"
        ask_venue(hands.home, "DELETE")
        await RAISE_TIMEOUT.revert(undo, hands)
        assert (await line_of_trader(hands))["timeout_s"] == 0.6
        await RAISE_TIMEOUT.revert(undo, hands)
        assert hands.renewed == [TRADER, TRADER], "a second revert does nothing"
        assert not file_in(hands.home.data).exists()

    with family_in(tmp_path / "home", config=IMPATIENT) as family:
        family.start("venue", TRADER)
        eventually(lambda: family.is_quiet("sandbox"), 30)
        hands = FamilyHands(family)
        eventually(lambda: asyncio.run(line_of_trader(hands)).get("requests", 0) >= REQUESTS_LEAST, 30)
        asyncio.run(heal(hands))


def test_a_process_that_never_comes_back_leaves_the_setting_as_it_was(tmp_path: Path) -> None:
    class Broken:
        """Nobody can be renewed."""

        pace = 1.0

        def __init__(self) -> None:
            self.home, self.clock = Home(tmp_path), SystemClock()
            self.kept: list[dict[str, Any]] = []
            self.asked = 0
            self.answered_s: float | None = 4.3

        async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
            self.asked += 1
            probe = {"number": self.asked, "answered_s": self.answered_s}
            return {"parts": {"line": {"metrics": measured(given_up=5)}}, "facts": {}, "pid": 7, "probe": probe}

        async def renew(self, process: str, cause: str) -> None:
            raise CannotHeal(f"{process} isn't back")

        def is_exposed(self, account: str) -> bool:
            return True

        def twin_of_sandbox(self) -> str:
            return ""

        def keep(self, undo: dict[str, Any]) -> None:
            self.kept.append(undo)

    hands = Broken()
    with pytest.raises(CannotHeal, match="live_optimus isn't back"):
        asyncio.run(RAISE_TIMEOUT.apply(issue_of(IssueType.TIMEOUT, "live_optimus"), hands))
    assert hands.kept
    assert not file_in(hands.home.data).exists()
    hands.answered_s = None
    assert "is away" in asyncio.run(RAISE_TIMEOUT.obstacle(issue_of(IssueType.TIMEOUT, "live_optimus"), hands))
    with pytest.raises(CannotHeal, match="is away"):
        asyncio.run(RAISE_TIMEOUT.apply(issue_of(IssueType.TIMEOUT, "live_optimus"), hands))
