"""What is asked of the rest of a Binance account: its coins, and what it pays. Little, and true: nothing is paid in or
out by request. No sockets."""

from execution.venue import errors
from execution.venue.auth import Window
from execution.venue.exchange import Exchange
from execution.venue.parameters import Parameters
from execution.venue.prevented_shapes import prevented_match
from execution.venue.settlement import BNB, BNB_SHARE
from execution.venue.symbols import amount_text, filters

Values = dict[str, str]
NOT_KEPT = ("symbol", "orderId", "startTime", "endTime", "limit", "fromAllocationId", "fromExecutionId")
PREVENTED_IDS = ("preventedMatchId", "orderId", "fromPreventedMatchId")
CREATED_MS = 1_700_000_000_000  # nobody keeps when a key was made
NO_FEE = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}


class WalletRest:
    """The requests. Each takes the account, its parameters and the request's time window; raises ApiError."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def coins(self, account: str, values: Values, window: Window) -> object:
        """GET sapi/v1/capital/config/getall."""
        Parameters(values, ())
        held = self._exchange.engine.accounts.balances(account)
        traded = {name for symbol in self._exchange.symbols.values() for name in (symbol.base, symbol.quote)}
        rows = []
        for asset in sorted(traded | held.keys()):
            free, locked = self._exchange.engine.accounts.balance(account, asset)
            row = {"coin": asset, "name": asset, "free": amount_text(free), "locked": amount_text(locked)}
            flags = {"depositAllEnable": False, "withdrawAllEnable": False, "trading": asset in traded}
            rows.append(row | flags | {"isLegalMoney": False, "networkList": []})
        return rows

    def rights(self, account: str, values: Values, window: Window) -> object:
        """GET sapi/v1/account/apiRestrictions: a key may read and trade, and never withdraw."""
        Parameters(values, ())
        may = ("enableReading", "enableSpotAndMarginTrading")
        may_not = (
            *("enableWithdrawals", "enableInternalTransfer", "enableMargin", "enableFutures", "enableVanillaOptions"),
            *("permitsUniversalTransfer", "enableFixApiTrade", "enableFixReadOnly", "enablePortfolioMarginTrading"),
        )
        rights = dict.fromkeys(may, True) | dict.fromkeys(may_not, False)
        return {"ipRestrict": False, "createTime": CREATED_MS} | rights

    def none_of_symbol(self, account: str, values: Values, window: Window) -> object:
        """GET myAllocations and order/amendments: neither comes about here."""
        Parameters(values, NOT_KEPT).symbol(self._exchange.symbols)
        return []

    def prevented_matches(self, account: str, values: Values, window: Window) -> object:
        """GET myPreventedMatches: what the account would have traded with itself. Raises -1128 for odd questions."""
        parameters = Parameters(values, ("symbol", *PREVENTED_IDS, "limit"))
        symbol = parameters.symbol(self._exchange.symbols)
        asked = tuple(name for name in PREVENTED_IDS if name in parameters)
        if asked not in (("preventedMatchId",), ("orderId",), ("orderId", "fromPreventedMatchId")):
            raise errors.bad_combination()
        match_id, order_id, from_id = (parameters.integer(name) for name in PREVENTED_IDS)
        most = parameters.limit(500, 1000)
        find = self._exchange.store.prevented.find
        found = find(account, symbol, match_id, order_id, from_id=from_id or 0, limit=most)
        return [prevented_match(match) for match in found]

    def filters(self, account: str, values: Values, window: Window) -> object:
        """GET myFilters: what binds the account on a symbol. Only the symbol's own filters do."""
        symbol = Parameters(values, ("symbol",)).symbol(self._exchange.symbols)
        return {"exchangeFilters": [], "symbolFilters": filters(self._exchange.symbols[symbol]), "assetFilters": []}

    def commission(self, account: str, values: Values, window: Window) -> object:
        """GET account/commission of a symbol."""
        symbol = Parameters(values, ("symbol",)).symbol(self._exchange.symbols)
        taker, maker = (amount_text(fee) for fee in self._exchange.fees)
        return {
            "symbol": symbol,
            "standardCommission": NO_FEE | {"maker": maker, "taker": taker},
            "specialCommission": NO_FEE,
            "taxCommission": NO_FEE,
            "discount": {
                "enabledForAccount": account in self._exchange.engine.settlement.pay_in_bnb,
                "enabledForSymbol": True,
                "discountAsset": BNB,
                "discount": amount_text(BNB_SHARE),
            },
        }
