"""What a trade moves: money, coins and fees, exact. A fee is taken from what an account receives, or, when it has asked
for that and has enough of it, in BNB at a discount. It changes balances only."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from execution.venue.accounts import FEES, MARKET_MAKER, ZERO, Accounts
from execution.venue.book import BUY, SELL, Order
from execution.venue.symbols import Symbol

COMMISSION_STEP = Decimal("0.00000001")
BNB = "BNB"
BNB_SHARE = Decimal("0.75")


class Fee(NamedTuple):
    """What one side of a trade pays."""

    amount: Decimal
    asset: str


class Settlement:
    """Moves what a trade moves. `pay_in_bnb` are the accounts that want to pay their fees in BNB."""

    def __init__(
        self,
        accounts: Accounts,
        symbols: Mapping[str, Symbol],
        last_ticks: Mapping[str, int],
        taker_fee: Decimal,
        maker_fee: Decimal,
    ) -> None:
        """Fees are shares. `last_ticks` holds every symbol's price now."""
        self.pay_in_bnb: set[str] = set()
        self._accounts = accounts
        self._symbols = symbols
        self._last_ticks = last_ticks
        self._fees = {False: taker_fee, True: maker_fee}

    def settle(self, symbol: Symbol, taker: Order, maker: Order, lots: int) -> tuple[Fee, Fee]:
        """Move everything; the buyer's fee and the seller's."""
        quote, quantity = symbol.value(maker.ticks, lots), symbol.quantity(lots)
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        buyers_fee = self._fee(symbol, buyer, taker, Fee(quantity, symbol.base), quote)
        sellers_fee = self._fee(symbol, seller, taker, Fee(quote, symbol.quote), quote)
        self._pay(symbol.quote, buyer, seller, quote, sellers_fee)
        self._pay(symbol.base, seller, buyer, quantity, buyers_fee)
        if buyer.ticks and buyer.account != MARKET_MAKER:
            self._accounts.unlock(buyer.account, symbol.quote, symbol.value(buyer.ticks, lots) - quote)
        return buyers_fee, sellers_fee

    def _fee(self, symbol: Symbol, receiver: Order, taker: Order, received: Fee, quote: Decimal) -> Fee:
        if receiver.account == MARKET_MAKER:
            return Fee(ZERO, received.asset)
        rate = self._fees[receiver is not taker]
        if receiver.account in self.pay_in_bnb:
            if received.asset == BNB:
                return Fee((received.amount * rate * BNB_SHARE).quantize(COMMISSION_STEP, ROUND_DOWN), BNB)
            amount = self._in_bnb(symbol, receiver, taker, quote, rate)
            if amount is not None:
                self._accounts.move_free(receiver.account, FEES, BNB, amount)
                return Fee(amount, BNB)
        return Fee((received.amount * rate).quantize(COMMISSION_STEP, ROUND_DOWN), received.asset)

    def _in_bnb(self, symbol: Symbol, receiver: Order, taker: Order, quote: Decimal, rate: Decimal) -> Decimal | None:
        """The fee in BNB, or None when there is no price for it or not enough of it."""
        given = symbol.base if taker.side == SELL else symbol.quote
        if given == BNB and receiver.account == taker.account and not taker.has_locked:
            return None  # it pays the trade itself out of its free BNB
        price = self._bnb_price(symbol)
        if not price:
            return None
        amount = (quote * rate * BNB_SHARE / price).quantize(COMMISSION_STEP, ROUND_DOWN)
        return amount if self._accounts.balance(receiver.account, BNB).free >= amount else None

    def _bnb_price(self, symbol: Symbol) -> Decimal:
        """What one BNB costs in the symbol's quote currency; 0 when no market here says so."""
        if symbol.quote == BNB:
            return Decimal(1)
        market = self._symbols.get(BNB + symbol.quote)
        return market.price(self._last_ticks[market.name]) if market else ZERO

    def _pay(self, asset: str, giver: Order, receiver: Order, amount: Decimal, fee: Fee) -> None:
        """`amount` leaves the giver; the receiver gets it less its fee."""
        locked = giver.ticks and giver.account != MARKET_MAKER
        move = self._accounts.move_locked if locked else self._accounts.move_free
        if fee.asset != asset or not fee.amount:
            move(giver.account, receiver.account, asset, amount)
        else:
            move(giver.account, receiver.account, asset, amount - fee.amount)
            move(giver.account, FEES, asset, fee.amount)
