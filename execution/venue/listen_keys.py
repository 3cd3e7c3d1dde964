"""listenKeys, for clients from before 2026: the user stream by /ws/<listenKey>. Binance has taken them away and answers
410; so does this venue, unless it is told to go on. A key follows from its API key, so that it outlives a restart; it
is good for an hour from its last use by REST (from the start, too). It listens; it can't trade. No sockets."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

import orjson

from execution.runtime.clock import Clock
from execution.venue import errors
from execution.venue.auth import ApiKey
from execution.venue.parameters import Parameters
from execution.venue.shapes import Json
from execution.venue.streams import Subscriber
from execution.venue.user_stream import UserStream

GOOD_FOR_S = 3600.0
PURPOSE = b"listenKey"


class ListenKeys:
    """All listenKeys and who listens by them."""

    def __init__(self, accounts: Sequence[ApiKey], users: UserStream, clock: Clock) -> None:
        self._users = users
        self._clock = clock
        self._by_key = {key.key: _listen_key(key) for key in accounts}
        self._accounts = {_listen_key(key): key.account for key in accounts}
        self._good_until = dict.fromkeys(self._accounts, clock.monotonic() + GOOD_FOR_S)
        self._listeners: dict[str, set[Subscriber]] = {name: set() for name in self._accounts}
        users.ears.append(self)

    # by REST

    def create(self, key: ApiKey, values: dict[str, str]) -> object:
        """POST userDataStream: the account's listenKey, good again."""
        Parameters(values, ())
        name = self._by_key[key.key]
        self._good_until[name] = self._clock.monotonic() + GOOD_FOR_S
        return {"listenKey": name}

    def keep(self, key: ApiKey, values: dict[str, str]) -> object:
        """PUT userDataStream: good for another hour. Raises -1125."""
        self._good_until[self._named(key, values)] = self._clock.monotonic() + GOOD_FOR_S
        return {}

    def close(self, key: ApiKey, values: dict[str, str]) -> object:
        """DELETE userDataStream: no longer good. Raises -1125."""
        name = self._named(key, values)
        self._good_until[name] = self._clock.monotonic()
        self._listeners[name].clear()
        return {}

    def _named(self, key: ApiKey, values: dict[str, str]) -> str:
        name = Parameters(values, ("listenKey",)).required("listenKey")
        if name != self._by_key[key.key] or not self._is_good(name):
            raise errors.ApiError(-1125, "This listenKey does not exist.")
        return name

    def _is_good(self, name: str) -> bool:
        return self._clock.monotonic() < self._good_until[name]

    # by socket

    def __contains__(self, name: object) -> bool:
        return name in self._accounts

    def subscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Listen by these keys; one that is no longer good stays silent."""
        for name in names:
            if self._is_good(name):
                self._listeners[name].add(subscriber)
                subscriber.streams[name] = None

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Listen by these keys no longer."""
        for name in names:
            self._listeners[name].discard(subscriber)
            subscriber.streams.pop(name, None)

    def leave(self, subscriber: Subscriber) -> None:
        """The connection has gone."""
        self.unsubscribe(subscriber, self._accounts)

    # what they get

    def listens(self, account: str) -> bool:
        """Does anybody listen to the account by a key?"""
        return any(self._listeners[name] for name in self._names(account))

    def hear(self, account: str, event: Json) -> None:
        """An event of the account's goes to who listens by its keys; where the hour is over, word of that."""
        for name in self._names(account):
            if self._is_good(name):
                self._send(account, name, event)
            else:
                self._expire(account, name)

    def end(self, account: str) -> None:
        """The account's keys are good no longer; who listens is told."""
        for name in self._names(account):
            self._good_until[name] = self._clock.monotonic()
            self._expire(account, name)

    def _expire(self, account: str, name: str) -> None:
        self._send(account, name, {"e": "listenKeyExpired", "E": self._clock.now_ms(), "listenKey": name})
        self._listeners[name].clear()

    def _names(self, account: str) -> list[str]:
        return [name for name, owner in self._accounts.items() if owner == account]

    def _send(self, account: str, name: str, event: Json) -> None:
        data = orjson.dumps(event)
        wrapped = b'{"stream":"%s","data":%s}' % (name.encode(), data)
        for subscriber in self._listeners[name]:
            message = wrapped if subscriber.combined else data
            self._users.deliver(subscriber.connection, f"{account} {event['e']}", message)


def _listen_key(key: ApiKey) -> str:
    return hmac.new(key.secret.encode(), PURPOSE, hashlib.sha256).hexdigest()
