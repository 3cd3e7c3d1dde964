"""Which market the venue has: made up, recorded or mirrored, as [venue] names it."""

from pathlib import Path

from execution.runtime.clock import Clock
from execution.runtime.config import MARKETS
from execution.runtime.settings import VenueConfig
from execution.venue.bars import Source
from execution.venue.exchange import Exchange
from execution.venue.market import Market
from execution.venue.market_kinds import SYNTHETIC, kind_of
from execution.venue.market_state import MarketState
from execution.venue.mirror import Mirror
from execution.venue.mirrored import MirroredBars, Original
from execution.venue.recorded import open_recording
from execution.venue.synthetic import SyntheticMarket
from execution.vocabulary.exit_codes import ConfigError


def make_source(config: VenueConfig, original: Original | None = None) -> Source | MirroredBars:
    """Where the market comes from; `original` is the exchange that is mirrored. Raises ConfigError."""
    kind, _, name = config.market.partition(":")
    if kind == SYNTHETIC:
        return SyntheticMarket(config.seed, (*config.symbols, *config.listed_later), kind_of(config.market))
    if kind == "replay" and name:
        return open_recording(Path(name).expanduser(), config.volume_unit, config.replay_symbol)
    if kind == "mirror" and original is not None:
        return MirroredBars(original)
    raise ConfigError(f"venue.market = {config.market!r} isn't known; it must be {MARKETS}")


def make_market(exchange: Exchange, source: Source | MirroredBars, clock: Clock, config: VenueConfig) -> MarketState:
    """What makes it pass."""
    if isinstance(source, MirroredBars):
        return Mirror(exchange, source, clock, config.history_bars)
    return Market(exchange, source, clock, config.speed, config.history_bars)
