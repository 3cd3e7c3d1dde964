"""The control port: who may ask, what is refused, and that a rule given there befalls the next request."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.clock import ManualClock
from execution.venue.control import CONTROL_NAME, ControlPort
from execution.venue.fault_kinds import EVENTS, INSIDE, MEANINGS, Fault
from execution.venue.fault_script import as_row, parse_rules, read_rule, read_script
from execution.venue.fault_targets import find_wrong_target
from execution.venue.faults import Faults, Rule
from execution.vocabulary.exit_codes import ConfigError


@asynccontextmanager
async def control_port(folder: Path, faults: Faults) -> AsyncIterator[tuple[aiohttp.ClientSession, str, str]]:
    """A client, the port's address, and its token."""
    control = ControlPort(faults, folder)
    port = await control.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{port}", json.loads(control.file.read_text())["token"]
    finally:
        await control.stop()


def test_only_who_has_the_token_is_heard_and_only_under_our_own_name(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with control_port(tmp_path, faults) as (session, url, token):
            file = tmp_path / CONTROL_NAME
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            good = {"Authorization": f"Bearer {token}"}
            for headers, status in (
                ({}, 401),
                ({"Authorization": "Bearer "}, 401),
                ({"Authorization": f"Bearer {token[:-1]}"}, 401),
                ({"Authorization": "Bearer \u00e4"}, 401),
                (good | {"Host": "evil.example"}, 403),
                (good, 200),
            ):
                async with session.post(f"{url}/faults", headers=headers, json={"fault": "cut"}) as reply:
                    assert reply.status == status, headers
                    assert token not in await reply.text()
            assert [rule for _, rule, _ in faults.rules()] == [Rule(Fault.CUT)]
        assert not file.exists(), "a token of a venue that is gone opens nothing"

    asyncio.run(scene())


def test_rules_are_given_listed_and_taken_back(tmp_path: Path) -> None:
    async def scene() -> None:
        faults = Faults()
        async with control_port(tmp_path, faults) as (session, url, token):

            async def ask(method: str, path: str, body: object = None) -> tuple[int, Any]:
                headers = {"Authorization": f"Bearer {token}"}
                async with session.request(method, url + path, headers=headers, json=body) as reply:
                    return reply.status, await reply.json(content_type=None)

            rows = [{"fault": "latency", "value": "0.5"}, {"fault": "drop_event", "on": "btcusdt@*", "for_s": 9}]
            assert await ask("POST", "/faults", rows) == (200, {"numbers": [1, 2]})
            faults.pick(EVENTS, "btcusdt@trade")
            _, told = await ask("GET", "/faults")
            assert [(row["fault"], row["happened"]) for row in told["faults"]] == [("latency", 0), ("drop_event", 1)]
            assert await ask("DELETE", "/faults/1") == (200, {"removed": 1})
            assert (await ask("DELETE", "/faults/1"))[0] == 404
            assert await ask("DELETE", "/faults") == (200, {"removed": 1})
            status, told = await ask("POST", "/faults", {"fault": "lateny"})
            assert (status, told["problem"]) == (400, "request: fault = 'lateny'; latency would be right")
            status, told = await ask("POST", "/faults", [{"fault": "cut"}, {"fault": "lateny"}])
            assert (status, told["problem"]) == (400, "request: rule 2: fault = 'lateny'; latency would be right")
            status, _ = await ask("POST", "/faults", "x" * 300_000)
            assert status == 413
            assert faults.rules() == []

    asyncio.run(scene())


def test_a_rule_for_a_market_an_account_or_a_door_that_isn_t_there_is_refused_with_those_that_are() -> None:
    symbols, accounts = {"BTCUSDT", "ETHUSDT"}, {"anna"}

    def wrong(fault: Fault, on: str) -> str | None:
        return find_wrong_target(Rule(fault, on), symbols, accounts)

    good = (
        *((Fault.MAINTENANCE, on) for on in ("BTCUSDT", "*", "ETH*")),
        *((Fault.REVOKED_KEY, "anna"), (Fault.BALANCE, "anna/DOGE"), (Fault.SHORT_LIFE, "ws-api")),
        *((Fault.CUT, "POST /api/v3/whatever"), (Fault.DROP_EVENT, "xyz@depth"), (Fault.OFFLINE, "*")),
    )
    assert [row for row in good if wrong(*row)] == []
    assert wrong(Fault.MAINTENANCE, "BTC/USDT") == "on = 'BTC/USDT' isn't there; BTCUSDT or ETHUSDT or * would be right"
    assert wrong(Fault.READ_ONLY_KEY, "bob") == "on = 'bob' isn't there; anna or * would be right"
    assert wrong(Fault.BALANCE, "bob/BTC") == "on = 'bob/BTC' isn't there; anna/BTC would be right"
    assert wrong(Fault.DISCONNECT, "rest") == "on = 'rest' isn't there; streams or ws-api or * would be right"


def test_bad_scripts_are_refused_by_file_rule_and_key(tmp_path: Path) -> None:
    file = tmp_path / "drill.json"
    for text, said in (
        ("{", "not valid JSON"),
        ("[1]", "rule 1 must be an object"),
        ('[{"fault": "cut"}, {"fault": "cutt"}]', "rule 2: fault = 'cutt'; cut would be right"),
        ('{"fault": "cut", "chnce": 1}', "unknown key 'chnce'; did you mean chance?"),
        ('{"fault": "cut", "chance": 2}', "chance = '2'; a number from 0 to 1"),
        ('{"fault": "cut", "times": 0}', "times = '0'; a whole number of at least 1"),
        ('{"fault": "cut", "on": ""}', "on = ''"),
        ('{"fault": "cut", "value": 1}', "none: cut takes no value"),
        ('{"fault": "latency", "value": 61}', "seconds from 0 to 60"),
        ('{"fault": "latency", "value": "NaN"}', "seconds from 0 to 60"),
        ('{"fault": "balance", "value": 1}', "an account and an asset, like trader/USDT"),
        ('{"fault": "balance", "on": "a/USDT"}', "balance needs the amount"),
        ('{"fault": "balance", "on": "a/USDT", "value": "0.000000001"}', "at most 8 decimals"),
        ('{"fault": "balance", "on": "a/USDT", "value": 1e15}', "amount from -1000000000000 to 1000000000000"),
    ):
        file.write_text(text)
        try:
            read_script(file)
        except ConfigError as error:
            assert str(file) in str(error)
            assert said in str(error)
        else:
            raise AssertionError(text)


RULES = st.builds(
    Rule,
    st.sampled_from([fault for fault in Fault if not MEANINGS[fault].takes_value or MEANINGS[fault].usual is not None]),
    st.text(min_size=1, max_size=20),
    st.none() | st.integers(1, 1000),
    st.floats(0, 1),
    st.floats(0, 1e6),
    st.none() | st.floats(0, 1e6),
)


@given(rule=RULES)
def test_a_rule_that_is_written_down_is_read_back(rule: Rule) -> None:
    assert read_rule(as_row(rule), "here") == rule


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), lambda x: st.lists(x, max_size=3)
)
KEYS = st.sampled_from(["fault", "on", "times", "chance", "after_s", "for_s", "value", "distribution", "x"])


