"""Whatever arrives is a message of ours or Garbage: never another exception, whoever sent it."""

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.runtime.codec import DEPTH_MAX, Garbage, decode, encode
from execution.vocabulary.health import ComponentHealth, ComponentStatus, ErrorCount, TaskProgress
from execution.vocabulary.lifecycle import ProcessState
from execution.vocabulary.limits import MESSAGE_MAX_BYTES
from execution.vocabulary.messages import AnyMessage, Command, Heartbeat, OperationHealth, Reply

BEAT = Heartbeat(
    process="ralph", sent_ms=1, pid=7, build="abc", state=ProcessState.RUNNING, sequence=3, uptime_s=1.5, facts={"a": 1}
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
COUNTS = st.integers(min_value=0, max_value=2**40)
TEXTS = st.text(max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
FACTS = st.dictionaries(TEXTS, PLAIN, max_size=3)
HEAD = {"process": TEXTS, "sent_ms": NUMBERS}
TASKS = st.builds(TaskProgress, TEXTS, FINITE, COUNTS, COUNTS, st.none() | FINITE, st.none() | FINITE, st.booleans())
ERRORS = st.builds(ErrorCount, TEXTS, TEXTS, TEXTS, TEXTS, COUNTS, COUNTS, FINITE)
PARTS = st.builds(ComponentHealth, st.sampled_from(ComponentStatus), st.none() | TEXTS, COUNTS, FACTS)
MESSAGES: st.SearchStrategy[AnyMessage] = st.one_of(
    st.builds(
        Heartbeat,
        **HEAD,
        pid=COUNTS,
        build=TEXTS,
        state=st.sampled_from(ProcessState),
        sequence=COUNTS,
        uptime_s=FINITE,
        tasks=st.lists(TASKS, max_size=2),
        components=st.dictionaries(TEXTS, PARTS, max_size=2),
        errors=st.lists(ERRORS, max_size=2),
        facts=FACTS,
        garbage=COUNTS,
    ),
    st.builds(Command, **HEAD, id=TEXTS, verb=TEXTS, deadline_ms=NUMBERS, arguments=FACTS),
    st.builds(Reply, **HEAD, id=TEXTS, ok=st.booleans(), result=FACTS, error=TEXTS),
    st.builds(OperationHealth, **HEAD, mode=TEXTS, overall=TEXTS, processes=st.dictionaries(TEXTS, TEXTS, max_size=3)),
)


@settings(max_examples=150, deadline=None)
@given(MESSAGES)
def test_what_is_encoded_decodes_to_the_same_message(message: AnyMessage) -> None:
    assert decode(encode(message)) == message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_garbage(data: bytes) -> None:
    with pytest.raises(Garbage):
        decode(data)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_message_is_garbage_or_still_a_message(data: st.DataObject) -> None:
    whole = bytearray(encode(BEAT))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(whole[: data.draw(st.integers(0, len(whole)))])).version == 1
    except Garbage:
        pass  # the expected end


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXTS | NUMBERS | FINITE | st.booleans(), PLAIN | st.binary(max_size=5), max_size=5))
def test_any_map_is_garbage_or_a_message(value: dict[Any, Any]) -> None:
    with pytest.raises(Garbage):
        decode(msgpack.packb({"kind": "heartbeat"} | value))


def altered(**changes: Any) -> bytes:
    """A heartbeat with some of its fields replaced; a value of None takes the field away."""
    raw = msgspec.to_builtins(BEAT) | changes
    return msgpack.packb({key: value for key, value in raw.items() if value is not None}) or b""


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "data",
    [
        altered(kind="telegram"),
        altered(kind=None),
        altered(kind=7),
        altered(surprise=1),
        altered(pid="seven"),
        altered(pid=None),
        altered(state="dancing"),
        altered(tasks=[{"name": "x"}]),
        altered(uptime_s=float("nan")),
        altered(facts={"price": float("inf")}),
        altered(facts={"a": [{"b": float("-inf")}]}),
        altered(facts={"a": b"bytes"}),
        altered(facts={1: "a number as a key"}),
        altered(facts={"a": msgpack.ExtType(5, b"x")}),
        altered(facts={"a": msgpack.Timestamp(1, 1)}),
        altered(facts={"deep": nested(DEPTH_MAX)}),
        altered(facts={"deep": nested(500)}),
        altered(facts={"long": [0] * 20_000}),
        b"\x91" * 100_000,
        b"\x81\xa1a" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        encode(BEAT) + b"\x00",
        encode(BEAT)[:-1],
        b"",
        b"\xc1",
        msgpack.packb(None),
        msgpack.packb([1, 2]),
        msgpack.packb(float("nan")),
        msgpack.packb([float("inf")]),
        b"\xa2\xff\xff",
    ],
)
def test_what_isnt_one_message_of_ours_is_garbage(data: bytes) -> None:
    with pytest.raises(Garbage):
        decode(data)


DEEPEST = DEPTH_MAX - 3  # within facts, which is itself within the message


@pytest.mark.parametrize("depth", range(DEEPEST + 1))
def test_at_every_depth_a_number_has_to_be_finite_and_to_the_deepest_it_may_be(depth: int) -> None:
    def within(leaf: object) -> bytes:
        value = leaf
        for level in range(depth):
            value = {"a": value} if level % 2 else [value]
        return altered(facts={"a": value})

    beat = decode(within(1.5))
    assert isinstance(beat, Heartbeat) and beat.facts
    for wrong in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(Garbage, match="finite"):
            decode(within(wrong))
    if depth == DEEPEST:
        with pytest.raises(Garbage, match="too deep"):
            decode(within([1.5]))


def test_another_version_is_garbage_and_said_as_such() -> None:
    with pytest.raises(Garbage, match="version 2, we speak 1"):
        decode(altered(version=2))


def test_a_message_over_the_limit_is_refused_on_both_sides() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        encode(Reply(process="a", sent_ms=1, id="x", ok=True, result={"text": "x" * MESSAGE_MAX_BYTES}))
    with pytest.raises(Garbage, match="bytes"):
        decode(b"\x00" * (MESSAGE_MAX_BYTES + 1))


def test_the_reason_is_short_however_long_the_garbage() -> None:
    with pytest.raises(Garbage) as caught:
        decode(altered(kind="k" * 100_000))
    assert len(str(caught.value)) < 300
