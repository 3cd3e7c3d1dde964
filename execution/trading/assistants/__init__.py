"""The five assistants of the trading manager, one stage of the cycle each."""
