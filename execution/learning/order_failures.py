"""What refused orders teach: how little of a symbol may be ordered, and which symbols to leave alone for a while.

Pure: from the venue's words to a lesson. A lesson holds for a time, longer each time it is confirmed, and is then tried
again: a wrong one isn't for ever. Who sends orders asks; nothing is sent or stored here.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

ABOVE_REFUSED = Decimal("1.1")  # what was refused, and a little more
DECLARED_TIMES_MAX = 20  # an order so many times the venue's own least wasn't refused for being small
HELD_MS = 3_600_000  # a learned least: an hour at first ...
HELD_LONGEST_MS = 7 * 24 * 3_600_000  # ... doubling up to a week
REFUSED_IN_ROW_MAX = 3  # then the symbol is left alone
QUARANTINE_MS = 600_000  # ten minutes at first ...
QUARANTINE_LONGEST_MS = 24 * 3_600_000  # ... doubling up to a day


class Refusal(StrEnum):
    """Why the venue refused an order."""

    TOO_SMALL = "too_small"  # MIN_NOTIONAL, NOTIONAL
    LOT = "lot_size"
    PRICE = "price"
    OTHER = "other"  # of the symbol's too: halted, not permitted, another filter
    BALANCE = "balance"
    LIMITS = "rate_limits"
    ACCOUNT = "account"  # key, signature, clock
    LINE = "line"  # no connection, no sense in the answer: says nothing of the symbol


SYMBOLS_OWN = frozenset({Refusal.TOO_SMALL, Refusal.LOT, Refusal.PRICE, Refusal.OTHER})
VENUES_OWN = frozenset({Refusal.LIMITS, Refusal.LINE})  # nothing can be sent at all
_BY_WORD = (
    ("NOTIONAL", Refusal.TOO_SMALL),
    ("LOT_SIZE", Refusal.LOT),
    ("PERCENT_PRICE", Refusal.PRICE),
    ("PRICE_FILTER", Refusal.PRICE),
    ("INSUFFICIENT BALANCE", Refusal.BALANCE),
    ("MAX_NUM_ORDERS", Refusal.LIMITS),
)
_BY_CODE = {
    "-1003": Refusal.LIMITS,
    "-1015": Refusal.LIMITS,
    "-1002": Refusal.ACCOUNT,
    "-1021": Refusal.ACCOUNT,
    "-1022": Refusal.ACCOUNT,
    "-2014": Refusal.ACCOUNT,
    "-2015": Refusal.ACCOUNT,
}


def refusal_of(note: str) -> Refusal:
    """What the venue's words (`CODE MESSAGE`) or a failure's kind say."""
    code = note.partition(" ")[0]
    if not (code.startswith("-") and code[1:].isdecimal()):
        return Refusal.LINE
    if code in _BY_CODE:
        return _BY_CODE[code]
    return next((kind for word, kind in _BY_WORD if word in note.upper()), Refusal.OTHER)


class Minimum(msgspec.Struct, frozen=True):
    """The least that an order of a symbol must be worth, as refusals taught it, until `until_ms`."""

    value: Decimal
    times: int
    until_ms: int


def minimum_after(known: Minimum | None, refused: Decimal, declared: Decimal, now_ms: int) -> Minimum | None:
    """The lesson after an order worth `refused` was refused as too small. `declared`: the least that the venue itself
    names; an order far above it was refused for another reason, and teaches nothing."""
    if not refused.is_finite() or not 0 < refused <= declared * DECLARED_TIMES_MAX:
        return known
    value = refused * ABOVE_REFUSED
    times = 1 if known is None else known.times + 1
    held_ms = min(HELD_LONGEST_MS, HELD_MS * 2 ** min(times - 1, 32))
    return Minimum(value if known is None else max(known.value, value), times, now_ms + held_ms)


def minimum_unless(known: Minimum | None, accepted: Decimal) -> Minimum | None:
    """The lesson after an order worth `accepted` was taken: a smaller one than it allows shows that it was wrong."""
    return None if known is None or accepted < known.value else known


def minimum_at(known: Minimum | None, now_ms: int) -> Decimal:
    """What the lesson asks for now; 0 when there is none, or when it is due to be tried again."""
    return known.value if known is not None and now_ms < known.until_ms else Decimal(0)


class Refusals(msgspec.Struct, frozen=True):
    """How a symbol's orders have been refused: in a row, and how often it was left alone since one was taken."""

    in_row: int = 0
    left_alone: int = 0


def refused_again(before: Refusals) -> tuple[Refusals, int]:
    """After one more refusal for the symbol's own sake: for how many ms it is to be left alone; 0: not yet. After a
    quarantine one refusal is enough for the next, which is twice as long."""
    in_row = before.in_row + 1
    if in_row < REFUSED_IN_ROW_MAX:
        return Refusals(in_row, before.left_alone), 0
    times = before.left_alone + 1
    return Refusals(in_row, times), min(QUARANTINE_LONGEST_MS, QUARANTINE_MS * 2 ** min(times - 1, 32))
