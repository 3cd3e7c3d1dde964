"""A ledger that was damaged under an account is built again, and with the venue's word it is as if nothing had been."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from execution.ledger.backups import back_up
from execution.ledger.rebuild import open_or_rebuild
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Side
from tests.exchange.world import BTC, ETH, World, make_gateway, world


async def trade(here: World) -> None:
    for side, quantity, symbol in ((Side.BUY, "0.002", BTC), (Side.BUY, "0.03", ETH), (Side.SELL, "0.001", BTC)):
        outcome = await here.gateway.place(await here.order(side, quantity, symbol))
        assert outcome.refusal is None


async def rest(here: World) -> str:
    """An order that stays in the book; its id."""
    far = (await here.gateway.fetch_quotes([BTC]))[BTC].bid * Decimal("0.985")
    outcome = await here.gateway.place(await here.order(limit_price=round(far, 0)))
    assert outcome.client_order_id is not None and outcome.state is OrderState.OPEN
    return outcome.client_order_id


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"BTC/USDT", b"BTD/USDT", 1))


HARM: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "changed": flip,
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("backed_up", [True, False])
@pytest.mark.parametrize("harm", HARM)
def test_after_one_reconciliation_it_holds_what_it_held_and_knows_each_order(
    tmp_path: Path, harm: str, backed_up: bool
) -> None:
    async def scenario() -> None:
        async with world(tmp_path) as here:
            await trade(here)
            settled = await rest(here)
            await here.reconcile()
            if backed_up:
                back_up(here.ledger.path, here.clock)
                here.ledger.begin_journal()
            await here.gateway.cancel(settled)  # what the copy still takes for open
            await trade(here)
            resting = await rest(here)
            await here.reconcile()
            lost = here.ledger.record_intent(await here.order())  # and killed: it never left
            before, path = here.ledger, here.ledger.path
            books = (before.positions(), here.books(), before.fills_count, before.closed_trades())
            states = {row.client_order_id: row.state for row in before.orders(limit=-1)}
            before.close()
            HARM[harm](path)
            here.ledger = open_or_rebuild(path, "sandbox", here.clock)
            here.gateway = make_gateway(here.client, here.ledger, here.clock, here.quotes)
            assert not here.ledger.reconciliation().reconciled
            refused = await here.gateway.place(await here.order())
            assert refused.refusal is not None and refused.client_order_id is None  # nothing is bought until then
            await here.gateway.load_rules()
            here.clock.ahead_s += 7  # beyond the time in which the venue could still take what was on its way
            result = await here.reconcile()
            assert (result.reconciled, result.differences, result.unknown_orders) == (True, [], 0)
            after = here.ledger
            assert (after.positions(), here.books(), after.fills_count, after.closed_trades()) == books
            assert here.books() == {name: total for name, total in (await here.venue_balances()).items() if total}
            told = {row.client_order_id: row.state for row in after.orders(limit=-1)}
            assert told == states | {lost: OrderState.REJECTED}
            assert (told[settled], told[resting]) == (OrderState.CANCELED, OrderState.OPEN)
            outcome = await here.gateway.place(await here.order())
            assert outcome.client_order_id not in states and outcome.state is OrderState.FILLED

    asyncio.run(scenario())
