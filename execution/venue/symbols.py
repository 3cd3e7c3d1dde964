"""The markets the venue lists: their steps, their filters, their entry in exchangeInfo. Prices are whole ticks and
quantities whole lots inside the venue; here they become Decimals and text. No order, no balance."""

from dataclasses import dataclass, field
from decimal import Decimal
from math import floor, log10

from execution.venue.book import EXPIRE_MAKER, PREVENTION_MODES
from execution.vocabulary.exit_codes import ConfigError

TRADING = "TRADING"
BREAK = "BREAK"
ORDER_TYPES = (
    *("LIMIT", "LIMIT_MAKER", "MARKET"),
    *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)
AVERAGE_MINUTES = 5
MAX_OPEN_ORDERS = 200
MAX_CONDITIONAL_ORDERS = 5
MAX_ICEBERG_PARTS = 10
PERCENT_UP = Decimal(5)
PERCENT_DOWN = Decimal("0.2")
NOTIONAL_MAX = Decimal(9_000_000)
MARKET_WORTH_MOST = 5_000_000  # dollars that one order at any price may be worth, about
E8 = 100_000_000
E8_DIGITS = 8
PRICE_DIGITS = 5  # significant digits after which a tick ends
STABLE_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "DAI", "USD", "EUR")
COIN_PRICE = Decimal(100_000)  # what one BTC counts as, to size books and opening balances quoted in it


def quote_unit(quote: str) -> Decimal:
    """What about one dollar is in `quote`: 1 for a stable coin, 0.00001 for a coin such as BTC."""
    return Decimal(1) if quote in STABLE_QUOTES else 1 / COIN_PRICE


@dataclass(slots=True)
class Symbol:
    """One market. It stands (BREAK) while there is a reason in `halts`, and isn't shown while it isn't `listed`.

    Its filters may change, also to coarser steps (`tick_size` ticks, `step_size` lots); its own steps never do.
    `average` is its price in ticks over the last AVERAGE_MINUTES of market time, 0 while nobody says it. One order may
    be `most_lots`, one at any price `most_market_lots`; `most_ticks` is the highest price, `percent_by_side` how far
    below and above the market a limit may be.
    """

    base: str
    quote: str
    price_decimals: int
    lot_decimals: int
    halts: set[str] = field(default_factory=set)
    listed: bool = True
    average: Decimal = Decimal(0)
    tick_size: int = 1
    step_size: int = 1
    name: str = field(init=False)
    tick: Decimal = field(init=False)
    lot: Decimal = field(init=False)
    most_ticks: int = field(init=False)
    most_lots: int = field(init=False)
    most_market_lots: int = field(init=False)
    percent_by_side: dict[str, tuple[Decimal, Decimal]] = field(init=False)
    notional_min: Decimal = field(init=False)
    notional_max: Decimal = NOTIONAL_MAX
    tick_e8: int = field(init=False)
    lot_e8: int = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.base + self.quote
        self.tick = Decimal(1).scaleb(-self.price_decimals)
        self.lot = Decimal(1).scaleb(-self.lot_decimals)
        self.notional_min = 5 * quote_unit(self.quote) if quote_unit(self.quote) == 1 else 10 * quote_unit(self.quote)
        self.most_ticks = int(1_000_000 / self.tick)
        self.most_lots = self.most_market_lots = int(9_000_000 / self.lot)
        self.percent_by_side = dict.fromkeys(("BUY", "SELL"), (PERCENT_DOWN, PERCENT_UP))
        self.tick_e8 = 10 ** (E8_DIGITS - self.price_decimals)
        self.lot_e8 = 10 ** (E8_DIGITS - self.lot_decimals)

    @property
    def status(self) -> str:
        """TRADING or BREAK."""
        return BREAK if self.halts else TRADING

    def halt(self, why: str, wish: bool = True) -> None:
        """Nothing is traded for this reason, or no longer for this one."""
        (self.halts.add if wish else self.halts.discard)(why)

    def price(self, ticks: int) -> Decimal:
        """Ticks as an amount of the quote currency."""
        return ticks * self.tick

    def quantity(self, lots: int) -> Decimal:
        """Lots as an amount of the base currency."""
        return lots * self.lot

    def value(self, ticks: int, lots: int) -> Decimal:
        """Price times quantity, exact."""
        return self.price(ticks) * self.quantity(lots)

    def price_text(self, ticks: int) -> str:
        """Ticks with the eight decimals Binance prints."""
        return e8_text(ticks * self.tick_e8)

    def quantity_text(self, lots: int) -> str:
        """Lots with the eight decimals Binance prints."""
        return e8_text(lots * self.lot_e8)


