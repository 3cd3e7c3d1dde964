"""A key is read only from a file that is its owner's alone, and is never shown."""

import os
import stat
from pathlib import Path

import pytest

from execution.exchange.credentials import Credentials, create_embedded_credentials, load_credentials
from execution.exchange.endpoint import Endpoint, build_client
from execution.runtime.clock import SystemClock
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.modes import TradeMode

CANARY = "canary-secret-0123456789"


def key_file(folder: Path, content: str = f'{{"key": "k1", "secret": "{CANARY}"}}', mode: int = 0o600) -> Path:
    path = folder / "key.json"
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(tmp_path: Path, mode: int) -> None:
    assert load_credentials(key_file(tmp_path, mode=mode)) == Credentials("k1", CANARY)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load_credentials(key_file(tmp_path, mode=mode))


def test_a_link_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key_file(tmp_path))
    for name, why in (("link", "plain file"), (".", "plain file"), ("nowhere", "no such key file")):
        with pytest.raises(ConfigError, match=why):
            load_credentials(tmp_path / name)


@pytest.mark.parametrize(
    "content", ["", "{}", f'{{"key": "k1", "secret": "{CANARY}", "x": 1}}', f"key={CANARY}", '{"key":"","secret":""}']
)
def test_a_file_that_is_no_key_is_refused_without_being_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_credentials(key_file(tmp_path, content))
    assert "key.json" in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_embedded_keys_are_made_once_and_are_private_from_the_first_moment(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = create_embedded_credentials(tmp_path / "a" / "key.json")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a" / "key.json").stat().st_mode) == 0o600
    assert create_embedded_credentials(tmp_path / "a" / "key.json") == made
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["key.json"]
    assert made.key != made.secret


def test_a_key_shows_its_fingerprint_only(tmp_path: Path) -> None:
    credentials = load_credentials(key_file(tmp_path))
    assert CANARY not in f"{credentials} {credentials!r}"
    assert "k1" not in repr(credentials)


EMBEDDED = Endpoint("binance", "http://127.0.0.1:7")


def test_an_embedded_client_knows_no_other_host(tmp_path: Path) -> None:
    client = build_client(EMBEDDED, Credentials("k", "s"), SystemClock())

    def urls(value: object) -> list[str]:
        return [url for each in value.values() for url in urls(each)] if isinstance(value, dict) else [str(value)]

    assert len(urls(client.urls["api"])) > 15
    assert all("://127.0.0.1:7/" in url for url in urls(client.urls["api"]))
    for url in ("https://api.binance.com/api/v3/order", "http://localhost/", "http://127.0.0.1.evil.example/"):
        with pytest.raises(PermissionError):
            client.check_host(url)


def test_a_real_client_talks_to_the_real_hosts_only_and_does_check_certificates() -> None:
    client = build_client(Endpoint("binance"), Credentials("k", "s"), SystemClock(), TradeMode.LIVE)
    api = client.urls["api"]
    for url in (api["public"], api["private"], api["ws"]["spot"], api["ws"]["ws-api"]["spot"]):
        client.check_host(url)
    for name in ("sapi", "fapiPrivate", "dapiPrivate"):
        if not api[name].startswith("https://api.binance.com"):
            with pytest.raises(PermissionError):
                client.check_host(api[name])
    assert client.verify is True


def test_no_client_throttles_or_repeats() -> None:
    client = build_client(EMBEDDED, None, SystemClock())
    assert client.enableRateLimit is False
    assert client.options["maxRetriesOnFailure"] == 0
    assert client.options["recvWindow"] == 5000


@pytest.mark.parametrize(
    ("endpoint", "mode", "why"),
    [
        (Endpoint("binance"), TradeMode.PAPER, "only live trading"),
        (Endpoint("binance"), TradeMode.DRY_RUN, "only live trading"),
        (Endpoint("binance", "http://localhost:1"), TradeMode.PAPER, "must be http://127.0.0.1"),
        (Endpoint("binance", "https://api.binance.com"), TradeMode.LIVE, "must be http://127.0.0.1"),
        (Endpoint("binance", "http://127.0.0.1@api.binance.com"), TradeMode.PAPER, "must be http://127.0.0.1"),
        (Endpoint("kraken"), TradeMode.LIVE, "must be one of binance"),
    ],
)
def test_an_endpoint_that_is_not_allowed_is_refused(endpoint: Endpoint, mode: TradeMode, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        build_client(endpoint, Credentials("k", "s"), SystemClock(), mode)
