"""No key and no signature in any line that is written, whatever text it came in."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.runtime import redaction
from execution.runtime.logs import CopyTruncateHandler, LineFormatter
from execution.runtime.redaction import hide, redact, redact_exact
from tests.support import child, eventually

CANARY = "Canary0123456789abcdefSecret"
SIGNED = (
    f"binance GET https://api.binance.com/api/v3/account?timestamp=1&recvWindow=5000&signature={'ab' * 32} timed out"
)
CRASH = """
import sys, threading, logging
from pathlib import Path
from execution.runtime.logs import log_to_file
from execution.runtime.redaction import hide
log_to_file(Path(sys.argv[1]), "INFO")
hide(sys.argv[2])
def fall():
    raise ValueError("in a thread: " + sys.argv[2])
thread = threading.Thread(target=fall); thread.start(); thread.join()
try:
    raise KeyError(sys.argv[2])
except KeyError as cause:
    raise RuntimeError("signature=" + "0f" * 32) from cause
"""


def forget() -> None:
    """The other tests' lines have nothing to hide."""
    redaction._secrets.clear()
    redaction._exact = None


@pytest.fixture(autouse=True)
def nothing_hidden() -> Iterator[None]:
    yield
    forget()


@pytest.mark.parametrize(
    "text",
    [
        SIGNED,
        f"{{'X-MBX-APIKEY': '{CANARY}', 'x': 1}}",
        f'{{"apiKey": "{CANARY}", "secret": "{CANARY}"}}',
        f"Authorization: Bearer {CANARY}",
        f"https://user:{CANARY}@host/path",
        f"password={CANARY}&x=1",
        f"listenKey={CANARY}",
    ],
)
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(text: str) -> None:
    shown = redact(text)
    assert CANARY not in shown and "abababab" not in shown and "***" in shown
    assert shown[:6] == text[:6]


@pytest.mark.parametrize(
    "text",
    [
        "market stream: NetworkError",
        "key and secret must not be empty",
        "order 3-k2v9-12 has an unknown fate: HTTP 504 RequestTimeout",
        "http://127.0.0.1:8123/api/v3",
        "the standby is ready: epoch=12 reconciled=True",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20), st.text(max_size=20), st.text(alphabet="abcXYZ0129+/=-_", min_size=8, max_size=64))
def test_a_secret_that_was_read_appears_nowhere_again(before: str, after: str, secret: str) -> None:
    try:
        hide(secret)
        assert secret not in redact(before + secret + after).replace("***", "")
        assert secret not in redact_exact(f"{before}{secret}{secret}{after}").replace("***", "")
    finally:
        forget()


def test_the_log_hides_it_in_messages_fields_and_tracebacks(tmp_path: Path) -> None:
    hide(CANARY)
    handler = CopyTruncateHandler(tmp_path / "x.log")
    handler.setFormatter(LineFormatter())
    log = logging.Logger("nae.test")
    log.addHandler(handler)
    try:
        raise TimeoutError(SIGNED) from ConnectionError(CANARY)
    except TimeoutError:
        log.exception("failed with %s", CANARY, extra={"fields": {"key": CANARY, "error": SIGNED}})
    written = (tmp_path / "x.log").read_text()
    assert "failed with" in written and "TimeoutError" in written
    assert CANARY not in written and "abababab" not in written


def test_a_process_that_dies_of_an_error_doesnt_tell_it_either(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with child(CRASH, str(path), CANARY) as dying:
        eventually(lambda: dying.poll() is not None)
        assert dying.returncode == 1
    written = path.read_text()
    assert written.count("nobody caught") == 2 and "RuntimeError" in written and "in a thread" in written
    assert CANARY not in written and "0f0f0f" not in written