@settings(max_examples=300)
@given(row=st.dictionaries(KEYS, JSON | st.sampled_from(list(Fault)), max_size=7))
def test_any_json_is_a_rule_or_is_refused_with_a_reason(row: dict[str, object]) -> None:
    try:
        rules = parse_rules(json.dumps([row]).encode(), "here")
    except ConfigError as error:
        assert str(error).startswith("here")
    else:
        assert rules[0].fault in Fault


def test_the_same_seed_and_rules_go_wrong_the_same_way_whatever_else_is_asked() -> None:
    def drawn(seed: int, noise: bool) -> list[bool]:
        faults = Faults(seed)
        faults.add(Rule(Fault.CUT, "POST *", chance=0.3))
        faults.add(Rule(Fault.DROP_EVENT, chance=0.5))
        asked = []
        for _ in range(200):
            asked.append(faults.next("POST /api/v3/order") is Fault.CUT)
            if noise:
                faults.pick(EVENTS, "btcusdt@trade")
        return asked

    assert drawn(1, noise=False) == drawn(1, noise=True)
    assert drawn(1, noise=False) != drawn(2, noise=False)
    assert 30 < drawn(1, noise=False).count(True) < 90


def test_a_rule_holds_from_when_to_when_and_as_often_as_it_says() -> None:
    clock, faults = ManualClock(), Faults()
    faults.begin(clock)
    faults.add(Rule(Fault.CUT, "POST *", times=2, after_s=10, for_s=10))
    assert faults.pick(INSIDE, "POST /x") is None
    clock.advance(10)
    assert faults.pick(INSIDE, "GET /x") is None
    assert faults.pick(INSIDE, "POST /x") is not None
    clock.advance(9.9)
    assert faults.pick(INSIDE, "POST /x") is not None
    assert faults.pick(INSIDE, "POST /x") is None, "twice is enough"
    faults.add(Rule(Fault.CUT, for_s=1))
    clock.advance(1)
    assert faults.pick(INSIDE, "POST /x") is None, "its time is over"
    assert faults.rules() == []


def test_every_kind_says_what_it_means_and_has_its_place() -> None:
    from execution.venue.fault_kinds import AT_DOOR, AT_ONCE, STANDING

    assert set(MEANINGS) == set(Fault)
    groups = (INSIDE, AT_DOOR, EVENTS, AT_ONCE, STANDING)
    assert sorted(fault for group in groups for fault in group) == sorted(Fault)
