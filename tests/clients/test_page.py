"""docs/venue_clients.md: what it tells a newcomer to type is what works."""

import asyncio
import json
import re
import time
from pathlib import Path

import ccxt.pro
import pytest

from execution.runtime.settings import VenueConfig
from tests.clients.loopback import strangers, urls_in
from tests.support import ROOT, child
from tests.venue.support import SANDBOX, running

PAGE = ROOT / "docs" / "venue_clients.md"
PLACE, KEYS, RECORDING = "127.0.0.1:8080", "data/venue_alone/keys/trader.json", "BTC_USDT-1m.csv"
WALL = "from tests.clients.loopback import loopback_only\nwall = loopback_only()\nwall.__enter__()\n"


def block(name: str, **written: str) -> str:
    """The page's block that is marked as tested under this name, with a test's own places written into it."""
    found = re.search(rf"<!-- tested: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, f"the page has no block {name}"
    code = found.group(1)
    for old, new in written.items():
        assert old in code
        code = code.replace(old, new)
    return code


def typed(code: str) -> str:
    """What the code prints, run by itself behind a wall around this machine."""
    with child(WALL + code) as process:
        printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return str(printed)


@pytest.mark.parametrize(
    ("name", "says"), [("ccxt", "closed open\ncanceled 1\n"), ("binance-sdk-spot", "FILLED NEW\nCANCELED\n")]
)
def test_a_client_that_is_pointed_at_the_venue_as_the_page_says_trades_there(
    tmp_path: Path, name: str, says: str
) -> None:
    async def scene() -> None:
        keys = tmp_path / "trader.json"
        keys.write_text(json.dumps({"key": SANDBOX.key, "secret": SANDBOX.secret}))
        async with running(tmp_path, driven=False) as venue:
            code = block(name, **{PLACE: f"127.0.0.1:{venue.port}", KEYS: str(keys)})
            assert await asyncio.to_thread(typed, code) == says

    asyncio.run(scene())


def test_freqtrade_s_configuration_leaves_no_url_of_ccxt_s_as_it_was() -> None:
    given = json.loads(block("freqtrade"))["exchange"]["ccxt_config"]
    client = ccxt.pro.binance(given)
    assert strangers(client.urls["api"]) == []
    assert len(urls_in(client.urls["api"])) == len(urls_in(given["urls"]["api"])), "and names none that there isn't"


def test_the_recording_that_the_page_makes_is_played_in_the_present(tmp_path: Path) -> None:
    async def scene() -> None:
        config = VenueConfig(market=f"replay:{tmp_path / RECORDING}", speed=1)
        async with running(tmp_path / "venue", config, driven=False) as venue:
            assert abs(venue.server.market.candles.now_ms() - time.time() * 1000) < 120_000
            assert list(venue.server.exchange.symbols) == ["BTCUSDT"]

    typed(block("present", **{RECORDING: str(tmp_path / RECORDING)}))
    asyncio.run(scene())
