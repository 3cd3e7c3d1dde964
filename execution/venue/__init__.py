"""The embedded exchange: books, matching, money and a market, spoken to as Binance spot is. Knows nothing of our trading."""
