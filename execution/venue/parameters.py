"""A request's parameters, read strictly: each at most once, none empty, none unknown, each of its own form. Pure;
every fault is an ApiError with Binance's code."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from execution.venue import errors
from execution.venue.store import Page

PARAMETERS_MAX = 40
DAY_MS = 86_400_000
DECIMAL_FORM = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
INTEGER_FORM = re.compile(r"[0-9]{1,18}")
CLIENT_ID_FORM = re.compile(r"[a-zA-Z0-9_.:/\-]{1,36}")
SYMBOL_FORM = re.compile(r"[A-Z0-9_.\-]{1,20}")
SIGNING = frozenset(("timestamp", "recvWindow", "signature", "apiKey"))


def parse(*texts: str) -> dict[str, str]:
    """Parameters out of a query string and a form body. Raises -1100, -1101, -1105."""
    values: dict[str, str] = {}
    for text in filter(None, texts):
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
        except ValueError as error:
            raise errors.illegal_characters("request", "name=value pairs in UTF-8") from error
        for name, value in pairs:
            if name in values:
                raise errors.duplicate_parameter(name)
            if not value:
                raise errors.empty_parameter(name)
            values[name] = value
    return values


class Parameters:
    """The parameters of one request to one endpoint. Reading a malformed one raises ApiError."""

    def __init__(self, values: Mapping[str, str], allowed: Collection[str]) -> None:
        """Raises -1104 when the request holds a parameter that isn't `allowed`."""
        known = [name for name in values if name in allowed or name in SIGNING]
        if len(known) < len(values):
            raise errors.unread_parameters(len(known), len(values))
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, form: re.Pattern[str]) -> str | None:
        """A text of a given form, or None when it wasn't sent."""
        value = self._values.get(name)
        if value is not None and not form.fullmatch(value):
            raise errors.illegal_characters(name, f"^{form.pattern}$")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, or None when it wasn't sent."""
        value = self.text(name, INTEGER_FORM)
        return None if value is None else int(value)

    def limit(self, default: int, most: int) -> int:
        """How many rows are wanted; more than `most` gives `most`."""
        value = self.integer("limit")
        if value == 0:
            raise errors.illegal_characters("limit", f"1 to {most}")
        return default if value is None else min(value, most)

    def amount(self, name: str) -> Decimal | None:
        """A positive amount, or None when it wasn't sent."""
        value = self.text(name, DECIMAL_FORM)
        return None if value is None else Decimal(value)

    def choice(self, name: str, choices: Collection[str], refusal: errors.ApiError) -> str | None:
        """One of some words, or None when it wasn't sent; `refusal` is raised for any other."""
        value = self._values.get(name)
        if value is not None and value not in choices:
            raise refusal
        return value

    def required(self, name: str) -> str:
        """A parameter that must be there."""
        value = self._values.get(name)
        if value is None:
            raise errors.missing(name)
        return value

    def flag(self, name: str) -> bool:
        """true or false; false when it wasn't sent."""
        return self.choice(name, ("true", "false"), errors.illegal_characters(name, "true|false")) == "true"

    def symbol(self, symbols: Collection[str]) -> str:
        """The market, which must be there. Raises -1102, -1100, -1121."""
        self.required("symbol")
        name = self.text("symbol", SYMBOL_FORM)
        if name not in symbols:
            raise errors.invalid_symbol()
        return str(name)

    def symbol_list(self, symbols: Collection[str]) -> list[str] | None:
        """`symbols=["A","B"]` or `symbol=A`, or None when neither was sent. Raises -1128 for both."""
        if "symbols" not in self._values:
            return [self.symbol(symbols)] if "symbol" in self._values else None
        if "symbol" in self._values:
            raise errors.bad_combination()
        text = self._values["symbols"]
        if not re.fullmatch(r'\[("[A-Z0-9_.\-]{1,20}"(,"[A-Z0-9_.\-]{1,20}"){0,99})?\]', text):
            raise errors.illegal_characters("symbols", '["SYMBOL","SYMBOL"]')
        names = [name.strip('"') for name in text[1:-1].split(",") if name]
        if not names or any(name not in symbols for name in names):
            raise errors.invalid_symbol()
        return names


def read_page(parameters: Parameters, from_id: int | None) -> Page:
    """Which part of a history is wanted. Raises -1127 when it is more than a day."""
    start_ms, end_ms = parameters.integer("startTime"), parameters.integer("endTime")
    if start_ms is not None and end_ms is not None and not 0 <= end_ms - start_ms <= DAY_MS:
        raise errors.ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return Page(parameters.limit(500, 1000), from_id, start_ms, end_ms)
