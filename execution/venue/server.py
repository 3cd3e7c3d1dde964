"""The embedded exchange as one server: its market, its store, its REST and WebSocket doors on one port. It builds the
parts from [venue] and connects them; what they do is written in their own modules."""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from execution.runtime.clock import Clock, SystemClock, iso
from execution.runtime.locks import FileLock
from execution.runtime.settings import VenueConfig
from execution.venue.auth import ApiKey
from execution.venue.back_office import BackOffice
from execution.venue.doors import Doors
from execution.venue.errors import ApiError
from execution.venue.event_faults import EventFaults
from execution.venue.exchange import Exchange
from execution.venue.fault_driver import FaultDriver
from execution.venue.fault_targets import find_wrong_target
from execution.venue.faults import Faults, Rule
from execution.venue.journal import BEGINS, JOURNAL_NAME, Journal
from execution.venue.journal_lines import outcome_writer
from execution.venue.journal_recovery import missing_lines
from execution.venue.limits import RateLimits
from execution.venue.listen_keys import ListenKeys
from execution.venue.market_data import MarketData
from execution.venue.market_rest import MarketRest
from execution.venue.markets import make_market, make_source
from execution.venue.mirrored import Original
from execution.venue.request_faults import RequestFaults
from execution.venue.rest import BODY_MAX_BYTES, Rest
from execution.venue.revoked_keys import RevokedKeys
from execution.venue.shifted_clock import ShiftedClock
from execution.venue.store import Store
from execution.venue.streams import Streams
from execution.venue.trading import Trading
from execution.venue.user_stream import UserStream
from execution.venue.wallet_rest import WalletRest
from execution.venue.web_socket_api import WebSocketApi
from execution.venue.web_sockets import WebSockets
from execution.vocabulary.exit_codes import ConfigError

__all__ = ["ApiKey", "VenueServer"]

log = logging.getLogger("nae.venue")

STALLED_AFTER_S = 5.0
STANDS_STILL = "the market stands still"
STORE_NAME = "venue.db"
LOCK_NAME = "venue.lock"


