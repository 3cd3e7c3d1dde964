"""Which requests there are by REST: method, path, weight, and what answers. The one table of them; no sockets."""

from collections.abc import Callable
from dataclasses import dataclass

from execution.venue.auth import ApiKey
from execution.venue.back_office import BackOffice, Change
from execution.venue.listen_keys import ListenKeys
from execution.venue.market_rest import MarketRest
from execution.venue.trading import Request, Trading

API = "/api/v3/"
SAPI = "/sapi/v1/"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. `weight_all` counts when no symbol is named; `keyed` needs a key, but no signature."""

    run: Callable[[dict[str, str]], object] | None = None
    signed: Request | Change | None = None
    keyed: Callable[[ApiKey, dict[str, str]], object] | None = None
    weight: int = 1
    weight_all: int = 0
    counts_orders: bool = False

    def weight_in(self, query: str) -> int:
        """Its weight, where that depends on a symbol at most; the rest is in weights.py."""
        return self.weight_all if self.weight_all and "symbol" not in query else self.weight


def public_endpoints(market: MarketRest) -> dict[tuple[str, str], Endpoint]:
    """What needs no signature, by method and path."""
    endpoints = {
        "ping": Endpoint(market.ping),
        "time": Endpoint(market.time),
        "exchangeInfo": Endpoint(market.exchange_info, weight=20),
        "executionRules": Endpoint(market.execution_rules),
        "referencePrice": Endpoint(market.reference_price, weight=2),
        "referencePrice/calculation": Endpoint(market.reference_price_calculation, weight=2),
        "klines": Endpoint(market.klines, weight=2),
        "uiKlines": Endpoint(market.klines, weight=2),
        "depth": Endpoint(market.depth, weight=5),
        "trades": Endpoint(market.trades, weight=25),
        "historicalTrades": Endpoint(market.historical_trades, weight=25),
        "historicalBlockTrades": Endpoint(market.block_trades, weight=25),
        "aggTrades": Endpoint(market.aggregate_trades, weight=4),
        "avgPrice": Endpoint(market.average_price, weight=2),
        "ticker/24hr": Endpoint(market.ticker_day, weight=2, weight_all=80),
        "ticker": Endpoint(market.ticker_window, weight=4),
        "ticker/tradingDay": Endpoint(market.ticker_trading_day, weight=4),
        "ticker/price": Endpoint(market.ticker_price, weight=2, weight_all=4),
        "ticker/bookTicker": Endpoint(market.book_ticker, weight=2, weight_all=4),
    }
    found = {("GET", API + path): endpoint for path, endpoint in endpoints.items()}
    nothing = ("margin/allPairs", "margin/isolated/allPairs")  # there is no margin here; clients ask all the same
    found |= {("GET", SAPI + path): Endpoint(market.nothing) for path in nothing}
    return found | {("GET", SAPI + "system/status"): Endpoint(market.system_status)}


def signed_endpoints(office: BackOffice) -> dict[tuple[str, str], Endpoint]:
    """What a key must sign, by method and path."""
    trading, wallet = office.trading, office.wallet
    return {
        ("POST", API + "order"): Endpoint(signed=Change("POST order", trading.place_order), counts_orders=True),
        ("POST", API + "order/test"): Endpoint(signed=Change("POST order/test", trading.test_order)),
        ("GET", API + "order"): Endpoint(signed=trading.query_order, weight=4),
        ("DELETE", API + "order"): Endpoint(signed=Change("DELETE order", trading.cancel_order)),
        ("GET", API + "openOrders"): Endpoint(signed=trading.open_orders, weight=6, weight_all=80),
        ("DELETE", API + "openOrders"): Endpoint(signed=Change("DELETE openOrders", trading.cancel_all)),
        ("GET", API + "allOrders"): Endpoint(signed=trading.all_orders, weight=20),
        ("GET", API + "myTrades"): Endpoint(signed=trading.my_trades, weight=20),
        ("GET", API + "account"): Endpoint(signed=trading.account, weight=20),
        ("GET", API + "rateLimit/order"): Endpoint(signed=trading.order_rate, weight=40),
        ("GET", API + "myAllocations"): Endpoint(signed=wallet.none_of_symbol, weight=20),
        ("GET", API + "order/amendments"): Endpoint(signed=wallet.none_of_symbol, weight=4),
        ("GET", API + "myPreventedMatches"): Endpoint(signed=wallet.prevented_matches),
        ("GET", API + "myFilters"): Endpoint(signed=wallet.filters, weight=40),
        ("GET", API + "account/commission"): Endpoint(signed=wallet.commission, weight=20),
        ("GET", SAPI + "asset/tradeFee"): Endpoint(signed=trading.trade_fee),
        ("GET", SAPI + "capital/config/getall"): Endpoint(signed=wallet.coins, weight=10),
        ("GET", SAPI + "account/apiRestrictions"): Endpoint(signed=wallet.rights),
        ("GET", SAPI + "bnbBurn"): Endpoint(signed=trading.fee_wish),
        ("POST", SAPI + "bnbBurn"): Endpoint(signed=trading.fee_wish),
    } | _list_endpoints(trading)


def listen_key_endpoints(listen_keys: ListenKeys) -> dict[tuple[str, str], Endpoint]:
    """What Binance has taken away; only where the venue is told to go on with it."""
    path = API + "userDataStream"
    return {
        ("POST", path): Endpoint(keyed=listen_keys.create, weight=2),
        ("PUT", path): Endpoint(keyed=listen_keys.keep, weight=2),
        ("DELETE", path): Endpoint(keyed=listen_keys.close, weight=2),
    }


def _list_endpoints(trading: Trading) -> dict[tuple[str, str], Endpoint]:
    """Orders that belong together, and one that takes another's place."""
    lists, replace = trading.lists, trading.replacing.replace_order
    pair, older = lists.place_pair, lists.place_limit_and_stop
    return {
        ("POST", API + "order/cancelReplace"): Endpoint(
            signed=Change("POST order/cancelReplace", replace), counts_orders=True
        ),
        ("POST", API + "orderList/oco"): Endpoint(signed=Change("POST orderList/oco", pair), counts_orders=True),
        ("POST", API + "order/oco"): Endpoint(signed=Change("POST order/oco", older), weight=2, counts_orders=True),
        ("GET", API + "orderList"): Endpoint(signed=lists.query_list, weight=4),
        ("DELETE", API + "orderList"): Endpoint(signed=Change("DELETE orderList", lists.cancel_list)),
        ("GET", API + "allOrderList"): Endpoint(signed=lists.all_lists, weight=20),
        ("GET", API + "openOrderList"): Endpoint(signed=lists.open_lists, weight=6),
    }
