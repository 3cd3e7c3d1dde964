"""A probe is seen by the venue and by nobody else, says whose epoch it is, and needs the same right as an order."""

import asyncio
from decimal import Decimal
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from execution.exchange.probe import NOTHING_TO_ASK, smallest_quantity
from execution.vocabulary.market import SymbolRules
from execution.vocabulary.modes import TradeMode
from tests.exchange.proxy import Loses
from tests.exchange.world import BTC, SYMBOLS, World, make_gateway, world


def probes(here: World) -> list[tuple[str, int]]:
    journal = (here.folder / "venue" / "journal.jsonl").read_bytes().splitlines()
    rows = [orjson.loads(line) for line in journal]
    return [(row["id"], row["status"]) for row in rows if row.get("verb") == "POST order/test"]


def test_the_venue_sees_a_probe_by_its_epoch_and_the_ledger_does_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            assert await here.gateway.probe(1) == NOTHING_TO_ASK
            here.quotes.update(await here.gateway.fetch_quotes(SYMBOLS))
            before = here.books()
            assert await here.gateway.probe(2) is None
            await here.restart()
            assert await here.gateway.probe(1) is None
            assert probes(here) == [("1-probe-2", 200), ("2-probe-1", 200)]
            assert here.ledger.unsettled() == [] and here.books() == before
            metrics = here.gateway.get_health().metrics
            assert (metrics["probes"], metrics["probe_errors"], metrics["placed"]) == (1, 0, 0)

    asyncio.run(scenario())


def test_a_lost_lease_and_a_dry_run_send_no_probe(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.quotes.update(await here.gateway.fetch_quotes(SYMBOLS))
            dry = make_gateway(here.client, here.ledger, here.clock, here.quotes, trade_mode=TradeMode.DRY_RUN)
            lost = make_gateway(here.client, here.ledger, here.clock, here.quotes, may_send=lambda: "the lock is lost")
            dry.rules = lost.rules = here.gateway.rules
            assert await dry.probe(1) == "dry_run"
            assert await lost.probe(1) == "the lock is lost"
            assert probes(here) == []

    asyncio.run(scenario())


def test_a_probe_whose_answer_is_lost_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            here.quotes.update(await here.gateway.fetch_quotes(SYMBOLS))
            here.proxy.loses, here.proxy.match = Loses.REPLY, b"POST /api/v3/order/test"
            assert await here.gateway.probe(1)
            here.proxy.loses = Loses.NOTHING
            metrics = here.gateway.get_health().metrics
            assert (metrics["probes"], metrics["probe_errors"]) == (1, 1)
            assert await here.gateway.probe(2) is None

    asyncio.run(scenario())


steps = st.sampled_from(["0.00001", "0.001", "0.1", "1"]).map(Decimal)


@given(
    step=steps,
    least=st.integers(1, 1000),
    worth=st.decimals("0", "100", places=2),
    price=st.decimals("0.01", "100000", places=2),
)
def test_the_smallest_order_is_on_the_step_and_not_a_step_too_large(
    step: Decimal, least: int, worth: Decimal, price: Decimal
) -> None:
    rules = SymbolRules(BTC, "BTC", "USDT", Decimal("0.01"), step, least * step, worth, Decimal("0.001"))
    quantity = smallest_quantity(rules, price)
    assert quantity % step == 0 and quantity >= rules.lot_min
    less = quantity - step
    assert less < rules.lot_min or less * price < worth + step * price * Decimal("1e-20")
