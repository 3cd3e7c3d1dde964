"""What the market feed says of itself. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from execution.exchange.symbol_feed import SymbolFeed
from execution.runtime.clock import iso
from execution.vocabulary.health import ComponentHealth, ComponentStatus
from execution.vocabulary.limits import STALE_FEED_S

SILENT_SHOWN = 5


def health_of(
    symbols: Collection[SymbolFeed],
    silent: Sequence[str],
    stale_for_s: float,
    heard: tuple[int | None, int],
    counts: Mapping[str, int],
) -> ComponentHealth:
    """`heard`: when anything was last, and how many errors there were. Degraded once nothing was heard for
    STALE_FEED_S, of all or of one symbol. `metrics`: bars and trades, what was missed, found and lost of them, bars
    that differ from the venue's own, refused messages, reconnects."""
    heard_ms, errors = heard
    if heard_ms is None:
        status = ComponentStatus.STARTING
    else:
        status = ComponentStatus.DEGRADED if silent or stale_for_s > STALE_FEED_S else ComponentStatus.HEALTHY
    tapes = [one.trades.tape for one in symbols]
    metrics: dict[str, Any] = {
        "stale_for_s": round(stale_for_s, 1),
        "silent": ", ".join(silent[:SILENT_SHOWN]),
        "bars": sum(one.bars.delivered for one in symbols),
        "flat_bars": sum(one.bars.flat for one in symbols),
        "bars_from_trades": sum(one.bars_from_trades for one in symbols),
        "bars_compared": sum(one.trades.compared for one in symbols),
        "bars_differing": sum(one.trades.differing for one in symbols),
        "volumes_differing": sum(one.trades.volumes_differing for one in symbols),
        "trades": sum(one.trades_heard for one in symbols),
        "trades_missed": sum(tape.missed for tape in tapes),
        "trades_found": sum(tape.found for tape in tapes),
        "trades_lost": sum(tape.lost for tape in tapes),
        "trades_repeated": sum(tape.duplicates for tape in tapes),
        "leaps": sum(one.sense.leaps for one in symbols),
        **counts,
    }
    return ComponentHealth(
        status=status,
        last_activity=None if heard_ms is None else iso(heard_ms),
        error_count=errors,
        metrics=metrics,
    )
