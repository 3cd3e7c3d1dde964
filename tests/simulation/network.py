"""The line between traders and the simulated venue: an HTTP session for ccxt's own client, and the account's stream.

A request that has left its sender goes on by itself, whoever dies meanwhile. What becomes of each is drawn by the
world's weather; every fate has a line in the trace.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.simulation.door import Door, words_of
from tests.simulation.venue import Event, SimVenue
from tests.simulation.virtual_time import RUNNING, Killed, Process, VirtualLoop, finish
from tests.simulation.weather import HARMLESS, Fate, Weather

TIMEOUT_S = 4.0
UNCLEAR = ((503, -1008), (500, -1000), (503, -1001), (400, -1006), (504, -1007), (400, -9999))
NO = (
    (400, -2010, "Account has insufficient balance for requested action."),
    (400, -1013, "Filter failure: LOT_SIZE"),
    (429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND."),
)
GARBAGE = ("", "null", "[]", "<html>busy</html>", '{"orderId": 1', '{"symbol": "BTCUSDT", "orderId": null}', '"ok"')
NEVER_ANSWERED = frozenset({Fate.LOST, Fate.SILENT, Fate.CUT})


class Refused(aiohttp.ClientConnectorError):
    """Nobody listens there."""

    def __init__(self) -> None:
        Exception.__init__(self)

    def __str__(self) -> str:
        return "connection refused"


class Reply:
    """What ccxt reads of an answer."""

    reason = ""
    content = "a stream of bytes"

    def __init__(self, status: int, body: str, headers: dict[str, str]) -> None:
        self.status, self.headers, self._body = status, headers, body

    async def text(self, errors: str = "") -> str:
        return self._body


class Request:
    """One request on its way, as an asynchronous context."""

    def __init__(self, network: "Network", method: str, path: str, words: dict[str, str]) -> None:
        self._network, self._method, self._path, self._words = network, method, path, words

    async def __aenter__(self) -> Reply:
        return await self._network.send(self._method, self._path, self._words)

    async def __aexit__(self, *problem: object) -> None:
        return None


class Session:
    """Stands where ccxt keeps its aiohttp session."""

    def __init__(self, network: "Network") -> None:
        self._network = network
        self.headers: dict[str, str] = {}

    def get(self, url: Any, **given: Any) -> Request:
        return Request(self._network, "GET", url.path, words_of(url.raw_query_string))

    def post(self, url: Any, data: bytes, **given: Any) -> Request:
        return Request(self._network, "POST", url.path, words_of(data.decode()))

    def delete(self, url: Any, data: bytes | None = None, **given: Any) -> Request:
        return Request(self._network, "DELETE", url.path, words_of(data.decode() if data else url.raw_query_string))


class Line:
    """One connection of the account's stream; what `VenueClient.renewed()` is to the user stream."""

    def __init__(self, network: "Network") -> None:
        self._network = network
        self.listener: Any = None
        self.process: Process | None = None
        self.lost: asyncio.Future[None] | None = None

    async def subscribe_user(self) -> Any:
        await self._network.wait(self._network.delay())
        if self._network.fate_of("stream") is not Fate.SOUND:
            raise ConnectionError("user stream: no connection")
        self.process = RUNNING.get()
        self.lost = asyncio.get_running_loop().create_future()
        self._network.lines.append(self)
        return self._until_lost(self.lost)

    async def _until_lost(self, lost: "asyncio.Future[None]") -> None:
        await lost

    def cut(self, error: Exception) -> None:
        if self.lost is not None and not self.lost.done():
            self.lost.set_exception(error)

    def hear(self, event: Event) -> None:
        """In the listener's own process, while it lives."""
        if self not in self._network.lines or self.process is None or self.process.dead or self.listener is None:
            return
        try:
            self.listener.on_user_event(event)
        except Exception as error:  # noqa: BLE001 -- as the client does: the task that listens gets the error
            self.cut(error)

    async def drop(self) -> None:
        if self in self._network.lines:
            self._network.lines.remove(self)


