"""Which markets are listed: one that isn't is shown to nobody and takes no order. What has been said of them is one
text, for the store. It moves no order and no money."""

from collections.abc import Iterable, Mapping

from execution.venue.symbols import Symbol

STORED_AS = "listing"


class Listing:
    """`listed` are the markets that are shown, in their order; it always stays the same object."""

    def __init__(self, symbols: Mapping[str, Symbol], later: Iterable[str] = ()) -> None:
        """`later` aren't listed until somebody says so."""
        self.listed: dict[str, Symbol] = {}
        self._symbols = symbols
        self._later = frozenset(later)
        self._said: dict[str, bool] = {}
        self._arrange()

    def show(self, name: str, wish: bool) -> None:
        """List a market, or delist it."""
        self._said[name] = wish
        self._arrange()

    def text(self) -> dict[str, str]:
        """What the store must remember: "+DOGEUSDT -XRPUSDT"."""
        return {STORED_AS: " ".join(("+" if wish else "-") + name for name, wish in self._said.items())}

    def restore(self, stored: Mapping[str, str]) -> None:
        """As it was said; what nothing was said of is as it is meant to be at first."""
        self._said = {word[1:]: word[0] == "+" for word in stored.get(STORED_AS, "").split()}
        self._arrange()

    def _arrange(self) -> None:
        for name, symbol in self._symbols.items():
            symbol.listed = self._said.get(name, name not in self._later)
        self.listed.clear()
        self.listed.update({name: symbol for name, symbol in self._symbols.items() if symbol.listed})
