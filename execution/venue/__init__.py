"""The embedded exchange: books, matching, money and a market, spoken to as Binance spot. It knows no trading."""
