"""Loads the one ccxt exchange class we use, without the other hundred: half the memory and half the start-up time.

The packages `ccxt`, `ccxt.async_support` and `ccxt.pro` import every exchange they know. Here they are registered
without running that; whoever asks them for any other name gets the whole package loaded, as if nothing had been done.
"""

import importlib
import importlib.util
import logging
import sys
from types import ModuleType
from typing import Any


def _deferred(name: str) -> ModuleType:
    """Register a package whose own code runs only when a name it doesn't have yet is asked for."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is not installed")
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader

    def load_whole_package(missing: str) -> Any:
        if missing.startswith("__") or not hasattr(module, "__getattr__"):
            raise AttributeError(f"module {name!r} has no attribute {missing!r}")
        del module.__dict__["__getattr__"]
        loader.exec_module(module)
        return getattr(module, missing)

    module.__dict__["__getattr__"] = load_whole_package
    sys.modules[name] = module
    return module


def _load_lean() -> Any:
    root = _deferred("ccxt")
    errors = importlib.import_module("ccxt.base.errors")
    for name, value in vars(errors).items():
        if isinstance(value, type):
            setattr(root, name, value)
    root.__dict__["Exchange"] = importlib.import_module("ccxt.base.exchange").Exchange
    asynchronous = _deferred("ccxt.async_support")
    root.__dict__["async_support"] = asynchronous
    asynchronous.__dict__["binance"] = importlib.import_module("ccxt.async_support.binance").binance
    streaming = _deferred("ccxt.pro")
    root.__dict__["pro"] = streaming
    streaming.__dict__["binance"] = importlib.import_module("ccxt.pro.binance").binance
    return streaming.__dict__["binance"]


def load() -> Any:
    """ccxt.pro's binance class (REST and WebSocket). Raises ImportError when ccxt isn't installed."""
    logging.getLogger("ccxt").setLevel(logging.WARNING)  # its debug lines carry signed URLs and the API key
    if "ccxt" in sys.modules:
        return importlib.import_module("ccxt.pro").binance
    return _load_lean()


ProBinance: Any = load()
BaseError: Any = importlib.import_module("ccxt.base.errors").BaseError
