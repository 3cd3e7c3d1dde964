"""nae venue serve, with what some clients need besides: keys to log on with, and listenKeys."""

import asyncio
import json
import signal
import stat
from pathlib import Path

import aiohttp
import pytest

from execution.console.cli import run
from execution.venue.auth import ApiKey
from execution.vocabulary.exit_codes import ExitCode
from tests.clients.judge import judged
from tests.clients.sdk_sockets import caller
from tests.console.test_venue_commands import serving

pytestmark = pytest.mark.filterwarnings("ignore:parameter 'timeout' of type:DeprecationWarning")  # the client's own


def key_in(file: Path, account: str) -> ApiKey:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = json.loads(file.read_text())
    return ApiKey(account, written["key"], written["secret"])


def test_a_session_is_logged_on_with_the_second_key_and_old_clients_get_a_listen_key(tmp_path: Path) -> None:
    folder = tmp_path / "alone"

    async def use(port: int, keys: Path) -> None:
        hmac, ed25519 = key_in(keys / "trader.json", "trader"), key_in(keys / "trader.ed25519.json", "trader")
        with judged() as judge:
            async with caller(port, judge, ed25519, ed25519.secret) as client:
                await client.ask("session_logon")
                await client.ask("user_data_stream_subscribe")
                await client.ask("order_place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.001)
                await client.told(X="FILLED")
            async with caller(port, judge, hmac) as client:
                assert len((await client.ask("my_trades", symbol="BTCUSDT")).result) == 1, "it is the same account"
        url, asks = f"http://127.0.0.1:{port}/api/v3/userDataStream", {"X-MBX-APIKEY": hmac.key}
        async with aiohttp.ClientSession() as session, session.post(url, headers=asks) as reply:
            assert len((await reply.json())["listenKey"]) == 64

    with serving(folder, "--ed25519", "--legacy-listen-key") as (process, said):
        port = int(said["REST"].removesuffix("/api/v3").rpartition(":")[2])
        asyncio.run(use(port, folder / "keys"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_key_file_that_holds_another_kind_of_secret_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    file = keys / "trader.ed25519.json"
    file.write_text(json.dumps({"key": "k", "secret": "no PEM"}))
    file.chmod(0o600)
    assert run(["venue", "serve", "--folder", str(tmp_path), "--ed25519"]) == ExitCode.CONFIG
