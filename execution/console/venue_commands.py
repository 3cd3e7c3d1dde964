"""nae venue: the embedded exchange by itself, without an operation, for any client that speaks Binance's protocol."""

import errno
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execution.console.output import complain, say
from execution.console.venue_control import Folder, venue_folder
from execution.console.venue_fault_commands import fault, faults
from execution.console.venue_journal_command import journal
from execution.exchange.credentials import create_embedded_credentials
from execution.runtime.config import absolute_market, changed_venue, load
from execution.runtime.home import Home
from execution.runtime.locks import is_held, read_holder
from execution.runtime.logs import log_to_terminal
from execution.runtime.settings import VenueConfig
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode

if TYPE_CHECKING:
    from execution.exchange.original import Original
    from execution.runtime.clock import Clock
    from execution.venue.server import ApiKey, VenueServer

OPTIONS = {"replay_symbol": "--symbols", "listed_later": "--later"}
ACCOUNT_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

venue = typer.Typer(help="The embedded exchange by itself, for any Binance client.", no_args_is_help=True)
venue.add_typer(journal, name="journal")


@venue.command()
def serve(
    *,
    market: Annotated[
        str | None, typer.Option("--market", help="synthetic, replay:FILE of candles or trades, or mirror:binance.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Market minutes per real minute; 100000 is as fast as it goes.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="The synthetic market is a function of it.")] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="BTC/USDT,ETH/USDT; one name for a replay.")] = None,
    later: Annotated[
        str | None, typer.Option("--later", help="More of them, unseen until: nae venue fault list.")
    ] = None,
    account: Annotated[list[str] | None, typer.Option("--account", help="An account's name; may be repeated.")] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="A fault script: a JSON list of rules, from the start.")
    ] = None,
    legacy_listen_key: Annotated[
        bool, typer.Option("--legacy-listen-key", help="For old clients: the user stream by listenKey, too.")
    ] = False,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="A second key for each account, to log a session on with.")
    ] = False,
    folder: Folder = None,
) -> None:
    """Serve the exchange on this machine until Ctrl-C or SIGTERM; what was acknowledged is there at the next start.

    What isn't given is as nae.toml's venue section says. Each account has a key and a secret, made at the first start;
    the path of the file that holds them is printed, for you only to read: {"key": …, "secret": …}. Give both, and the
    printed URLs, to any Binance client; docs/venue_clients.md says where ccxt, freqtrade and others want them.

    A recording is parquet or CSV. Candles: timestamp (ms), open, high, low, close, volume. Trades: as Binance, Bybit,
    OKX, Kraken, Tardis or ccxt write them: a time, a price, a quantity, a side if there is one; its header says which.
    The file's name says the market (BTC_USDT-1m.csv), or --symbols does. Where a recording ends, the market is closed.

    A mirror shows the books and trades of a real exchange, by its public streams, as they happen; orders meet them here
    and never leave this machine. When the exchange isn't heard for 5 s, the market stands until it is.

    Examples:
      nae venue serve
      nae venue serve --market replay:BTC_USDT-1m.parquet --speed 60 --port 8080
      nae venue serve --market replay:BTCUSDT-trades-2026-11-20.csv --speed 1
      nae venue serve --market mirror:binance --symbols BTC/USDT,ETH/USDT
      nae venue serve --symbols BTC/USDT,DOGE/USDT --account anna --account bob
      nae venue serve --faults drill.json
    drill.json is a list of rules, such as:
      [{"fault": "execute_504", "on": "POST /api/v3/order", "chance": 0.05}]

    Exit codes: 0 ended as told · 64 wrong words · 71 disk or rights · 75 runs already · 78 a value that can't be
    """
    given = {"market": market, "speed": speed, "port": port, "seed": seed} | _listed(market, symbols)
    given["legacy_listen_key"] = legacy_listen_key or None
    given["listed_later"] = None if later is None else _names(later)
    config = _config({key: value for key, value in given.items() if value is not None})
    names = account or ["trader"]
    if wrong := _find_wrong_word(config, speed, names):
        complain(wrong)
        raise typer.Exit(ExitCode.USAGE)
    _serve(config, venue_folder(folder), names, faults, ed25519)


