"""Who owns what on the venue: free and locked amounts per account and asset, exact. Money only ever moves here, from
one account to another; nothing is created after an opening balance. House accounts may go below zero."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)
MARKET_MAKER = "@market"
FEES = "@fees"


class Balance(NamedTuple):
    """What an account has of one asset."""

    free: Decimal
    locked: Decimal


class Accounts:
    """All balances. `changed` collects (account, asset) pairs until somebody takes them to be stored."""

    def __init__(self) -> None:
        self._balances: dict[str, dict[str, Balance]] = {MARKET_MAKER: {}, FEES: {}}
        self.changed: set[tuple[str, str]] = set()

    def restore(self, account: str, asset: str, free: Decimal, locked: Decimal) -> None:
        """Put back what the store remembers."""
        self._balances.setdefault(account, {})[asset] = Balance(free, locked)

    def open(self, account: str, opening: Iterable[tuple[str, Decimal]]) -> None:
        """Give an account its opening balance in every asset it has never had."""
        held = self._balances.setdefault(account, {})
        for asset, amount in opening:
            if asset not in held:
                self._set(account, asset, Balance(amount, ZERO))

    def balance(self, account: str, asset: str) -> Balance:
        """Free and locked; zero for what was never held."""
        return self._balances[account].get(asset, Balance(ZERO, ZERO))

    def balances(self, account: str) -> dict[str, Balance]:
        """Everything an account ever held. Raises KeyError for an unknown account (a bug)."""
        return self._balances[account]

    def total(self, asset: str) -> Decimal:
        """All there is of an asset: constant but for opening balances."""
        held = (balances[asset] for balances in self._balances.values() if asset in balances)
        return sum((balance.free + balance.locked for balance in held), ZERO)

    def lock(self, account: str, asset: str, amount: Decimal) -> None:
        """Reserve for an open order. The caller has checked that it is there."""
        free, locked = self.balance(account, asset)
        assert account == MARKET_MAKER or free >= amount, f"{account} can't lock {amount} {asset} of {free}"
        self._set(account, asset, Balance(free - amount, locked + amount))

    def unlock(self, account: str, asset: str, amount: Decimal) -> None:
        """Give back what an order no longer needs."""
        free, locked = self.balance(account, asset)
        assert locked >= amount, f"{account} can't unlock {amount} {asset} of {locked}"
        self._set(account, asset, Balance(free + amount, locked - amount))

    def move_locked(self, giver: str, taker: str, asset: str, amount: Decimal) -> None:
        """Pay out of what is locked."""
        free, locked = self.balance(giver, asset)
        assert locked >= amount, f"{giver} can't pay {amount} {asset} of {locked} locked"
        self._set(giver, asset, Balance(free, locked - amount))
        self._receive(taker, asset, amount)

    def move_free(self, giver: str, taker: str, asset: str, amount: Decimal) -> None:
        """Pay out of what is free. Only house accounts may go below zero."""
        free, locked = self.balance(giver, asset)
        assert giver == MARKET_MAKER or free >= amount, f"{giver} can't pay {amount} {asset} of {free}"
        self._set(giver, asset, Balance(free - amount, locked))
        self._receive(taker, asset, amount)

    def _receive(self, account: str, asset: str, amount: Decimal) -> None:
        free, locked = self.balance(account, asset)
        self._set(account, asset, Balance(free + amount, locked))

    def _set(self, account: str, asset: str, balance: Balance) -> None:
        self._balances[account][asset] = balance
        self.changed.add((account, asset))
