"""Who listens to which account's orders and balances. Events are sent after they are stored, in the order in which they
happened, wrapped with the subscription they belong to."""

from decimal import Decimal
from typing import Protocol

import orjson

from execution.runtime.clock import Clock
from execution.venue import errors, shapes
from execution.venue.connection import Connection
from execution.venue.engine import Outcome
from execution.venue.event_faults import Deliver, deliver
from execution.venue.exchange import Balances, Exchange
from execution.venue.symbols import amount_text

SUBSCRIPTIONS_MAX = 1000  # over the life of one connection


class Ear(Protocol):
    """Who else hears of accounts, not by a subscription."""

    def listens(self, account: str) -> bool:
        """Does it want to hear of the account?"""

    def hear(self, account: str, event: shapes.Json) -> None:
        """An event of the account's, stored."""

    def end(self, account: str) -> None:
        """It shall hear no more of the account."""


class UserStream:
    """All subscriptions to accounts, by connection."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self.deliver: Deliver = deliver
        self.ears: list[Ear] = []
        self._exchange = exchange
        self._clock = clock
        self._listeners: dict[str, dict[Connection, int]] = {}
        self._numbers: dict[Connection, int] = {}
        exchange.listeners.append(self._publish)

    def subscribe(self, connection: Connection, account: str) -> int:
        """Listen to an account; the subscription's number on this connection. Raises ApiError when it already does."""
        listeners = self._listeners.setdefault(account, {})
        if connection in listeners or self._numbers.get(connection, 0) >= SUBSCRIPTIONS_MAX:
            raise errors.ApiError(-2035, "User Data Stream subscription already active.")
        number = self._numbers.get(connection, 0)
        self._numbers[connection] = number + 1
        listeners[connection] = number
        return number

    def unsubscribe(self, connection: Connection, number: int | None) -> None:
        """Stop one subscription of a connection, or all of them."""
        for listeners in self._listeners.values():
            if number is None or listeners.get(connection) == number:
                listeners.pop(connection, None)

    def end(self, connection: Connection, number: int | None) -> None:
        """Stop one subscription, or all, and say so on it. Raises ApiError when there is no such one."""
        ending = [held[connection] for held in self._listeners.values() if connection in held]
        if number is not None and number not in ending:
            raise errors.ApiError(-2036, "User Data Stream subscription not found.")
        self.unsubscribe(connection, number)
        for one in ending if number is None else [number]:
            event = {"e": "eventStreamTerminated", "E": self._clock.now_ms()}
            connection.offer(b'{"subscriptionId":%d,"event":%s}' % (one, orjson.dumps(event)))

    def end_all(self, account: str) -> None:
        """Stop every subscription to an account, and say so on each connection."""
        for connection, number in list(self._listeners.get(account, {}).items()):
            self.end(connection, number)
        for ear in self.ears:
            ear.end(account)

    def numbers(self, connection: Connection) -> list[dict[str, int]]:
        """What a connection listens to."""
        return [{"subscriptionId": held[connection]} for held in self._listeners.values() if connection in held]

    def listens(self, connection: Connection) -> bool:
        """Does this connection listen to any account?"""
        return any(connection in held for held in self._listeners.values())

    def listeners(self, account: str) -> list[Connection]:
        """Who listens to an account."""
        return list(self._listeners.get(account, ()))

    def leave(self, connection: Connection) -> None:
        """The connection has gone."""
        self.unsubscribe(connection, None)
        self._numbers.pop(connection, None)

    def _publish(self, outcome: Outcome, balances: dict[str, Balances]) -> None:
        if not any(self._listeners.values()) and not self.ears:
            return
        now_ms = self._clock.now_ms()
        for report in outcome.reports:
            if self._heard(report.order.account):
                event = shapes.execution_report(report, self._exchange.record(report.order), now_ms)
                self._send(report.order.account, event)
        for state in outcome.lists:
            if self._heard(state.account):
                self._send(state.account, shapes.list_status(state, now_ms))
        for account, changed in balances.items():
            if self._heard(account):
                self._send(account, shapes.account_position(changed.items(), now_ms))

    def paid_in(self, account: str, asset: str, amount: Decimal) -> None:
        """Somebody paid into an account from outside, or out of it."""
        if self._heard(account):
            now_ms = self._clock.now_ms()
            held = self._exchange.engine.accounts.balance(account, asset)
            change = {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": amount_text(amount), "T": now_ms}
            self._send(account, change)
            self._send(account, shapes.account_position([(asset, held)], now_ms))

    def _heard(self, account: str) -> bool:
        return bool(self._listeners.get(account)) or any(ear.listens(account) for ear in self.ears)

    def _send(self, account: str, event: shapes.Json) -> None:
        data = orjson.dumps(event)
        for connection, number in self._listeners.get(account, {}).items():
            self.deliver(connection, f"{account} {event['e']}", b'{"subscriptionId":%d,"event":%s}' % (number, data))
        for ear in self.ears:
            ear.hear(account, event)
