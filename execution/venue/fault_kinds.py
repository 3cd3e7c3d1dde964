"""What can go wrong at the venue on purpose: the kinds, what each means, and the value it takes. Only words; when one
befalls is decided in faults.py, and each kind is carried out in one place."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from execution.venue.archive import ARCHIVED_AFTER_S
from execution.venue.latency import USUAL, Distribution


class Fault(StrEnum):
    """The kinds. After a request's fault that isn't a clear refusal, the client can't know whether it was executed."""

    REFUSE_504 = "refuse_504"
    EXECUTE_504 = "execute_504"
    CUT = "cut"
    EXECUTE_CUT = "execute_cut"
    DELAY = "delay"
    LATE_REPLY = "late_reply"
    SERVER_BUSY = "server_busy"
    UNEXPECTED_RESPONSE = "unexpected_response"
    READ_LAG = "read_lag"
    LATENCY = "latency"
    TOO_MANY_REQUESTS = "too_many_requests"
    BANNED = "banned"
    HTML_502 = "html_502"
    HTML_REPLY = "html_reply"
    EMPTY_REPLY = "empty_reply"
    DROP_EVENT = "drop_event"
    DUPLICATE_EVENT = "duplicate_event"
    SWAP_EVENTS = "swap_events"
    DELAY_EVENT = "delay_event"
    DISCONNECT = "disconnect"
    CLOCK_OFFSET = "clock_offset"
    MAINTENANCE = "maintenance"
    DRIBBLE = "dribble"
    SPIKE = "spike"
    BALANCE = "balance"
    INTERNAL_ERROR = "internal_error"
    UNKNOWN_ERROR = "unknown_error"
    OFFLINE = "offline"
    SHORT_LIFE = "short_life"
    END_USER_STREAM = "end_user_stream"
    REVOKED_KEY = "revoked_key"
    READ_ONLY_KEY = "read_only_key"
    WITHDRAW_RIGHT = "withdraw_right"
    ARCHIVE = "archive"
    ENDPOINT_GONE = "endpoint_gone"
    ERROR_CODE = "error_code"
    ZERO_PRICE = "zero_price"
    NAN_PRICE = "nan_price"
    PRICE_TIMES = "price_times"
    CROSSED_BOOK = "crossed_book"
    GAP = "gap"
    DELIST = "delist"
    LIST = "list"
    TICK_SIZE = "tick_size"
    STEP_SIZE = "step_size"
    MIN_NOTIONAL = "min_notional"


INSIDE = frozenset(
    (
        *(Fault.REFUSE_504, Fault.EXECUTE_504, Fault.CUT, Fault.EXECUTE_CUT, Fault.DELAY, Fault.LATE_REPLY),
        *(Fault.SERVER_BUSY, Fault.UNEXPECTED_RESPONSE, Fault.INTERNAL_ERROR, Fault.UNKNOWN_ERROR),
    )
)  # befall a signed request that has been found good
REFUSED_AT_DOOR = frozenset((Fault.TOO_MANY_REQUESTS, Fault.BANNED, Fault.HTML_502))
SPOILT_REPLY = frozenset((Fault.HTML_REPLY, Fault.EMPTY_REPLY))
AT_DOOR = REFUSED_AT_DOOR | SPOILT_REPLY  # befall any request
WRONG_PRICES = frozenset((Fault.ZERO_PRICE, Fault.NAN_PRICE, Fault.PRICE_TIMES, Fault.CROSSED_BOOK))
EVENTS = WRONG_PRICES | {Fault.DROP_EVENT, Fault.DUPLICATE_EVENT, Fault.SWAP_EVENTS, Fault.DELAY_EVENT}
AT_ONCE = frozenset(
    (Fault.DISCONNECT, Fault.SPIKE, Fault.BALANCE, Fault.END_USER_STREAM, Fault.DELIST, Fault.LIST)
)  # happen by themselves, without a request
STANDING = frozenset(
    (
        *(Fault.READ_LAG, Fault.LATENCY, Fault.CLOCK_OFFSET, Fault.MAINTENANCE, Fault.DRIBBLE, Fault.OFFLINE),
        *(Fault.SHORT_LIFE, Fault.REVOKED_KEY, Fault.READ_ONLY_KEY, Fault.WITHDRAW_RIGHT, Fault.ARCHIVE),
        *(Fault.ENDPOINT_GONE, Fault.ERROR_CODE, Fault.GAP, Fault.TICK_SIZE, Fault.STEP_SIZE, Fault.MIN_NOTIONAL),
    )
)


@dataclass(frozen=True)
class Meaning:
    """What a kind does, what `on` picks, and its value: unit, the usual one, and the span that makes sense."""

    what: str
    on: str
    unit: str = ""
    usual: Decimal | None = None
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)

    @property
    def takes_value(self) -> bool:
        """Does the kind have a value at all?"""
        return bool(self.unit)


REQUEST = "a request: POST /api/v3/order, WS order.place"
EVENT = "an event: btcusdt@depth, ACCOUNT executionReport"
SYMBOL = "a symbol: BTCUSDT"
ACCOUNT = "an account"
DOOR = "a door: streams, ws-api"
DAY_S = 86_400


def _seconds(what: str, on: str, usual: str, most: int = 3600) -> Meaning:
    return Meaning(what, on, "seconds", Decimal(usual), Decimal(0), Decimal(most))


def _filter(what: str) -> Meaning:
    return Meaning(f"the filter has changed: {what}", SYMBOL, "amount", None, Decimal("0.00000001"), Decimal("1e9"))


