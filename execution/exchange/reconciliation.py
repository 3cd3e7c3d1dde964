"""Our ledger against the venue. (Signatures; bodies follow.)"""

import msgspec

from execution.exchange.gateway import ExchangeGateway
from execution.ledger.store import Ledger


class Reconciliation(msgspec.Struct, frozen=True):
    """What a comparison found."""

    reconciled: bool
    differences: list[str]
    new_fills: int = 0
    unknown_orders: int = 0
    external_orders: int = 0


async def reconcile(gateway: ExchangeGateway, ledger: Ledger) -> Reconciliation:
    """Make everything the venue knows known to the ledger, then compare."""
    raise NotImplementedError