class VenueServer:
    """One venue in one folder. Raises ConfigError when its market can't be what `config` says."""

    def __init__(
        self,
        config: VenueConfig,
        folder: Path,
        accounts: Sequence[ApiKey],
        clock: Clock,
        host: str = "127.0.0.1",
        *,
        faults: Faults | None = None,
        original: Original | None = None,
        holder: str = "the venue",
    ) -> None:
        """`faults` makes it misbehave on purpose, for drills; leave it out otherwise. `original`: what is mirrored."""
        self._folder = folder
        self._lock, self._holder = FileLock(folder / LOCK_NAME), f"{holder} pid {os.getpid()}"
        if faults is not None:
            faults.begin(clock)
            clock = ShiftedClock(clock, faults)
        self._clock = clock
        wrong = None if faults is None else RequestFaults(faults, clock)
        keys: Mapping[str, ApiKey] = {key.key: key for key in accounts}
        names = list(dict.fromkeys(key.account for key in accounts))
        if len(keys) < len(accounts) or any(not name or name.startswith("@") for name in names):
            raise ConfigError("the venue's accounts need a key each, all different, and names that don't begin with @")
        keys = keys if faults is None else RevokedKeys(keys, faults)
        source = make_source(config, original)
        fees = (config.taker_fee, config.maker_fee)
        later = [pair.replace("/", "") for pair in config.listed_later]
        self.exchange = Exchange(source.symbols, names, config.opening_balance, fees, later)
        self.journal = Journal(folder / JOURNAL_NAME, clock)
        self.exchange.listeners.append(outcome_writer(self.journal.note, self.exchange.record))
        self.exchange.commits.finish = self.journal.flush
        self.market = make_market(self.exchange, source, clock, config)
        limits = RateLimits()
        data = MarketData(self.exchange, self.market)
        trading, public = Trading(self.exchange, limits, clock), MarketRest(data, clock)
        streams, self.users = Streams(data, clock, self.exchange.commits.settled), UserStream(self.exchange, clock)
        self.market.listeners.append(streams.publish)
        wallet = WalletRest(self.exchange)
        office = BackOffice(
            public, trading, wallet, self.journal, self.exchange.commits, self.users, keys, limits, clock
        )
        office.faults = wrong
        if config.legacy_listen_key:
            office.listen_keys = ListenKeys(accounts, self.users, clock)
        self._rest, api = Rest(office), WebSocketApi(office)
        self._sockets = WebSockets(streams, api, clock, faults, office.listen_keys)
        self._doors = Doors(self._application, host, SystemClock())
        self._fault_driver = None if faults is None else self._driver(faults, streams)
        self._serving = False
        self._driving = False
        self._running: list[asyncio.Task[None]] = []

    def _driver(self, faults: Faults, streams: Streams) -> FaultDriver:
        """What makes events and the venue itself go wrong."""
        clock = self._clock
        streams.deliver = self.users.deliver = EventFaults(faults, clock).deliver
        sockets, listen = self._sockets.at, self._doors.listen
        return FaultDriver(
            faults, self.exchange, self.market, self.users, connections=sockets, listen=listen, clock=clock
        )

    def find_wrong(self, rule: Rule) -> str | None:
        """Why a fault can't ever happen here; None when it can."""
        return find_wrong_target(rule, self.exchange.symbols, self.exchange.accounts)

    async def start(self, port: int = 0) -> int:
        """Open the store, quote the books, listen; the port. Raises OSError (EADDRINUSE), DatabaseError, BusyError when
        another venue has the folder."""
        try:
            bound = await self._doors.open(port)
            self._lock.acquire(self._holder)
            self.exchange.open(Store(self._folder / STORE_NAME), self._clock.now_ms())
            self.exchange.commits.defer = asyncio.get_running_loop().call_soon
            self.market.resume()  # nobody is served before: there is no await since the port was bound
            self.journal.open(lambda: missing_lines(self.journal.path, self.exchange.store))
            self._remember_journal()
        except BaseException:
            await self._doors.close()
            self._lock.release()
            raise
        self._serving = True
        log.info("listening", extra={"fields": {"port": bound, "candle": self.market.candles.next_index}})
        return bound

    def _remember_journal(self) -> None:
        before = self.exchange.store.market().get(BEGINS, "")
        known = self.journal.known_by(before)
        if known != before:
            self.exchange.remember_market({BEGINS: known})
            if before:
                log.error(
                    "the journal was removed; another is begun", extra={"fields": {"file": str(self.journal.path)}}
                )

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_MAX_BYTES)
        for path in ("/ws", "/ws/{streams:.*}", "/stream", "/stream/ws", "/stream/ws/{streams:.*}"):
            application.router.add_get(path, self._sockets.market)
        application.router.add_get("/ws-api/v3", self._sockets.api)
        application.router.add_route("*", "/{path:(?s:.*)}", self._rest.handle)
        return application

    async def run_market(self) -> None:
        """Make market time pass, for ever. Call after `start`."""
        self._driving = True
        try:
            async with asyncio.TaskGroup() as running:
                work = [self.market.run(), self._doors.run(), self._sockets.run(SystemClock())]
                if self._fault_driver is not None:
                    work.append(self._fault_driver.run())
                self._running = [running.create_task(one) for one in work]
            await asyncio.Event().wait()  # stopped: whoever called this ends it
        finally:
            self._driving = False

    async def stop(self) -> None:
        """Close the doors, then the store. Nothing that was acknowledged depends on it."""
        if not self._serving:
            return
        self._serving = False
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)  # the market's last step needs the store
        await self._sockets.close()
        await self._doors.close()
        try:
            self.market.remember_exactly()
        except ApiError as error:
            log.error("the market's position was not stored", extra={"fields": {"error": str(error)}})
        self.exchange.close()
        self.journal.close()
        self._lock.release()

    def get_health(self) -> dict[str, Any]:
        """status (healthy, degraded, starting, stopped), last_activity (UTC label), error_count, metrics."""
        errors = self._rest.failures + self._sockets.failures + self.market.failures + self.exchange.store_errors
        status, reason = self._status()
        activity = iso(self.market.last_step_ms) if self.market.last_step_ms else None
        metrics: dict[str, object] = {
            "reason": reason,
            "market_ms": self.market.candles.now_ms(),
            "candles_closed": self.market.bars_closed,
            "requests": self._rest.requests,
            "journal_lines_lost": self.journal.lost,
            "connections": len(self._sockets.connections),
            "open_orders": sum(len(self.exchange.engine.open_orders(name)) for name in self.exchange.accounts),
        }
        return {"status": status, "last_activity": activity, "error_count": errors, "metrics": metrics}

    def _status(self) -> tuple[str, str]:
        if not self._serving:
            return "stopped", ""
        if self.market.ended:
            return "degraded", "replay ended"
        if self.market.lost:
            return "degraded", self.market.lost
        if not self._driving:
            return "starting", ""
        if self._clock.monotonic() - self.market.last_step > STALLED_AFTER_S:
            return "degraded", STANDS_STILL
        return "healthy", ""
