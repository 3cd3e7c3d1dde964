"""What binds an order beyond its symbol's filters, and what is asked about it: rules, reference prices, fees."""

import asyncio
from decimal import Decimal
from pathlib import Path

from tests.venue.support import SANDBOX, raw_client, running

BTC = "BTCUSDT"


def test_the_reference_price_is_the_mean_of_the_last_closing_prices_as_its_calculation_says(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            how = (await raw.public("referencePrice/calculation", symbol=BTC)).body
            assert how == {
                "symbol": BTC,
                "calculationType": "ARITHMETIC_MEAN",
                "bucketCount": 5,
                "bucketWidthMs": 60_000,
            }
            rows = (await raw.public("klines", symbol=BTC, interval="1m", limit=5)).body
            mean = sum((Decimal(row[4]) for row in rows), Decimal(0)) / 5
            told = (await raw.public("referencePrice", symbol=BTC)).body
            assert abs(Decimal(told["referencePrice"]) - mean) < Decimal("0.00000001")

    asyncio.run(scene())


def test_execution_rules_are_told_of_each_symbol_and_their_questions_do_not_combine(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            told = (await raw.public("executionRules", symbol=BTC)).body
            assert told == {"symbolRules": [{"symbol": BTC, "rules": []}]}, "nothing here forbids a price range"
            assert len((await raw.public("executionRules")).body["symbolRules"]) == 4
            assert (await raw.public("executionRules", symbolStatus="BREAK")).body == {"symbolRules": []}
            assert (await raw.public("executionRules", symbol=BTC, symbolStatus="TRADING")).code == -1128

    asyncio.run(scene())


def test_a_small_ticker_leaves_out_what_compares_and_a_status_chooses_among_symbols(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            full = (await raw.public("ticker/24hr", symbol=BTC)).body
            small = (await raw.public("ticker/24hr", symbol=BTC, type="MINI")).body
            assert small.items() < full.items()
            assert full.keys() - small.keys() >= {"priceChange", "bidPrice"}
            assert len((await raw.public("ticker/price", symbolStatus="TRADING")).body) == 4
            assert (await raw.public("ticker/price", symbolStatus="BREAK")).body == []
            assert (await raw.public("ticker/price", symbol=BTC, symbolStatus="HALT")).code == -1220
            assert (await raw.public("exchangeInfo", symbol=BTC, symbolStatus="TRADING")).code == -1128
            assert (await raw.public("klines", symbol=BTC, interval="1h", timeZone="0")).status == 200
            assert (await raw.public("klines", symbol=BTC, interval="1h", timeZone="8")).code == -1100

    asyncio.run(scene())


def test_who_pays_in_bnb_is_told_of_the_discount(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            told = (await raw.signed("GET", "account/commission", symbol=BTC)).body["discount"]
            assert told["enabledForAccount"] is False
            venue.server.exchange.pay_fees_in_bnb(SANDBOX.account, True)
            told = (await raw.signed("GET", "account/commission", symbol=BTC)).body["discount"]
            assert told == {
                "enabledForAccount": True,
                "enabledForSymbol": True,
                "discountAsset": "BNB",
                "discount": "0.75000000",
            }

    asyncio.run(scene())


def test_prevented_matches_are_asked_for_by_id_or_by_order_and_by_nothing_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, driven=False) as venue, raw_client(venue) as raw:
            price = (await raw.public("ticker/price", symbol=BTC)).body["price"]
            limit = {"symbol": BTC, "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "0.001"}
            await raw.signed("POST", "order", symbol=BTC, side="BUY", type="MARKET", quantity="0.01")
            resting = (await raw.signed("POST", "order", **limit, side="SELL")).body["orderId"]
            await raw.signed("POST", "order", **limit, side="BUY")

            async def asked(**values: object) -> list[int]:
                reply = await raw.signed("GET", "myPreventedMatches", symbol=BTC, **values)
                return [row["preventedMatchId"] for row in reply.body] if reply.status == 200 else [reply.code]

            (match,) = await asked(orderId=resting)
            assert await asked(preventedMatchId=match) == [match]
            assert await asked(orderId=resting, fromPreventedMatchId=match + 1) == []
            for odd in ({}, {"fromPreventedMatchId": 1}, {"preventedMatchId": match, "orderId": resting}):
                assert await asked(**odd) == [-1128]

    asyncio.run(scene())
