"""The official client's socket to the WebSocket API, every reply and every event of which is judged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from binance_common.configuration import ConfigurationWebSocketAPI
from binance_sdk_spot.rest_api.models import ExchangeInfoResponse
from binance_sdk_spot.spot import Spot

from execution.venue.auth import ApiKey
from tests.clients.ccxt_clients import soon
from tests.clients.judge import Judge
from tests.support import eventually_async

MARKET = "BTCUSDT"
ONLY_IN_SOME_REPORTS = (
    *("d", "D", "j", "J", "v", "A", "B", "u", "U", "Cs", "pl", "pL", "pY", "b", "a", "k", "uS", "eR"),
    *("gP", "gOT", "gOV", "gp", "N"),
)


class Refused(Exception):
    """The venue said no: code, message."""


class Caller:
    """The client on one connection; every reply goes to the judge."""

    def __init__(self, connection: Any, judge: Judge) -> None:
        self.connection = connection
        self.asked: set[str] = set()
        self.events: list[Any] = []
        self._judge = judge

    async def ask(self, call: str, /, *may_miss: str, **parameters: Any) -> Any:
        """One request; what came, as the client's own type. Raises Refused."""
        self.asked.add(call)
        before = len(self._judge.complaints)
        response = await soon(getattr(self.connection, call)(**parameters))
        reply = getattr(response, "response", response).data()
        if isinstance(reply, dict):
            del self._judge.complaints[before:]  # the client logs what it was told
            raise Refused(reply["error"]["code"], reply["error"]["msg"])
        if call == "exchange_info":  # this model reads the reply as if it were its result
            self._judge.see(ExchangeInfoResponse.from_dict(reply.additional_properties["result"]))
        else:
            self._judge.see(reply, *may_miss)
        if hasattr(response, "stream"):
            response.stream.on("message", self._heard)
        return reply

    def _heard(self, event: Any) -> None:
        kind = type(event.actual_instance).__name__
        self._judge.see(event, *(ONLY_IN_SOME_REPORTS if kind == "ExecutionReport" else ()))
        self.events.append(event.actual_instance)

    async def told(self, **wanted: object) -> Any:
        """Wait for an event with these values."""

        def find() -> Any:
            return [e for e in self.events if all(getattr(e, name, None) == value for name, value in wanted.items())]

        return (await eventually_async(find))[-1]

    async def price(self, share: float) -> float:
        """A share of the market's price, on a tick."""
        reply = await self.ask("ticker_price", symbol=MARKET)
        return round(float(reply.actual_instance.result.price) * share, 2)


@asynccontextmanager
async def caller(port: int, judge: Judge, key: ApiKey, private_key: str | None = None) -> AsyncIterator[Caller]:
    """A connection of an account's; signed with its secret, or with a private key."""
    given = ConfigurationWebSocketAPI(
        api_key=key.key,
        api_secret=None if private_key else key.secret,
        private_key=private_key,
        stream_url=f"ws://127.0.0.1:{port}/ws-api/v3",
    )
    socket: Any = Spot(config_ws_api=given).websocket_api
    connection = await socket.create_connection()
    try:
        yield Caller(connection, judge)
    finally:
        await connection.close_connection(close_session=True)
