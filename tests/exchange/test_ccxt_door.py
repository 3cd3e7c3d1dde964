"""The door to ccxt brings in one exchange and not a hundred; ccxt is whole again for whoever asks it for more."""

import subprocess
import sys

from tests.support import ROOT


def told(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


DOOR = "import sys; from execution.exchange.ccxt_door import BaseError, ProBinance; "
COUNT = "len([name for name in sys.modules if name.startswith('ccxt')])"


def test_one_exchange_is_loaded_and_not_a_hundred() -> None:
    assert int(told(f"{DOOR}print({COUNT})")) < 40
    assert told(f"{DOOR}print('ccxt.kraken' in sys.modules, ProBinance().id)") == "False binance"


def test_ccxt_is_whole_for_whoever_asks_it_for_more_and_its_errors_stay_the_same() -> None:
    code = f"{DOOR}import ccxt, ccxt.pro; print(ccxt.pro.kraken().id, ccxt.kraken().id, ccxt.BaseError is BaseError)"
    assert told(code) == "kraken kraken True"


def test_the_names_that_are_loaded_are_ccxts_own_classes() -> None:
    code = (
        f"{DOOR}import ccxt.pro; print(ccxt.pro.binance is ProBinance, ccxt.async_support.binance().id, {COUNT} < 40)"
    )
    assert told(code) == "True binance True"


def test_where_somebody_has_loaded_ccxt_already_that_is_used() -> None:
    assert told("import ccxt.pro; " + DOOR + "print(ProBinance is ccxt.pro.binance)") == "True"


def test_a_ccxt_built_otherwise_is_loaded_as_it_comes() -> None:
    spoil = "import importlib.util as u; find = u.find_spec; "
    spoil += "u.find_spec = lambda name: find(name) if name == 'ccxt' else None; "
    assert told(spoil + DOOR + f"print(ProBinance().id, {COUNT} > 100)") == "binance True"