SPREAD = ", ".join(f"{name} (usual)" if name is USUAL else name for name in Distribution)

MEANINGS: dict[Fault, Meaning] = {
    Fault.REFUSE_504: Meaning("not executed, answered 504", REQUEST),
    Fault.EXECUTE_504: Meaning("executed, answered 504", REQUEST),
    Fault.CUT: Meaning("not executed, connection cut", REQUEST),
    Fault.EXECUTE_CUT: Meaning("executed, connection cut", REQUEST),
    Fault.DELAY: _seconds("held up inside before matching; recvWindow decides", REQUEST, "6"),
    Fault.LATE_REPLY: _seconds("executed at once, answered late", REQUEST, "6"),
    Fault.SERVER_BUSY: Meaning("not executed, answered 503 and -1008", REQUEST),
    Fault.UNEXPECTED_RESPONSE: Meaning("executed, answered 503 and -1006", REQUEST),
    Fault.READ_LAG: _seconds("orders and trades can't be read until they are this old", REQUEST, "1"),
    Fault.LATENCY: _seconds(f"each answer later by this mean; distribution: {SPREAD}", REQUEST, "0.1", 60),
    Fault.TOO_MANY_REQUESTS: _seconds("answered 429 with Retry-After", REQUEST, "10"),
    Fault.BANNED: _seconds("answered 418 with Retry-After", REQUEST, "120", 259_200),
    Fault.HTML_502: Meaning("not executed, answered 502 with a web page", REQUEST),
    Fault.HTML_REPLY: Meaning("executed, answered 200 with a web page", REQUEST),
    Fault.EMPTY_REPLY: Meaning("executed, answered 200 with nothing", REQUEST),
    Fault.DROP_EVENT: Meaning("never sent; with --for, a silent stream", EVENT),
    Fault.DUPLICATE_EVENT: Meaning("sent twice", EVENT),
    Fault.SWAP_EVENTS: Meaning("sent after the one that follows it", EVENT),
    Fault.DELAY_EVENT: _seconds("sent late", EVENT, "2"),
    Fault.DISCONNECT: Meaning("all WebSocket connections are cut", DOOR),
    Fault.CLOCK_OFFSET: Meaning(
        "the venue's clock is off", "nothing", "seconds", Decimal(5), Decimal(-86_400), Decimal(86_400)
    ),
    Fault.MAINTENANCE: Meaning("the market is closed (BREAK)", SYMBOL),
    Fault.DRIBBLE: Meaning(
        "only this share of the usual size is on offer", SYMBOL, "share", Decimal("0.01"), Decimal(0), Decimal(1)
    ),
    Fault.SPIKE: Meaning(
        "the price leaps by this share for one step", SYMBOL, "share", Decimal("-0.05"), Decimal("-0.9"), Decimal(10)
    ),
    Fault.BALANCE: Meaning(
        "somebody pays in or, below 0, out", "ACCOUNT/ASSET", "amount", None, Decimal("-1e12"), Decimal("1e12")
    ),
    Fault.INTERNAL_ERROR: Meaning("not executed, answered 503 and -1001", REQUEST),
    Fault.UNKNOWN_ERROR: Meaning("executed, answered 503 and -1000", REQUEST),
    Fault.OFFLINE: Meaning("nobody can connect, and who was connected is cut off", "nothing"),
    Fault.SHORT_LIFE: _seconds("WebSocket connections end at this age", DOOR, "10", DAY_S),
    Fault.END_USER_STREAM: Meaning("user streams end, with eventStreamTerminated", ACCOUNT),
    Fault.REVOKED_KEY: Meaning("the account's key is nobody's any more", ACCOUNT),
    Fault.READ_ONLY_KEY: Meaning("the account's key may read, and no longer trade", ACCOUNT),
    Fault.WITHDRAW_RIGHT: Meaning("the account's key may withdraw", ACCOUNT),
    Fault.ARCHIVE: _seconds("orders that ended unfilled are archived at this age", REQUEST, "1", ARCHIVED_AFTER_S),
    Fault.ENDPOINT_GONE: Meaning("there is no such request any more: 404", REQUEST),
    Fault.ERROR_CODE: Meaning(
        "refused with this code instead", REQUEST, "code", Decimal(-1099), Decimal(-9999), Decimal(-1)
    ),
    Fault.ZERO_PRICE: Meaning("sent with prices of 0", EVENT),
    Fault.NAN_PRICE: Meaning("sent with prices that are no numbers", EVENT),
    Fault.PRICE_TIMES: Meaning(
        "sent with prices times this", EVENT, "factor", Decimal(10), Decimal("0.0001"), Decimal(10_000)
    ),
    Fault.CROSSED_BOOK: Meaning("sent with bids and asks exchanged", EVENT),
    Fault.GAP: Meaning(
        "the price has leapt by this share, for as long",
        SYMBOL,
        "share",
        Decimal("-0.05"),
        Decimal("-0.9"),
        Decimal(10),
    ),
    Fault.DELIST: Meaning("the symbol is gone from now on, its open orders have expired", SYMBOL),
    Fault.LIST: Meaning("a symbol that was delisted is listed anew", SYMBOL),
    Fault.TICK_SIZE: _filter("tickSize of PRICE_FILTER; a multiple of the usual one"),
    Fault.STEP_SIZE: _filter("stepSize of LOT_SIZE; a multiple of the usual one"),
    Fault.MIN_NOTIONAL: _filter("minNotional of NOTIONAL"),
}
