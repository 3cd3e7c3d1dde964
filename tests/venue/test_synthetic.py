"""The invented market: the same for the same seed, whole, and with something in it to trade on."""

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.venue.bars import Bar
from execution.venue.candles import Candles, Progress, join
from execution.venue.market_kinds import KINDS, kind_of
from execution.venue.price_path import candle_moves, grown, price_path, quotes
from execution.venue.symbols import amount_text, e8_text, steps_for
from execution.venue.synthetic import BLOCK, SyntheticMarket
from execution.vocabulary.exit_codes import ConfigError

PAIRS = ("BTC/USDT", "ETH/USDT", "XRP/USDT")


def closes(market: SyntheticMarket, symbol: str, count: int) -> list[int]:
    return [market.bar(symbol, index).close for index in range(count)]


def test_the_same_seed_gives_the_same_candle_whatever_was_asked_before() -> None:
    one, other = SyntheticMarket(7, PAIRS), SyntheticMarket(7, tuple(reversed(PAIRS)))
    far = other.bar("ETHUSDT", 10 * BLOCK + 5)
    assert closes(one, "BTCUSDT", 200) == closes(other, "BTCUSDT", 200)
    assert one.bar("ETHUSDT", 10 * BLOCK + 5) == far
    assert closes(SyntheticMarket(8, PAIRS), "BTCUSDT", 200) != closes(one, "BTCUSDT", 200)


def test_known_candles_do_not_change_between_versions() -> None:
    assert SyntheticMarket(7, PAIRS).bar("BTCUSDT", 0) == Bar(5300881, 5307520, 5268249, 5271807, 1422516947)
    assert SyntheticMarket(7, PAIRS).bar("BTCUSDT", 2000) == Bar(4828958, 4829910, 4816192, 4816745, 1648227141)


def test_candles_are_whole_and_join_each_other_across_blocks() -> None:
    market = SyntheticMarket(3, PAIRS)
    before = market.bar("XRPUSDT", 0)
    for index in range(1, 3 * BLOCK):
        bar = market.bar("XRPUSDT", index)
        assert bar.open == before.close
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume_e8 > 0
        before = bar


def test_moves_are_of_the_wanted_size_and_symbols_move_together() -> None:
    market = SyntheticMarket(7, PAIRS)
    returns = {}
    for symbol in ("BTCUSDT", "ETHUSDT"):
        prices = closes(market, symbol, 5 * BLOCK)
        returns[symbol] = [math.log(b / a) for a, b in pairwise(prices)]
        assert 0.0015 < statistics.pstdev(returns[symbol]) < 0.0035
    assert 0.15 < statistics.correlation(returns["BTCUSDT"], returns["ETHUSDT"]) < 0.7


def test_prices_stay_around_a_level_for_ever() -> None:
    market = SyntheticMarket(7, PAIRS)
    symbol = market.symbols[0]
    levels = [market.level(symbol, number) for number in range(0, 2000, 50)]
    assert 15_000 < float(symbol.price(min(levels))) < 60_000 < float(symbol.price(max(levels))) < 240_000


def test_following_a_strong_move_pays_after_costs() -> None:
    """Momentum with symmetric exits of 0.6 % and costs of 0.23 %: worth something, over several seeds."""
    results: list[float] = []
    for seed in (7, 8, 9):
        market = SyntheticMarket(seed, PAIRS)
        results += _momentum([market.bar("BTCUSDT", index) for index in range(5 * BLOCK)])
    assert len(results) > 100
    assert statistics.mean(results) > 0


def _momentum(bars: list[Bar]) -> list[float]:
    results, entry = [], 0
    for index in range(40, len(bars)):
        bar = bars[index]
        if entry and (bar.low < entry * 0.994 or bar.high > entry * 1.006):
            results.append((-0.006 if bar.low < entry * 0.994 else 0.006) - 0.0023)
            entry = 0
        elif not entry and bar.close > bars[index - 40].close * 1.025:
            entry = bar.close
    return results


@pytest.mark.parametrize("pairs", [(), ("BTCUSDT",), ("btc/usdt",), ("BTC/BTC",), ("BTC/USDT", "BTC/USDT"), ("/",)])
def test_a_bad_list_of_markets_is_refused(pairs: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"venue\.symbols"):
        SyntheticMarket(7, pairs)


bars = st.lists(st.integers(1000, 100_000), min_size=4, max_size=4).map(
    lambda p: Bar(p[0], max(p), min(p), p[3], 123_456_789)
)


@given(bar=bars, steps=st.integers(4, 80), seed=st.text(max_size=5))
def test_a_candle_is_played_through_exactly_its_four_prices(bar: Bar, steps: int, seed: str) -> None:
    path = price_path(bar, steps, seed)
    assert len(path) == steps
    assert (path[0], max(path), min(path), path[-1]) == (bar.open, bar.high, bar.low, bar.close)
    moves = candle_moves(bar, steps, seed, 0, 60_000)
    assert [{move.ticks for move in step} for step in moves] == [{ticks} for ticks in path]
    assert grown(None, moves[0])[:4] == (bar.open,) * 4
    made = grown(None, [move for step in moves for move in step])
    assert made[:4] == bar[:4]
    assert 0 <= bar.volume_e8 - made.volume_e8 < 3 * steps, "but for what can't be divided"
    assert path == price_path(bar, steps, seed)


