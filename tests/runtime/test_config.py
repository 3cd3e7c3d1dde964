"""nae.toml: what is wrong is refused with the file, the key, the value and what would be right; nothing is ignored."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.runtime.config import load
from execution.runtime.settings import CHOICES, RANGES, Config
from execution.vocabulary.exit_codes import ConfigError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "nae.toml"
        path.write_text(text)
        return path

    return to_file


def test_without_a_file_every_key_has_a_default(tmp_path: Path) -> None:
    assert load(tmp_path / "nae.toml", {}) == Config()


def test_an_empty_file_is_all_defaults(write: Write) -> None:
    assert load(write(""), {}) == Config()


def test_every_default_keeps_its_own_range_and_choices() -> None:
    config = Config()
    for name, allowed in RANGES.items():
        section, key = name.split(".")
        assert allowed.problem(getattr(getattr(config, section), key)) is None, name
    for name, choices in CHOICES.items():
        section, key = name.split(".")
        value = getattr(getattr(config, section), key)
        assert set(value if isinstance(value, tuple) else (value,)) <= set(choices), name


def test_money_is_read_without_passing_through_a_float(write: Write) -> None:
    config = load(write("[venue]\ntaker_fee = 0.00075\nopening_balance = 10000.10\n[risk]\nexposure_max = 5000\n"), {})
    assert config.venue.taker_fee == Decimal("0.00075")
    assert config.venue.opening_balance == Decimal("10000.10")
    assert config.risk.exposure_max == Decimal(5000)


BAD = [
    ("[venue]\nsped = 60\n", "unknown key venue.sped = 60; did you mean venue.speed?"),
    ("[venu]\nspeed = 60\n", "unknown key venu = {'speed': 60}; did you mean venue?"),
    ("zzz = 1\n", "unknown key zzz = 1; known keys: live, operation, risk, trading, universe, venue"),
    ("[venue]\nspeed = 0\n", "venue.speed = 0 is out of range; it must be a number of more than 0 and at most 100000"),
    ("[venue]\nspeed = nan\n", "venue.speed = NaN is out of range; it must be a finite number"),
    ("[venue]\nspeed = inf\n", "venue.speed = Infinity is out of range; it must be a finite number"),
    (
        "[venue]\nport = 70000\n",
        "venue.port = 70000 is out of range; it must be a number of at least 0 and at most 65535",
    ),
    ("[venue]\nport = 80.5\n", "venue.port = 80.5 has the wrong type; it must be a whole number"),
    ("[venue]\nport = true\n", "venue.port = True has the wrong type; it must be a whole number"),
    ('[venue]\nspeed = "fast"\n', "venue.speed = 'fast' has the wrong type; it must be a number"),
    ("[venue]\nmarket = 7\n", "venue.market = 7 has the wrong type; it must be text in quotes"),
    ("[venue]\nsymbols = 'BTC/USDT'\n", "venue.symbols = 'BTC/USDT' has the wrong type; it must be a list of texts"),
    ("[venue]\nsymbols = [1]\n", "venue.symbols = [1] has the wrong type; it must be a list of texts"),
    (
        '[venue]\nmarket = "sinthetic"\n',
        'venue.market = \'sinthetic\' isn\'t known; it must be "synthetic", "replay:FILE" or "mirror:EXCHANGE"',
    ),
    ('[venue]\nmarket = "replay:"\n', 'it must be "synthetic", "replay:FILE" or "mirror:EXCHANGE"'),
    ('[venue]\nmarket = "mirror:"\n', 'it must be "synthetic", "replay:FILE" or "mirror:EXCHANGE"'),
    ("[venue]\nmarket = 2026-11-21\n", "has the wrong type; it must be text in quotes"),
    ("[live]\nreal_money = 1\n", "live.real_money = 1 has the wrong type; it must be true or false"),
    ("venue = 3\n", "venue = 3 must be a section: write [venue]"),
    (
        '[operation]\nlog_level = "LOUD"\n',
        "operation.log_level = 'LOUD' isn't known; it must be one of DEBUG, INFO, WARNING, ERROR",
    ),
    ('[trading]\ntimeframe = "7m"\n', "trading.timeframe = '7m' isn't known; it must be one of 1m, 3m, 5m"),
    ("[trading]\nposition_share = 1.01\n", "it must be a number of more than 0 and at most 1"),
    ("[risk]\nexposure_max = -5\n", "risk.exposure_max = -5 is out of range; it must be a number of more than 0"),
    ("[venue\n", "not valid TOML: "),
    ("[venue]\nspeed = 1\nspeed = 2\n", "not valid TOML: "),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_wrong_value_is_refused_with_what_would_be_right(write: Write, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_bytes_that_arent_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nae.toml"
    path.write_bytes(b"\xff\xfe\x00[venue]")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(path, {})


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nae.toml").mkdir()
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path / "nae.toml", {})


def test_the_environment_sets_the_market_on_top_of_the_file(write: Write) -> None:
    path = write('[venue]\nmarket = "synthetic"\nspeed = 5\n')
    config = load(path, {"NAE_MARKET": "replay:candles.csv", "NAE_SPEED": "2.5", "NAE_VOLUME_UNIT": "quote"})
    assert (config.venue.market, config.venue.speed, config.venue.volume_unit) == ("replay:candles.csv", 2.5, "quote")


def test_a_candle_file_in_the_file_is_named_from_the_files_own_folder(write: Write) -> None:
    path = write('[venue]\nmarket = "replay:candles/BTC_USD-1m.csv"\n')
    assert load(path, {}).venue.market == f"replay:{path.parent}/candles/BTC_USD-1m.csv"
    path = write('[venue]\nmarket = "replay:/data/BTC_USD-1m.csv"\n')
    assert load(path, {}).venue.market == "replay:/data/BTC_USD-1m.csv"


def test_an_empty_variable_is_as_good_as_none(write: Write) -> None:
    assert load(write(""), {"NAE_SPEED": "", "NAE_MARKET": ""}) == Config()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NAE_SPEED", "fast", "NAE_SPEED: venue.speed = 'fast' has the wrong type; it must be a number"),
        ("NAE_SPEED", "0", "it must be a number of more than 0"),
        ("NAE_SPEED", "nan", "it must be a finite number"),
        ("NAE_MARKET", "mirror", 'it must be "synthetic", "replay:FILE" or "mirror:EXCHANGE"'),
        ("NAE_VOLUME_UNIT", "coins", "it must be one of base, quote"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "nae.toml", {name: value})
    assert f"environment variable {name}" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[venue]\nseed = " + "9" * 5000 + "\n",
        "[venue]\nspeed = 1e999999999999999999999\n",
        "[venue]\ntaker_fee = 1e-999999999999999999999\n",
        "[venue]\nopening_balance = 1e400\n",
        "[venue]\nspeed = 1e400\n",
        "[venue]\nseed = 9223372036854775808000\n",
        "[trading]\nsymbols = " + "[" * 5000 + "]" * 5000 + "\n",
        "[" + ".".join(["a"] * 5000) + "]\n",
    ],
    ids=["digits", "exponent", "tiny", "huge-money", "huge-float", "huge-int", "nesting", "dotted"],
)
def test_absurd_numbers_and_nesting_give_a_config_or_a_config_error(write: Write, text: str) -> None:
    path = write(text)
    try:
        assert isinstance(load(path, {}), Config)
    except ConfigError as error:
        assert str(path) in str(error)


SECTIONS = st.sampled_from([*(name for name in RANGES), *CHOICES, "venue.symbols", "live.real_money", "venue.nothing"])
VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.booleans().map(lambda value: str(value).lower()),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126, blacklist_characters="'"), max_size=8).map(
        lambda value: f"'{value}'"
    ),
    st.sampled_from(["[]", "['a']", "[1, 'a']", "{}", "{a = 1}", "2026-11-21T08:00:00Z", "08:00:00", "0x10", "1e5"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(SECTIONS, VALUES), max_size=4))
def test_any_well_formed_file_is_a_config_or_a_config_error(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    text = "".join(f"[{name.split('.')[0]}]\n{name.split('.')[1]} = {value}\n" for name, value in rows[:1])
    text += "".join(f"{name} = {value}\n" for name, value in rows[1:])
    _config_or_error(tmp_path, text)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.sampled_from("[]{}=.\"'#,+-_0123456789eEaxnfi venus\n\t\\u\x00é"), max_size=60))
def test_any_text_is_a_config_or_a_config_error(tmp_path: Path, text: str) -> None:
    _config_or_error(tmp_path, text)


def _config_or_error(folder: Path, text: str) -> None:
    path = folder / "nae.toml"
    path.write_text(text)
    try:
        config = load(path, {})
    except ConfigError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error)) > len(str(path)) + 10
    else:
        for name, allowed in RANGES.items():
            section, key = name.split(".")
            assert allowed.problem(getattr(getattr(config, section), key)) is None


def test_the_health_interval_may_come_from_the_environment_within_the_same_bounds(tmp_path: Path) -> None:
    path = tmp_path / "nae.toml"
    assert load(path, {"NAE_HEALTH_INTERVAL": "12.5"}).operation.health_interval_s == 12.5
    for wrong in ("0", "nan", "soon", "1e9"):
        with pytest.raises(ConfigError, match="NAE_HEALTH_INTERVAL"):
            load(path, {"NAE_HEALTH_INTERVAL": wrong})
