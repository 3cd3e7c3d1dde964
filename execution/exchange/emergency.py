"""Taking every open order of an account away from the venue, whoever sent it. Cancelling twice does no harm, so here,
unlike with orders, asking again is right: until the venue shows none, or the time is over. Places nothing."""

import asyncio
from collections.abc import Callable, Collection

import msgspec

from execution.exchange.classify import BadReply, VenueError, Verdict
from execution.exchange.client import VenueClient
from execution.exchange.gateway import ExchangeGateway
from execution.exchange.venue_reader import Standing, VenueReader
from execution.runtime.clock import Clock
from execution.vocabulary.orders import OrderRow

AGAIN_S = 0.2
Keep = Callable[[Standing], bool]


class Swept(msgspec.Struct, frozen=True):
    """What became of the open orders. `left` still stand, as far as is known; `problem` is the venue's last refusal;
    `seen` is False when the venue never told what stands there."""

    cancelled: list[str]
    kept: list[str]
    left: list[str]
    problem: str = ""
    seen: bool = True


async def cancel_all(
    client: VenueClient,
    clock: Clock,
    deadline: float,
    gateway: ExchangeGateway | None = None,
    keep: Keep = lambda order: False,
) -> Swept:
    """Cancel what stands at the venue but what is to be kept. Orders that `gateway`'s ledger knows are cancelled by it,
    so that their fills are booked. Raises nothing for the venue."""
    reader = VenueReader(client)
    gone: dict[str, None] = {}
    standing: list[Standing] = []
    problem, seen = "", False
    while True:
        try:
            async with asyncio.timeout(max(0.1, deadline - clock.monotonic())):
                standing = await reader.fetch_standing()
                seen, problem = True, ""
                wanted = [row for row in standing if not keep(row)]
                if not wanted:
                    break
                answers = await asyncio.gather(*(_cancel(client, gateway, row) for row in wanted))
        except (VenueError, BadReply, TimeoutError) as error:
            problem = str(error) or "the venue didn't answer in time"
        else:
            gone |= {row.client_order_id: None for row, answer in zip(wanted, answers, strict=True) if answer == ""}
            problem = next((answer for answer in answers if answer), "")
        if clock.monotonic() >= deadline:
            break
        await clock.sleep(AGAIN_S)
    kept = [row.client_order_id for row in standing if keep(row)]
    left = [row.client_order_id for row in standing if not keep(row) and (problem or row.client_order_id not in gone)]
    return Swept(list(gone), kept, left, problem, seen)


async def _cancel(client: VenueClient, gateway: ExchangeGateway | None, order: Standing) -> str:
    """'' when it is gone, else why it isn't known to be."""
    symbol, client_order_id = order.symbol, order.client_order_id
    try:
        if gateway is not None and gateway.ledger.order(client_order_id) is not None:
            await gateway.cancel(client_order_id)
        else:
            await client.call("privateDeleteOrder", {"symbol": symbol, "origClientOrderId": client_order_id})
    except VenueError as error:
        return "" if error.outcome.verdict is Verdict.NOT_FOUND else str(error)
    except BadReply as error:
        return str(error)
    return ""


def kept_names(names: Collection[str]) -> Keep:
    """Keep exactly these."""
    kept = frozenset(names)
    return lambda order: order.client_order_id in kept


def kept_stops(order: Standing) -> bool:
    """Keep what protects by the venue's word alone, where no ledger tells what is ours."""
    return order.protects


async def take_stops_away(gateway: ExchangeGateway, concerned: Callable[[OrderRow], bool] = lambda order: True) -> None:
    """Cancel our stops that still stand: they lock what is to be sold. VenueError, BadReply: ask again."""
    for order in gateway.ledger.unsettled():
        if order.guards and concerned(order):
            await gateway.cancel(order.client_order_id)
