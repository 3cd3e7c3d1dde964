"""Settings that the operation changes by itself: within their bounds, never a limit of risk; a person's word wins."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.adjustments import (
    TUNABLE,
    Adjustment,
    AdjustmentsRefused,
    decode,
    encode,
    file_in,
    laid_over,
    last_good,
    value_in,
)
from execution.runtime.config import as_written, load
from execution.runtime.settings import Config, Strict
from execution.vocabulary.limits import ADJUSTMENTS_MAX, ADJUSTMENTS_MAX_BYTES, RECV_WINDOW_MS

Put = Callable[..., Path]
PROCESS = "sandbox_optimus"


def adjustment(key: str = "operation.request_timeout_s", value: Any = 4.5, base: Any = 4.0, **more: Any) -> Adjustment:
    found = {"id": "a1", "before": base, "cause": "p99 3.9 s", "at_ms": 1} | more
    return Adjustment(key=key, value=value, base=base, **found)


def every_key() -> list[tuple[str, Any]]:
    """All keys of nae.toml with their defaults."""
    config = Config()
    return [
        (f"{section}.{key}", getattr(getattr(config, section), key))
        for section, kind in get_type_hints(Config).items()
        for key in get_type_hints(kind)
    ]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """A home whose file of adjustments has this content; its nae.toml."""

    def with_content(content: bytes, toml: str = "", good: bytes | None = None) -> Path:
        path = file_in(tmp_path / "data")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if good is not None:
            last_good(path).write_bytes(good)
        (tmp_path / "nae.toml").write_text(toml)
        return tmp_path / "nae.toml"

    return with_content


def test_an_adjustment_lies_over_what_nae_toml_says(put: Put) -> None:
    path = put(encode([adjustment()]))
    assert load(path, {}).operation.request_timeout_s == 4.5
    assert as_written(path, {}).operation.request_timeout_s == 4.0


def test_the_newest_of_a_key_holds_and_without_it_the_one_before(put: Put) -> None:
    first, second = adjustment(), adjustment(value=4.7, id="a2", before=4.5)
    assert load(put(encode([first, second])), {}).operation.request_timeout_s == 4.7
    assert load(put(encode([first])), {}).operation.request_timeout_s == 4.5


def test_one_for_a_process_holds_for_no_other(put: Put) -> None:
    path = put(encode([adjustment("operation.log_level", "DEBUG", "INFO", process=PROCESS)]))
    assert load(path, {}, PROCESS).operation.log_level == "DEBUG"
    assert load(path, {}, "ralph").operation.log_level == "INFO"
    assert load(path, {}).operation.log_level == "INFO"


def test_a_person_who_has_changed_the_key_since_has_the_last_word(put: Put) -> None:
    path = put(encode([adjustment()]), "[operation]\nrequest_timeout_s = 1\n")
    assert load(path, {}).operation.request_timeout_s == 1


def test_so_has_the_environment(put: Put) -> None:
    path = put(encode([adjustment("operation.health_interval_s", 15.0, 30.0)]))
    assert load(path, {}).operation.health_interval_s == 15
    assert load(path, {"NAE_HEALTH_INTERVAL": "20"}).operation.health_interval_s == 20


@pytest.mark.parametrize(("key", "default"), every_key())
def test_only_four_keys_of_nae_toml_can_be_adjusted_and_none_of_risk_or_money(key: str, default: Any) -> None:
    section = key.partition(".")[0]
    tried: list[Any] = [default, "DEBUG", 0, 1, 4.5, -1, 1e9, True, [], "", None]
    taken = 0
    for value, base, process in itertools.product(tried, [default], ("", PROCESS)):
        row = {"id": "a1", "before": 1.0, "cause": "", "at_ms": 1, "key": key, "process": process}
        row |= {"value": _plain(value), "base": _plain(base)}
        try:
            (found,) = decode(json.dumps({"format": 1, "adjustments": [row]}).encode())
        except AdjustmentsRefused:
            continue
        taken += 1
        changed = laid_over(Config(), [found], PROCESS)
        for other in get_type_hints(Config):
            assert other == "operation" or getattr(changed, other) == getattr(Config(), other)
    assert bool(taken) == (key in TUNABLE)
    assert section == "operation" or not taken


def _plain(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return str(value)


def test_no_section_but_the_operations_own_is_in_the_table() -> None:
    assert {key.partition(".")[0] for key in TUNABLE} == {"operation"}
    assert "operation.memory_max_mib" not in TUNABLE, "a ceiling is never raised by what meets it"


VALUES = st.one_of(st.floats(), st.floats(0, 10_000), st.integers(-10, 10_000), st.sampled_from(["DEBUG", "INFO", ""]))


@given(st.sampled_from(sorted(TUNABLE)), VALUES, VALUES, st.sampled_from(["", PROCESS, "nobody"]))
def test_whatever_stands_in_the_file_a_setting_stays_where_a_person_may_put_it(
    key: str, value: Any, base: Any, process: str
) -> None:
    row = adjustment(key, value, base, process=process)
    if row.problem():
        return
    config = Config()
    operation = msgspec.structs.replace(config.operation, **{key.partition(".")[2]: base})
    found = value_in(laid_over(msgspec.structs.replace(config, operation=operation), [row], process), key)
    if isinstance(found, str):
        assert (found, base in ("DEBUG", "INFO")) == ("DEBUG", True)
        return
    low, high = TUNABLE[key].bounds(key, base)
    assert low <= found <= high
    assert math.isfinite(found)
    if key == "operation.request_timeout_s":
        assert base <= found < RECV_WINDOW_MS / 1000
    elif key == "operation.health_interval_s":
        assert found <= base, "never looked at more rarely than a person wants it"
    else:
        assert base <= found <= base * 1.5


GOOD = encode([adjustment()])
POISONED = [
    b"",
    b"\xff\xfe{",
    b"[" * 30_000,
    b'{"format": 2, "adjustments": []}',
    b'{"format": 1, "adjustments": [], "more": 1}',
    GOOD.replace(b"4.5", b"NaN"),
    GOOD.replace(b"4.5", b"1e999"),
    GOOD.replace(b"4.5", b"5.0"),
    GOOD.replace(b"4.5", b"3.0"),
    GOOD.replace(b"4.5", b"-4.5"),
    GOOD.replace(b"4.5", b'"4.5"'),
    GOOD.replace(b"4.5", b"true"),
    GOOD.replace(b"operation.request_timeout_s", b"risk.exposure_max"),
    GOOD.replace(b"operation.request_timeout_s", b"operation.memory_max_mib"),
    GOOD.replace(b'"cause"', b'"clause"'),
    encode([adjustment(), adjustment(value=4.6)]),
    encode([adjustment(id=f"a{number}") for number in range(ADJUSTMENTS_MAX + 1)]),
    GOOD + b" " * ADJUSTMENTS_MAX_BYTES,
    encode([adjustment("operation.log_level", "DEBUG", "INFO")]),
    encode([adjustment("operation.log_level", "ERROR", "INFO", process=PROCESS)]),
    encode([adjustment(), adjustment(id="a2", process="../../etc")]),
]


@pytest.mark.parametrize("content", POISONED)
def test_a_poisoned_file_is_refused_whole_and_the_last_good_one_holds(
    put: Put, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(put(content), {}, PROCESS) == Config()
    path = put(content, good=GOOD)
    assert load(path, {}, PROCESS).operation.request_timeout_s == 4.5
    assert "adjustments.json is refused: " in caplog.text
    assert file_in(path.parent / "data").read_bytes() == content, "a reader changes nothing"


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_a_reader(content: bytes) -> None:
    try:
        decode(content)
    except AdjustmentsRefused as refusal:
        assert str(refusal)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda one: st.lists(one, max_size=3))
)
def test_no_shape_at_all_breaks_it_either(rows: Any) -> None:
    try:
        decode(json.dumps({"format": 1, "adjustments": rows}).encode())
    except AdjustmentsRefused as refusal:
        assert str(refusal)


def test_every_key_of_the_table_is_one_of_nae_toml() -> None:
    known = dict(every_key())
    assert set(TUNABLE) <= set(known)
    assert issubclass(type(Config().operation), Strict)
