"""The shape of a message: the same for the same fault, short, and without anything that changes or is secret."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from execution.runtime.redaction import hide
from execution.runtime.template import TEMPLATE_MAX, readable, template_of

KEY = "AKIA-this-is-a-key-0123456789abcdef"
PIECES = st.sampled_from(
    [
        "'",
        '"',
        "`",
        " ",
        "a",
        "isn't",
        "7",
        "²",
        "/",
        "\\",
        "://",
        "=",
        ":",
        "signature",
        "password",
        "***",
        "<n>",
        "x" * 30,
        "\n",
    ]
)
TEXTS = st.text(max_size=300) | st.lists(PIECES, max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
@example("password''longword")
@example("'a'b' c'")
@example("signature=' 'abcdefgh")
def test_the_shape_of_a_shape_is_itself_and_it_is_bounded_and_without_numbers(text: str) -> None:
    shape = template_of(text)
    assert template_of(shape) == shape
    assert len(shape) <= TEMPLATE_MAX
    assert not any(one.isnumeric() for one in shape)
    assert shape.isprintable()


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_no_secret_stays_in_it_whatever_stands_around(before: str, after: str) -> None:
    hide(KEY)
    assert KEY not in template_of(before + KEY + after)
    assert KEY not in readable(before + KEY + after, 300)


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("order 17 of 'BTC/USDT' failed", "order <n> of <name> failed"),
        ("-1013 Filter failure: NOTIONAL", "<n> Filter failure: NOTIONAL"),
        ("[Errno 2] No such file or directory: '/home/me/nae.toml'", "[Errno <n> No such file or directory: <name>"),
        ("can't read /etc/passwd, isn't ours", "can't read <path> isn't ours"),
        ("No module named 'ccxt-mexc-futures'", "No module named <name>"),
        ("GET https://host/api?signature=abcdef123456 timed out", "GET <path> timed out"),
        ("token abcdefghijklmnopqrstuvwxyzabcdef refused", "token <id> refused"),
        ("a\nb\x1b[31mc", "a b <n>"),
    ],
)
def test_numbers_names_paths_and_ids_are_taken_out(message: str, shape: str) -> None:
    assert template_of(message) == shape