class Network:
    """Between everybody and one venue. `tell` writes the trace."""

    def __init__(
        self, loop: VirtualLoop, venue: SimVenue, weather: Weather, chance: random.Random, tell: Callable[[str], None]
    ) -> None:
        self._loop, self._venue, self._weather, self._chance, self.tell = loop, venue, weather, chance, tell
        self._door = Door(venue)
        self.lines: list[Line] = []
        self.calm = False
        self._number = 0
        self.failed: list[int] = []  # the requests that went wrong
        self.sent: dict[Fate, int] = {}
        self._last_event_at = 0.0
        venue.publish = self.publish

    def delay(self) -> float:
        return self._chance.expovariate(1 / (0.005 if self.calm else self._weather.slow_s))

    async def wait(self, seconds: float) -> None:
        done = self._loop.create_future()
        self._loop.call_later(seconds, finish, done)
        await done

    def fate_of(self, what: str) -> Fate:
        shares = HARMLESS if self.calm else self._weather.fates
        fate = self._chance.choices(list(shares), list(shares.values()))[0]
        if what == "stream" and fate not in (Fate.LOST, Fate.REFUSED):
            return Fate.SOUND
        return fate

    # requests

    async def send(self, method: str, path: str, words: dict[str, str]) -> Reply:
        """One request, as its sender sees it. Raises what aiohttp raises."""
        process = RUNNING.get()
        if process is not None and process.dead:
            raise Killed
        name = f"{method} {path.rpartition('/')[2]}"
        fate = self.fate_of(name)
        self._number += 1
        if self._weather.may_fail is not None and self._number not in self._weather.may_fail:
            fate = Fate.SOUND
        if fate is Fate.TURNED_DOWN and method != "POST":
            fate = Fate.SOUND
        if fate is not Fate.SOUND:
            self.failed.append(self._number)
        self.sent[fate] = self.sent.get(fate, 0) + 1
        order = words.get("newClientOrderId") or words.get("origClientOrderId") or ""
        told = f"#{self._number} {name} {order}"
        if name != "GET time":
            self.tell(f"{told} {fate}")
        if fate is Fate.REFUSED:
            await self.wait(0.001)
            raise Refused from None
        if fate is Fate.LOST:
            await self.wait(self.delay())
            raise aiohttp.ServerDisconnectedError
        if fate is Fate.BANNED:
            await self.wait(self.delay())
            status, wait_s = self._chance.choice(((429, 1), (429, 3), (418, 6)))
            return Reply(status, '{"code":-1003,"msg":"Too many requests."}', {"Retry-After": str(wait_s)})
        answer: asyncio.Future[Reply] = self._loop.create_future()
        under_way = self.delay()
        if fate is Fate.HELD:
            under_way += self._chance.uniform(TIMEOUT_S / 2, 12.0)
        self._loop.call_later(under_way, self._arrived, (method, path, words), fate, answer, told)
        waiting = self._loop.call_later(TIMEOUT_S, _give_up, answer)
        try:
            return await answer
        finally:
            waiting.cancel()

    def _arrived(
        self, request: tuple[str, str, dict[str, str]], fate: Fate, answer: "asyncio.Future[Reply]", told: str
    ) -> None:
        words = request[2]
        if fate is Fate.SWALLOWED:
            self._reply(answer, *self._chance.choice(((504, "<html>"), (503, '{"code":-1001,"msg":"x"}'))))
            return
        if fate is Fate.TURNED_DOWN:
            status, code, why = self._chance.choice(NO)
            self._reply(answer, status, f'{{"code":{code},"msg":"{why}"}}')
            return
        if fate is Fate.STALLED and "timestamp" in words and self._door.answer("GET", "/api/v3/time", words)[0] != 200:
            fate = Fate.SOUND  # refused at the door already
        if fate is Fate.LATER:
            self._reply(answer, 504, "<html>gateway time-out</html>")
            self._loop.call_later(self._chance.uniform(0.3, 5.0), self._executed, request, Fate.SILENT, answer, told)
        elif fate is Fate.STALLED:
            self._loop.call_later(self._chance.uniform(0.5, 8.0), self._executed, request, fate, answer, told)
        else:
            self._executed(request, fate, answer, told)

    def _executed(
        self, request: tuple[str, str, dict[str, str]], fate: Fate, answer: "asyncio.Future[Reply]", told: str
    ) -> None:
        status, body = self._door.answer(*request)
        if "GET" not in told:
            self.tell(f"  venue: {told} -> {status} {body[:90]}")
        if fate is Fate.CUT:
            self._loop.call_later(self.delay(), self._fail, answer)
        elif fate is Fate.ANSWERED_504:
            self._reply(answer, 504, "<html>gateway time-out</html>")
        elif fate is Fate.UNCLEAR:
            number, code = self._chance.choice(UNCLEAR)
            self._reply(answer, number, f'{{"code":{code},"msg":"Unknown status."}}')
        elif fate is Fate.GARBLED:
            self._reply(answer, 200, self._chance.choice(GARBAGE))
        elif fate is Fate.LATE:
            self._loop.call_later(self._chance.uniform(0.5, 7.0), self._reply, answer, status, body)
        elif fate is not Fate.SILENT:
            self._reply(answer, status, body)

    def _reply(self, answer: "asyncio.Future[Reply]", status: int, body: str) -> None:
        self._loop.call_later(self.delay(), _answer, answer, Reply(status, body, {}))

    def _fail(self, answer: "asyncio.Future[Reply]") -> None:
        if not answer.done():
            answer.set_exception(aiohttp.ServerDisconnectedError())

    # the account's stream

    def publish(self, event: Event) -> None:
        """Each connection hears it, or not, or twice, or late."""
        weather, chance = self._weather, self._chance
        for line in list(self.lines):
            if not self.calm and chance.random() < weather.lines_cut:
                self.tell("stream cut")
                self.lines.remove(line)
                line.cut(ConnectionError("user stream: cut"))
                continue
            times = 2 if not self.calm and chance.random() < weather.events_twice else 1
            for _ in range(0 if not self.calm and chance.random() < weather.events_lost else times):
                self._deliver_later(line, event)

    def _deliver_later(self, line: Line, event: Event) -> None:
        at = max(self._loop.time() + self.delay(), self._last_event_at + 1e-6)
        if not self.calm and self._chance.random() < self._weather.events_late:
            at += self._chance.uniform(0.01, 6.0)  # out of its order
        else:
            self._last_event_at = at
        process = line.process
        self._loop.call_at(at, self._deliver, line, event, process)

    def _deliver(self, line: Line, event: Event, process: Process | None) -> None:
        if process is not None and process.held:
            self._loop.call_later(0.05, self._deliver, line, event, process)  # it reads it when it goes on
            return
        token = RUNNING.set(process)
        try:
            line.hear(event)
        finally:
            RUNNING.reset(token)


def _give_up(answer: "asyncio.Future[Reply]") -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def _answer(answer: "asyncio.Future[Reply]", reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)
