"""The one door to ccxt: the exchange class we use, and the error all of ccxt's own errors descend from.

ccxt's packages load every exchange they know: 58 MiB and a third of a second more than the one class needs. A trader
pays for that when it dies: the kernel takes its memory apart before it frees its lock. So the packages themselves stay
unexecuted until somebody asks them for something else; where that doesn't work, ccxt is loaded as it comes.
"""

import importlib
import importlib.util
import logging
import sys
from types import ModuleType
from typing import Any

logging.getLogger("ccxt").setLevel(logging.WARNING)  # its debug lines carry signed URLs and the API key
LOG = logging.getLogger("nae.exchange")
_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")


class Deferred(ModuleType):
    """A package that is found but not executed: its modules can be imported, and it becomes itself when it is asked for
    a name that it hasn't yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]  # only once
        LOG.info("%s is loaded whole, for %s", self.__name__, name)
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def _defer(name: str) -> Deferred:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is no package")
    package = Deferred(name)
    package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, package)
    return package


def _lean() -> tuple[Any, Any]:
    """The two, with nothing of the other exchanges. ImportError, AttributeError: ccxt isn't built as we know it."""
    whole, plain, pro = map(_defer, _PACKAGES)
    errors = importlib.import_module("ccxt.base.errors")
    for name in errors.__all__:
        setattr(whole, name, getattr(errors, name))
    whole.Exchange = importlib.import_module("ccxt.base.exchange").Exchange  # type: ignore[attr-defined]
    for package in (plain, pro):  # as the package itself would: else the name is the module of the class
        package.binance = importlib.import_module(f"{package.__name__}.binance").binance  # type: ignore[attr-defined]
    return pro.binance, errors.BaseError


def _as_it_comes() -> tuple[Any, Any]:
    ccxt = importlib.import_module("ccxt")
    return importlib.import_module("ccxt.pro").binance, ccxt.BaseError


def load() -> tuple[Any, Any]:
    """ccxt's class for Binance with streams, and its error. What somebody has loaded already is used as it is."""
    if any(name in sys.modules for name in _PACKAGES):
        return _as_it_comes()
    try:
        return _lean()
    except (ImportError, AttributeError) as error:
        LOG.warning("ccxt is loaded whole: %s", error)
        for name in [name for name in sys.modules if name.partition(".")[0] == "ccxt"]:
            del sys.modules[name]
        return _as_it_comes()


ProBinance, BaseError = load()
