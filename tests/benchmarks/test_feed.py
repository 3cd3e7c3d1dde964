"""A second of what `python -m benchmarks.feed` measures."""

import asyncio

from benchmarks.feed import compared, show
from benchmarks.spread import Spread


def test_our_feed_acts_on_every_trade_of_a_flood() -> None:
    rows = asyncio.run(compared([500], 2, 0.6))
    assert [row["side"] for row in rows] == ["bare", "ccxt.pro", "ours"]
    mine = rows[-1]
    assert mine["lost"] == 0
    assert Spread(*mine["old"]).size > 100
    show(rows)