def _find_wrong_word(config: VenueConfig, speed: float | None, names: list[str]) -> str | None:
    if speed is not None and config.market.startswith("mirror:"):
        return f"--speed {speed:g}: a mirror goes as fast as its exchange; no --speed would be right"
    for name in names:
        if not ACCOUNT_FORM.fullmatch(name) or names.count(name) > 1:
            return f"--account {name!r}: small letters, digits, - and _, each name once, would be right"
    return None


def _listed(market: str | None, symbols: str | None) -> dict[str, Any]:
    if symbols is None:
        return {}
    if market is not None and market.startswith("replay:"):
        return {"replay_symbol": symbols}
    return {"symbols": _names(symbols)}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _config(given: dict[str, Any]) -> VenueConfig:
    if "market" in given:
        given["market"] = absolute_market(given["market"], Path.cwd())
    return changed_venue(
        load(Home.find().config_file).venue, given, {key: OPTIONS.get(key, f"--{key}") for key in given}
    )


def _make_keys(folder: Path, names: list[str], ed25519: bool) -> "list[tuple[Path, ApiKey]]":
    """The accounts' keys, each with the file that holds it. Raises ConfigError for a file that holds something else."""
    from execution.venue.auth import ApiKey, make_ed25519, public_half  # noqa: PLC0415

    found = []
    for name in names:
        file = folder / "keys" / f"{name}.json"
        key = create_embedded_credentials(file)
        found.append((file, ApiKey(name, key.key, key.secret)))
        if ed25519:
            file = folder / "keys" / f"{name}.ed25519.json"
            key = create_embedded_credentials(file, make_ed25519)
            try:
                found.append((file, ApiKey(name, key.key, public_half(key.secret))))
            except ValueError as error:
                raise ConfigError(f"{file}: secret must be an Ed25519 private key in PEM; remove the file") from error
    return found


def _serve(config: VenueConfig, folder: Path, names: list[str], script: Path | None, ed25519: bool) -> None:
    from execution.venue.alone import serve_alone  # noqa: PLC0415 - only these commands need a server
    from execution.venue.fault_script import read_script  # noqa: PLC0415
    from execution.venue.faults import Faults  # noqa: PLC0415
    from execution.venue.mirrored import MIRROR  # noqa: PLC0415
    from execution.venue.server import LOCK_NAME  # noqa: PLC0415

    log_to_terminal()
    mirrored = config.market.startswith(MIRROR)
    faults = Faults(config.seed)
    for rule in read_script(script.expanduser()) if script else ():
        faults.add(rule)
    lock = folder / LOCK_NAME
    if is_held(lock):
        raise BusyError(f"{lock} is held by {read_holder(lock)}")  # before anything is made in another's folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = _make_keys(folder, names, ed25519)

    def tell(server: "VenueServer", port: int) -> None:
        listed = " ".join(server.exchange.symbols)
        pace = "as it happens" if mirrored else f"at {config.speed:g}x"
        say(f"market   {config.market} {pace}: {listed}")
        say(f"REST     http://127.0.0.1:{port}/api/v3")
        say(f"streams  ws://127.0.0.1:{port}/ws   ws://127.0.0.1:{port}/stream?streams=…")
        say(f"ws-api   ws://127.0.0.1:{port}/ws-api/v3")
        for file, key in keys:
            say(f"key      {key.account}: {file}")
        say(f"faults   {len(faults.rules())} now; nae venue fault --help")
        say("Ctrl-C ends it")

    given = [key for _, key in keys]
    try:
        find_original = partial(_find_original, config) if mirrored else None
        serve_alone(config, folder, given, faults, tell, find_original=find_original)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(f"--port {config.port} is in use; a free port, or 0 for any, would be right") from error


async def _find_original(config: VenueConfig, clock: "Clock") -> "Original":
    from execution.exchange.original import open_original  # noqa: PLC0415 - ccxt, which no other market needs

    return await open_original(config.market.partition(":")[2], config.symbols, config.history_bars, clock)


venue.command()(fault)
venue.command()(faults)
