"""Our ledger against the venue: what the venue knows becomes known to us, then both must agree to the last digit.

The same path at every start and all the time after. Somebody else's orders, and money that came or went without us, are
said and never taken over in silence: only `adopt` (a person's decision) books them.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from execution.exchange.classify import BadReply
from execution.exchange.gateway import ExchangeGateway
from execution.ledger.store import Ledger
from execution.vocabulary.limits import READ_LAG_MARGIN_MS
from execution.vocabulary.money import ZERO, text
from execution.vocabulary.order_states import OrderState
from execution.vocabulary.orders import Balance

ATTEMPTS = 3  # a fill between two reads makes them differ: read again


class Reconciliation(msgspec.Struct, frozen=True):
    """What a comparison found. `differences` are sentences for people; empty when reconciled."""

    reconciled: bool
    differences: list[str]
    new_fills: int = 0
    unknown_orders: int = 0
    external_orders: int = 0


async def reconcile(
    gateway: ExchangeGateway, ledger: Ledger, adopt: bool = False, strangers: bool = True
) -> Reconciliation:
    """Learn, compare, remember the result in the ledger. VenueError or BadReply when the venue can't be asked.

    `adopt` books money that differs as an external cash flow, named so. Without `strangers` nobody looks for orders
    that aren't ours: they are only remarked on, and can wait for the next time.
    """
    await gateway.fresh_clock()
    if not (gateway.rules or gateway.symbols):
        await gateway.load_rules()  # who doesn't know where trades may be takes each for money from elsewhere
    if ledger.opened_ms is None:
        await open_books(gateway, ledger)
    await gateway.settle_unknown()
    await gateway.evidence.refresh_resting()
    # side by side: whoever takes an account over has no time to wait for one answer after the other
    seen = gateway.find_external_orders() if strangers else _nobody()
    (new_fills, differences), external = await asyncio.gather(_compare(gateway, ledger), seen)
    if differences is None or (differences and gateway.in_flight):
        differences = []  # money is moving: not a moment to compare; the last result stands
        reconciled = ledger.reconciliation().reconciled
    else:
        if differences and adopt and may_adopt(ledger):
            differences = await _adopt(gateway, ledger)
        reconciled = not differences
    unknown = [order for order in ledger.unsettled() if order.state is OrderState.UNKNOWN]
    remarks = [f"open order {order} isn't ours" for order in external]
    ledger.set_reconciliation(reconciled, differences + remarks)
    return Reconciliation(reconciled, differences + remarks, new_fills, len(unknown), len(external))


def may_adopt(ledger: Ledger) -> bool:
    """Not while an order's fate is open: its fill would look like somebody else's money, and be booked twice."""
    return all(order.guards for order in ledger.unsettled())


async def _nobody() -> list[str]:
    return []


async def open_books(gateway: ExchangeGateway, ledger: Ledger) -> None:
    """At the very first start: what the venue says we hold is what we begin with. Trades before now aren't ours.

    Trades and balances are read twice, the venue's read lag apart: a trade that only one of them shows yet would be
    counted twice, or never. BadReply while the account doesn't stand still.
    """
    symbols = sorted(gateway.symbols_of_interest())
    client = gateway.reader.client
    for _ in range(ATTEMPTS):
        opened_ms = gateway.venue_now_ms()
        before = await _newest_trades(gateway, symbols), await gateway.fetch_balances()
        if not client.embedded:  # its reads don't lag
            await client.budget.clock.sleep(READ_LAG_MARGIN_MS / 1000)
        trades, balances = await _newest_trades(gateway, symbols), await gateway.fetch_balances()
        if before == (trades, balances):
            break
    else:
        raise BadReply("somebody trades on the account this moment: its books can't be opened yet")
    if ledger.opened_ms is not None:
        return  # whoever compared at the same time was first
    totals = {currency: balance.total for currency, balance in balances.items()}
    ledger.open_books(totals, {symbol: trade for symbol, trade in trades.items() if trade}, opened_ms)


async def _newest_trades(gateway: ExchangeGateway, symbols: list[str]) -> dict[str, str]:
    newest = {}
    for symbol in symbols:
        trades = await gateway.reader.fetch_trades(symbol, limit=1)
        newest[symbol] = trades[-1].trade_id if trades else ""
    return newest


async def _compare(gateway: ExchangeGateway, ledger: Ledger) -> tuple[int, list[str] | None]:
    """How many fills were new, and what still differs after reading up to three times; None: no quiet moment."""
    new_fills = 0
    differences: list[str] | None = None
    for attempt in range(ATTEMPTS):
        known = ledger.fills_count
        venue = await gateway.fetch_balances()
        if ledger.fills_count != known:
            continue  # a fill was booked while the venue answered
        if not attempt:
            await gateway.evidence.refresh_stops({name: balance.locked for name, balance in venue.items()})
            if ledger.fills_count != known:
                continue  # a stop had gone off
        differences = balance_differences(venue, ledger, gateway.evidence.outside) + position_differences(venue, ledger)
        if not differences:
            gateway.evidence.outside.clear()
            break
        symbols = gateway.symbols_of_interest()
        likely = {symbol for symbol in symbols if symbol.partition("/")[0] in differing(venue, ledger)}
        swept = await asyncio.gather(*map(gateway.fetch_new_fills, sorted((not attempt and likely) or symbols)))
        new_fills += sum(map(len, swept))
    return new_fills, differences


def balance_differences(venue: dict[str, Balance], ledger: Ledger, outside: Mapping[str, Decimal]) -> list[str]:
    """Where the venue's balances and our books disagree, currency by currency. Equal means equal to the last digit.
    `outside`: what the venue has told of money that came or went without a trade."""
    return [
        f"{currency}: the venue says {text(there)}, our books {text(here)}{_explained(there - here, outside, currency)}"
        for currency, (there, here) in differing(venue, ledger).items()
    ]


def _explained(difference: Decimal, outside: Mapping[str, Decimal], currency: str) -> str:
    told = outside.get(currency)
    if not told:
        return ""
    kind = "a deposit" if told > 0 else "a withdrawal"
    return f" ({kind} of {text(abs(told))}" + (")" if told == difference else ", which isn't all of it)")


def differing(venue: dict[str, Balance], ledger: Ledger) -> dict[str, tuple[Decimal, Decimal]]:
    """The currencies in question, with (what the venue has, what our books have)."""
    ours = ledger.balances()
    found = {}
    for currency in sorted(venue.keys() | ours.keys()):
        there = venue[currency].total if currency in venue else ZERO
        here = ours.get(currency, ZERO)
        if there != here:
            found[currency] = (there, here)
    return found


def position_differences(venue: dict[str, Balance], ledger: Ledger) -> list[str]:
    """Positions of ours that the account doesn't hold any more: somebody else sold them."""
    held = ledger.positions()
    return [
        f"{symbol}: our position is {text(held[symbol].quantity)}, "
        f"the account holds {text(held[symbol].quantity - missing)}"
        for symbol, missing in missing_of_positions(venue, ledger).items()
    ]


