"""The process `venue`: the embedded exchange, with one account per trader. It knows nothing of how they trade."""

import errno
import logging
import sys
from typing import Any

import msgspec

from agents.embedded import read_port, venue_keys, write_port
from agents.process import Context, in_background, run_process
from execution.runtime.bus import Refused
from execution.runtime.settings import CHOICES, Config
from execution.runtime.tasks import Task
from execution.venue.control import ControlPort
from execution.venue.faults import Faults
from execution.venue.mirrored import MIRROR, Original
from execution.venue.server import STANDS_STILL, ApiKey, VenueServer
from execution.venue.symbols import quote_unit
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.health import ComponentHealth
from execution.vocabulary.money import text

log = logging.getLogger("nae.venue")


def check_market_fits(config: Config, server: VenueServer, place: str) -> None:
    """The traders must be able to trade this market at all. Raises ConfigError."""
    trading, offered = config.trading, server.market.candles.intervals
    if trading.timeframe not in offered:
        right = ", ".join(name for name in CHOICES["trading.timeframe"] if name in offered) or "none that is known"
        problem = f"this market has no such candles; one of {right} would be right"
        raise ConfigError(f"{place}: trading.timeframe = {trading.timeframe!r}: {problem}")
    if all(symbol.quote != trading.quote for symbol in server.exchange.symbols.values()):
        return  # the traders say so, with what there is
    position = config.venue.opening_balance * quote_unit(trading.quote) * trading.position_share
    if position < trading.minimum_order:
        raise ConfigError(
            f"{place}: trading.minimum_order = {trading.minimum_order} {trading.quote} is more than a whole position "
            f"({text(position)} {trading.quote}: position_share of the opening balance); less would be right"
        )


class VenueAgent:
    """Wires the venue to its home: keys, port, market."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server: VenueServer | None = None
        self._control: ControlPort | None = None
        self._port = 0

    async def start(self) -> None:
        home = self._context.home
        keys = [ApiKey(account, key.key, key.secret) for account, key in venue_keys(home).items()]
        config, folder, clock = self._context.config.venue, home.data / "venue", self._context.clock
        faults = Faults(config.seed) if config.drills else None
        original = await self._original()
        self._server = VenueServer(config, folder, keys, clock, faults=faults, original=original)
        check_market_fits(self._context.config, self._server, str(home.config_file))
        self._port = await self._bind(self._server)
        write_port(home, self._port)
        if faults is not None:
            self._control = ControlPort(faults, folder, self._server.find_wrong)
            await self._control.start()
        in_background(self._context, self._server.run_market(), "market")

    async def _original(self) -> Original | None:
        """The exchange that is mirrored, if one is; the venue itself knows no other."""
        config = self._context.config.venue
        name = config.market.removeprefix(MIRROR)
        if name == config.market:
            return None
        from execution.exchange.original import open_original  # noqa: PLC0415 - ccxt, which no other market needs

        return await open_original(name, config.symbols, config.history_bars, self._context.clock)

    async def _bind(self, server: VenueServer) -> int:
        """The configured port; else the one of the last start, so that clients find us again; else any."""
        wanted = self._context.config.venue.port
        try:
            return await server.start(wanted or read_port(self._context.home))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if wanted:
                place = self._context.home.config_file
                raise ConfigError(f"{place}: venue.port = {wanted} is in use; use a free port, or 0 for any") from error
            return await server.start(0)

    def tasks(self) -> list[Task]:
        return [Task("market", 1.0, self._see_the_market_move, critical=True)]

    async def _see_the_market_move(self) -> None:
        """Progress, not existence: a run is finished only while market time passes (or a recording has ended)."""
        assert self._server is not None
        while (health := self._server.get_health())["status"] == "starting":
            await self._context.clock.sleep(0.05)
        if health["metrics"]["reason"] == STANDS_STILL:
            raise RuntimeError(STANDS_STILL)

    def components(self) -> dict[str, ComponentHealth]:
        assert self._server is not None
        return {"market": msgspec.convert(self._server.get_health(), ComponentHealth)}

    def facts(self) -> dict[str, Any]:
        return {"port": self._port, "market": self._context.config.venue.market}

    async def command(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        raise Refused(f"venue takes no commands, not {verb}")

    async def stop(self) -> None:
        if self._control is not None:
            await self._control.stop()
        if self._server is not None:
            await self._server.stop()


if __name__ == "__main__":
    sys.exit(run_process("venue", VenueAgent))
