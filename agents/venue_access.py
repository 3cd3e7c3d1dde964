"""How a client finds its way to the embedded venue and in: where it listens, its rules, the symbols to look at."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from agents.embedded import wait_for_port
from execution.exchange.classify import VenueError
from execution.exchange.endpoint import Endpoint
from execution.runtime.backoff import Backoff
from execution.runtime.clock import Clock
from execution.runtime.home import Home, user_state
from execution.runtime.settings import TradingConfig
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.market import SymbolRules

log = logging.getLogger("nae.venue_access")


async def reach_embedded_venue(home: Home, clock: Clock) -> Endpoint:
    """Where the embedded venue listens, once it has said so."""
    port = await wait_for_port(home, clock)
    return Endpoint("binance", f"http://127.0.0.1:{port}")


def budget_file(home: Home, endpoint: Endpoint) -> Path:
    """Where all who ask this venue share their rate budget: those of one home, or of the whole machine when the venue
    is a real exchange, which counts by address."""
    return home.run / "rate_budget" if endpoint.embedded else user_state() / f"rate_budget-{endpoint.exchange_id}"


async def wait_for_rules(load: Callable[[], Awaitable[dict[str, SymbolRules]]], clock: Clock) -> dict[str, SymbolRules]:
    """The venue's rules, as soon as it answers. It may be starting, or be away for a moment."""
    backoff = Backoff(first_s=0.1, last_s=2.0)
    while True:
        try:
            return await load()
        except VenueError as error:
            log.info("waiting for the venue", extra={"fields": {"error": error}})
            await clock.sleep(backoff.next_s())


def tradable(rules: dict[str, SymbolRules], config: TradingConfig, place: Path) -> list[str]:
    """The symbols to look at: those asked for, or all in the quote currency. ConfigError when there is none."""
    unknown = [symbol for symbol in config.symbols if symbol not in rules]
    if unknown:
        raise ConfigError(f"{place}: trading.symbols: the venue has no {unknown[0]}; it lists {', '.join(rules)}")
    chosen = list(config.symbols) or [symbol for symbol, rule in rules.items() if rule.quote == config.quote]
    if not chosen:
        quotes = sorted({rule.quote for rule in rules.values()})
        right = f'the venue trades in {", ".join(quotes)} only: write quote = "{quotes[0]}" under [trading]'
        raise ConfigError(f"{place}: trading.quote = {config.quote!r}: {right}")
    return chosen


def watched(chosen: list[str], concerned: Iterable[str], rules: dict[str, SymbolRules]) -> list[str]:
    """What a trader must follow: the symbols chosen to trade, and those it holds or has an order in. A symbol taken out
    of nae.toml gets no more entries, but what is held of it is still priced and sold."""
    return list(dict.fromkeys([*chosen, *sorted(symbol for symbol in concerned if symbol in rules)]))
