"""Whose lock keeps nobody out any more sends nothing, from that moment on."""

import asyncio
from pathlib import Path

from execution.ledger.account_lock import account_lock
from execution.runtime.home import Home
from tests.exchange.world import SYMBOLS, make_gateway, world


def test_the_holder_of_a_replaced_lock_file_sends_no_order_and_no_probe(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.quotes.update(await here.gateway.fetch_quotes(SYMBOLS))
            lock, another = account_lock(Home(tmp_path), "live"), account_lock(Home(tmp_path), "live")
            gateway = make_gateway(here.client, here.ledger, here.clock, here.quotes, may_send=lock.lost)
            gateway.rules = here.gateway.rules
            lock.acquire("one")
            assert (await gateway.place(await here.order())).refusal is None
            lock.path.rename(tmp_path / "moved away")
            another.acquire("another")
            intents = len(here.ledger.orders())
            assert "was replaced" in str((await gateway.place(await here.order())).refusal)
            assert "was replaced" in str(await gateway.probe(1))
            assert len(here.ledger.orders()) == intents, "not even an intent"

    asyncio.run(scenario())
