"""The one door to ccxt: the exchange class we use, and the error all of ccxt's own errors descend from.

ccxt loads every exchange it knows: about 45 MiB and a quarter of a second more than the one class would need. That is
the price of using it as it is meant to be used.
"""

import logging
from typing import Any

import ccxt.pro

logging.getLogger("ccxt").setLevel(logging.WARNING)  # its debug lines carry signed URLs and the API key

ProBinance: Any = ccxt.pro.binance
BaseError: Any = ccxt.BaseError
