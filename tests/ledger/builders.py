"""Orders and fills for the ledger's tests, short to write."""

from decimal import Decimal
from pathlib import Path

from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.vocabulary.orders import Fill, OrderRequest, OrderType, Purpose, Side

BTC = "BTC/USDT"


def request(
    side: Side = Side.BUY, quantity: str = "0.01", price: str = "50000", symbol: str = BTC, bar: int = 0
) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=OrderType.MARKET,
        quantity=Decimal(quantity),
        reference_price=Decimal(price),
        purpose=Purpose.ENTRY if side is Side.BUY else Purpose.EXIT,
        strategy="trend",
        reason="signal" if side is Side.BUY else "profit_target",
        signal_bar_ms=bar,
    )


def fill(
    trade: int,
    client_order_id: str | None,
    side: Side = Side.BUY,
    quantity: str = "0.01",
    price: str = "50000",
    fee: str = "0",
    fee_currency: str = "USDT",
    venue_order_id: str = "9",
    symbol: str = BTC,
) -> Fill:
    return Fill(
        symbol=symbol,
        trade_id=str(trade),
        venue_order_id=venue_order_id,
        client_order_id=client_order_id,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_currency=fee_currency,
        executed_ms=1_700_000_000_000 + trade,
    )


def open_ledger(folder: Path, clock: ManualClock | None = None) -> Ledger:
    return Ledger(folder / "ledger.db", "sandbox", clock or ManualClock())