def missing_of_positions(venue: dict[str, Balance], ledger: Ledger) -> dict[str, Decimal]:
    """How much of our positions the account doesn't hold any more, by symbol."""
    found = {}
    for symbol, position in sorted(ledger.positions().items()):
        base = symbol.partition("/")[0]
        there = venue[base].total if base in venue else ZERO
        if there < position.quantity:
            found[symbol] = position.quantity - there
    return found


async def _adopt(gateway: ExchangeGateway, ledger: Ledger) -> list[str]:
    """Book what differs as external cash flows, and write off what somebody else sold of our positions; what still
    differs after that. Only money that stands still: the sale of a stop that goes off meanwhile, or is told late, would
    be booked twice."""
    venue = await gateway.fetch_balances()
    seen = differing(venue, ledger), missing_of_positions(venue, ledger)
    await gateway.reader.client.budget.clock.sleep(READ_LAG_MARGIN_MS / 1000)
    await asyncio.gather(*map(gateway.fetch_new_fills, sorted(gateway.symbols_of_interest())))
    venue = await gateway.fetch_balances()
    now = differing(venue, ledger), missing_of_positions(venue, ledger)
    if now != seen or not may_adopt(ledger):
        return balance_differences(venue, ledger, {}) + position_differences(venue, ledger)
    money, gone = now
    flows = [(currency, there - here) for currency, (there, here) in money.items()]
    ledger.record_cash_flows(flows, "external", "adopted by an operator")
    for symbol, missing in gone.items():
        ledger.write_off(symbol, missing)
    return balance_differences(venue, ledger, {}) + position_differences(venue, ledger)
