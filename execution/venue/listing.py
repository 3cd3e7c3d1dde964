"""Which markets are listed: a market that isn't is shown to nobody and takes no order. What has been said of it is one
text, for the store. It moves no order and no money."""

from collections.abc import Mapping

from execution.venue.symbols import Symbol

STORED_AS = "delisted"


class Listing:
    """`listed` are the markets that are shown, in their order; it always stays the same object."""

    def __init__(self, symbols: Mapping[str, Symbol]) -> None:
        self.listed = dict(symbols)
        self._symbols = symbols

    def show(self, name: str, wish: bool) -> None:
        """List a market, or delist it. Raises KeyError for one that was never there (a bug)."""
        self._symbols[name].listed = wish
        self._arrange()

    def _arrange(self) -> None:
        self.listed.clear()
        self.listed.update({name: symbol for name, symbol in self._symbols.items() if symbol.listed})

    def text(self) -> dict[str, str]:
        """What the store must remember."""
        return {STORED_AS: " ".join(name for name, symbol in self._symbols.items() if not symbol.listed)}

    def restore(self, stored: Mapping[str, str]) -> None:
        """As it was."""
        gone = stored.get(STORED_AS, "").split()
        for name, symbol in self._symbols.items():
            symbol.listed = name not in gone
        self._arrange()
