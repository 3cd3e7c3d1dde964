"""nae venue: the embedded exchange by itself, without an operation, for any client that speaks Binance's protocol."""

import errno
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execution.console.output import complain, say
from execution.exchange.credentials import create_embedded_credentials
from execution.runtime.config import VenueConfig, absolute_market, changed_venue, load
from execution.runtime.home import Home
from execution.runtime.logs import log_to_terminal
from execution.vocabulary.exit_codes import ConfigError, ExitCode

if TYPE_CHECKING:
    from execution.venue.server import VenueServer

OPTIONS = {"replay_symbol": "--symbols"}
FOLDER_NAME = "venue_alone"
ACCOUNT_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where it keeps orders, keys and journal; data/venue_alone by itself.")
]

venue = typer.Typer(help="The embedded exchange by itself, for any Binance client.", no_args_is_help=True)


def venue_folder(folder: Path | None) -> Path:
    """Where a venue by itself lives."""
    return (folder or Home.find().data / FOLDER_NAME).expanduser().absolute()


@venue.command()
def serve(
    *,
    market: Annotated[str | None, typer.Option("--market", help="synthetic, or replay:FILE of candles.")] = None,
    speed: Annotated[float | None, typer.Option("--speed", help="Market minutes per real minute.")] = None,
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="The synthetic market is a function of it.")] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="BTC/USDT,ETH/USDT; one name for a replay.")] = None,
    account: Annotated[list[str] | None, typer.Option("--account", help="An account's name; may be repeated.")] = None,
    folder: Folder = None,
) -> None:
    """Serve the exchange on this machine until Ctrl-C or SIGTERM; what was acknowledged is there at the next start.

    What isn't given is as nae.toml's venue section says. Keys are made at the first start, readable by you only.

    Examples: nae venue serve · nae venue serve --market replay:BTC_USDT-1m.parquet --speed 60 --port 8080 ·
    nae venue serve --symbols BTC/USDT,DOGE/USDT --seed 3 --account anna --account bob

    Exit codes: 0 ended as told · 64 wrong words · 71 disk or rights · 75 runs already · 78 a value that can't be
    """
    given = {"market": market, "speed": speed, "port": port, "seed": seed} | _listed(market, symbols)
    config = _config({key: value for key, value in given.items() if value is not None})
    names = account or ["trader"]
    for name in names:
        if not ACCOUNT_FORM.fullmatch(name) or names.count(name) > 1:
            complain(f"--account {name!r}: small letters, digits, - and _, each name once, would be right")
            raise typer.Exit(ExitCode.USAGE)
    _serve(config, venue_folder(folder), names)


def _listed(market: str | None, symbols: str | None) -> dict[str, Any]:
    if symbols is None:
        return {}
    if market is not None and market != "synthetic":
        return {"replay_symbol": symbols}
    return {"symbols": [name.strip() for name in symbols.split(",") if name.strip()]}


def _config(given: dict[str, Any]) -> VenueConfig:
    if "market" in given:
        given["market"] = absolute_market(given["market"], Path.cwd())
    return changed_venue(
        load(Home.find().config_file).venue, given, {key: OPTIONS.get(key, f"--{key}") for key in given}
    )


def _serve(config: VenueConfig, folder: Path, names: list[str]) -> None:
    from execution.venue.alone import serve_alone  # noqa: PLC0415 - only this command needs a server
    from execution.venue.server import ApiKey  # noqa: PLC0415

    log_to_terminal()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {name: folder / "keys" / f"{name}.json" for name in names}
    keys = {name: create_embedded_credentials(file) for name, file in files.items()}

    def tell(server: "VenueServer", port: int) -> None:
        listed = " ".join(server.exchange.symbols)
        say(f"market   {config.market} at {config.speed:g}x: {listed}")
        say(f"REST     http://127.0.0.1:{port}/api/v3")
        say(f"streams  ws://127.0.0.1:{port}/ws   ws://127.0.0.1:{port}/stream?streams=…")
        say(f"ws-api   ws://127.0.0.1:{port}/ws-api/v3")
        for name, file in files.items():
            say(f"key      {name}: {file}")
        say("Ctrl-C ends it")

    try:
        serve_alone(config, folder, [ApiKey(name, key.key, key.secret) for name, key in keys.items()], tell)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(f"--port {config.port} is in use; a free port, or 0 for any, would be right") from error