def e8_text(value: int) -> str:
    """A whole number of 0.00000001 as text with eight decimals."""
    whole, rest = divmod(value, E8)
    return f"{whole}.{rest:08d}"


def amount_text(value: Decimal) -> str:
    """An exact amount with at least eight decimals, as Binance prints balances; more only if it holds more."""
    plain = format(value, "f")
    whole, _, rest = plain.partition(".")
    return f"{whole}.{rest.rstrip('0'):0<8}"


def split_pair(pair: str, where: str) -> tuple[str, str]:
    """'BTC/USDT' as base and quote. Raises ConfigError naming `where` it was written."""
    base, slash, quote = pair.partition("/")
    valid = slash and all(part.isascii() and part.isalnum() and part == part.upper() for part in (base, quote))
    if not valid or base == quote or len(base + quote) > 20:
        raise ConfigError(f'{where} = {pair!r} is not a market; write it like "BTC/USDT", in capitals')
    return base, quote


def steps_for(base: str, quote: str, price: float, decimals_seen: int = 0, lot_decimals_seen: int = 0) -> Symbol:
    """A market whose tick is fine enough for `price` and whose lot is small money; both fine enough for prices and
    quantities already recorded."""
    magnitude = floor(log10(price))
    price_decimals = min(E8_DIGITS, max(2, PRICE_DIGITS - 1 - magnitude, decimals_seen))
    dollars = floor(log10(price / float(quote_unit(quote))))
    symbol = Symbol(base, quote, price_decimals, max(lot_decimals_seen, min(5, max(0, dollars + 1))))
    worth = price / float(quote_unit(quote)) * float(symbol.lot)
    symbol.most_market_lots = max(1, min(symbol.most_lots, int(MARKET_WORTH_MOST / worth)))
    return symbol


def filters(symbol: Symbol) -> list[dict[str, object]]:
    """The symbol's filters as exchangeInfo shows them."""
    price_step, lot_step = symbol.price_text(symbol.tick_size), symbol.quantity_text(symbol.step_size)
    most, most_market = symbol.quantity_text(symbol.most_lots), symbol.quantity_text(symbol.most_market_lots)
    (bid_down, bid_up), (ask_down, ask_up) = (symbol.percent_by_side[side] for side in ("BUY", "SELL"))
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price_step,
            "maxPrice": symbol.price_text(symbol.most_ticks),
            "tickSize": price_step,
        },
        {"filterType": "LOT_SIZE", "minQty": lot_step, "maxQty": most, "stepSize": lot_step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": e8_text(0), "maxQty": most_market, "stepSize": e8_text(0)},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(bid_up),
            "bidMultiplierDown": str(bid_down),
            "askMultiplierUp": str(ask_up),
            "askMultiplierDown": str(ask_down),
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": amount_text(symbol.notional_min),
            "applyMinToMarket": True,
            "maxNotional": amount_text(symbol.notional_max),
            "applyMaxToMarket": False,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {"filterType": "ICEBERG_PARTS", "limit": MAX_ICEBERG_PARTS},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_CONDITIONAL_ORDERS},
    ]


def exchange_info(symbol: Symbol) -> dict[str, object]:
    """The symbol's entry in exchangeInfo."""
    return {
        "symbol": symbol.name,
        "status": symbol.status,
        "baseAsset": symbol.base,
        "baseAssetPrecision": E8_DIGITS,
        "quoteAsset": symbol.quote,
        "quotePrecision": E8_DIGITS,
        "quoteAssetPrecision": E8_DIGITS,
        "baseCommissionPrecision": E8_DIGITS,
        "quoteCommissionPrecision": E8_DIGITS,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": EXPIRE_MAKER,
        "allowedSelfTradePreventionModes": list(PREVENTION_MODES),
    }
