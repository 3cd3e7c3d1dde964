"""What an agent refuses to start on, in words that say what would be right."""

from pathlib import Path

import msgspec
import pytest

from agents.main_loop import main
from agents.venue import check_market_fits
from agents.venue_access import tradable, watched
from execution.runtime.clock import SystemClock
from execution.runtime.settings import Config, TradingConfig, VenueConfig
from execution.venue.server import ApiKey, VenueServer
from execution.vocabulary.exit_codes import ConfigError, ExitCode
from execution.vocabulary.market import SymbolRules

FIVE_MINUTES_MS = 300_000
PLACE = "/home/nae.toml"


@pytest.fixture
def server(tmp_path: Path) -> VenueServer:
    """A venue that replays five-minute candles of ETH/BTC."""
    rows = [f"{1_640_995_200_000 + n * FIVE_MINUTES_MS},0.05,0.0502,0.0498,0.05,100" for n in range(300)]
    file = tmp_path / "ETH_BTC-5m.csv"
    file.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    config = VenueConfig(market=f"replay:{file}")
    return VenueServer(config, tmp_path / "venue", [ApiKey("sandbox", "key", "secret")], SystemClock())


def settings(**trading: str) -> Config:
    return Config(trading=msgspec.convert(trading, TradingConfig, strict=False))


def test_a_timeframe_shorter_than_the_markets_candles_is_refused_with_the_possible_ones(server: VenueServer) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_market_fits(settings(quote="BTC", timeframe="1m", minimum_order="0.0001"), server, PLACE)
    assert str(refusal.value) == (
        f"{PLACE}: trading.timeframe = '1m': this market has no such candles; one of 5m, 15m, 30m, 1h would be right"
    )


def test_a_minimum_order_above_a_whole_position_is_refused_in_the_quote_currency(server: VenueServer) -> None:
    with pytest.raises(ConfigError, match=r"minimum_order = 2.00 BTC is more than a whole position \(0.005 BTC"):
        check_market_fits(settings(quote="BTC", timeframe="5m"), server, PLACE)


def test_settings_that_fit_the_market_are_taken(server: VenueServer) -> None:
    check_market_fits(settings(quote="BTC", timeframe="15m", minimum_order="0.0001"), server, PLACE)


def test_a_quote_that_the_venue_hasnt_is_refused_with_the_line_to_write(server: VenueServer) -> None:
    check_market_fits(settings(quote="USDT", timeframe="5m"), server, PLACE)  # the traders say it, once they have asked
    with pytest.raises(ConfigError, match='the venue trades in BTC only: write quote = "BTC" under'):
        tradable_in_bitcoin_only(TradingConfig())


def tradable_in_bitcoin_only(config: TradingConfig) -> list[str]:
    class Rule:
        quote = "BTC"

    return tradable({"ETH/BTC": Rule()}, config, Path(PLACE))  # type: ignore[dict-item]


def test_a_position_in_a_symbol_that_is_no_longer_chosen_is_still_followed() -> None:
    rules: dict[str, SymbolRules] = dict.fromkeys(["BTC/USDT", "ETH/USDT", "SOL/USDT"])  # type: ignore[assignment]
    assert watched(["BTC/USDT"], ["SOL/USDT", "BTC/USDT", "SOL/USDT"], rules) == ["BTC/USDT", "SOL/USDT"]
    assert watched(["BTC/USDT"], ["GONE/USDT"], rules) == ["BTC/USDT"], "a feed of what isn't listed would fail"


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "many", "3601"])
def test_a_wrong_interval_of_the_loop_by_hand_is_wrong_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], interval: str
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "home"))
    assert main([f"--interval={interval}"]) == ExitCode.USAGE
    assert "isn't a number of seconds from 0.1 to 3600" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_home_that_cant_be_made_ends_the_loop_by_hand_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("in the way")
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    assert main(["--once"]) == ExitCode.OS_ERROR
    assert str(tmp_path / "data") in capsys.readouterr().err