@given(ticks=st.integers(1, 10**9), lots=st.integers(1, 10**6))
def test_quotes_lie_around_the_price_best_first(ticks: int, lots: int) -> None:
    bids, asks = quotes(ticks, lots)
    assert all(price < ticks and size >= lots for price, size in bids)
    assert all(price > ticks and size >= lots for price, size in asks)
    assert [price for price, _ in bids] == sorted({price for price, _ in bids}, reverse=True)
    assert [price for price, _ in asks] == sorted({price for price, _ in asks})
    assert asks[0][0] - ticks <= max(1, ticks * 0.0003)


@given(value=st.integers(0, 10**20))
def test_amounts_are_printed_with_eight_decimals(value: int) -> None:
    text = e8_text(value)
    assert round(float(text) * 1e8) == pytest.approx(value)
    assert len(text.partition(".")[2]) == 8
    from decimal import Decimal

    assert amount_text(Decimal(value) / 10**8) == text
    assert Decimal(amount_text(Decimal(value).scaleb(-11))) == Decimal(value).scaleb(-11), "nothing is hidden"


@pytest.mark.parametrize(
    ("base", "quote", "price", "tick", "lot"),
    [
        ("BTC", "USDT", 60_000.0, "0.01", "0.00001"),
        ("SOL", "USDT", 150.0, "0.01", "0.001"),
        ("XRP", "USDT", 0.6, "0.00001", "1"),
        ("ETH", "BTC", 0.05, "0.000001", "0.0001"),
    ],
)
def test_steps_are_fine_enough_for_the_price(base: str, quote: str, price: float, tick: str, lot: str) -> None:
    symbol = steps_for(base, quote, price)
    assert (format(symbol.tick, "f"), format(symbol.lot, "f")) == (tick, lot)


@settings(max_examples=40)
@given(next_index=st.integers(1, 300), now=st.integers(0, 3), limit=st.integers(1, 50), data=st.data())
def test_coarser_klines_are_their_candles_put_together(next_index: int, now: int, limit: int, data: object) -> None:
    market = SyntheticMarket(5, ("BTC/USDT",))
    candles = Candles(market, next_index)
    if now:
        candles.progress["BTCUSDT"] = Progress(next_index, market.bar("BTCUSDT", next_index))
    minute = 60_000
    found = candles.select("BTCUSDT", 5 * minute, None, None, limit)
    assert len(found) <= limit
    newest = market.first_ms + (next_index - (0 if now else 1)) * minute
    assert found[-1].open_ms <= newest < found[-1].open_ms + 5 * minute
    for kline in found:
        first = (kline.open_ms - market.first_ms) // minute
        last = min(first + 5, next_index + (1 if now else 0))
        assert kline.bar == join([market.bar("BTCUSDT", index) for index in range(first, last)])


def test_klines_from_a_start_come_in_order_and_within_the_end() -> None:
    market = SyntheticMarket(5, ("BTC/USDT",))
    candles = Candles(market, 200)
    start, minute = market.first_ms + 30_000, 60_000
    found = candles.select("BTCUSDT", minute, start, start + 10 * minute, 500)
    assert [k.open_ms for k in found] == [market.first_ms + i * minute for i in range(1, 11)]
    assert candles.select("BTCUSDT", minute, candles.now_ms(), None, 500) == []
    assert len(candles.select("BTCUSDT", minute, 0, None, 7)) == 7


def test_each_kind_of_market_is_what_its_name_says() -> None:
    returns, falls = {}, {}
    for name, kind in KINDS.items():
        market = SyntheticMarket(5, PAIRS, kind)
        prices = closes(market, "BTCUSDT", 2 * BLOCK)
        returns[name] = statistics.pstdev(math.log(b / a) for a, b in pairwise(prices))
        falls[name] = max(1 - price / max(prices[max(0, i - 45) : i + 1]) for i, price in enumerate(prices))
        assert closes(SyntheticMarket(5, PAIRS, kind), "BTCUSDT", 50) == prices[:50]
    assert returns["quiet"] < 0.0003 < returns["edge"] < returns["trend"] < returns["range"]
    assert falls["crash"] > 0.10 > falls["random"] > falls["quiet"]


def test_the_planted_edge_goes_on_after_each_breakout_and_comes_back() -> None:
    for seed in range(5):
        prices = closes(SyntheticMarket(seed, PAIRS, KINDS["edge"]), "ETHUSDT", BLOCK)
        breakouts = [i for i in range(40, BLOCK - 40) if prices[i] > 1.003 * max(prices[i - 30 : i - 1])]
        first = [i for i in breakouts if i - 1 not in breakouts]
        assert len(first) >= 4
        assert statistics.mean(prices[i + 25] / prices[i] - 1 for i in first) > 0.01
        assert abs(prices[-1] / prices[0] - 1) < 0.06


def test_an_unknown_kind_is_named_with_what_would_be_right() -> None:
    assert kind_of("synthetic") is KINDS["usual"] and kind_of("synthetic:trend") is KINDS["trend"]
    with pytest.raises(ConfigError, match=r"'synthetic:trent' isn't known; .* one of usual, trend, range, crash"):
        kind_of("synthetic:trent")
