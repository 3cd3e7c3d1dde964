"""How long to wait before trying again: exponential, capped, with jitter so that many don't come at once."""

import random


class Backoff:
    """first_s, twice that, ... up to last_s; each between half and the whole of it. Never for an order."""

    def __init__(self, first_s: float, last_s: float, seed: int | None = None) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._attempt = 0
        self._random = random.Random(seed)

    def next_s(self) -> float:
        """The pause before the next attempt, in seconds."""
        whole = min(self._last_s, self._first_s * float(2 ** min(self._attempt, 32)))
        self._attempt += 1
        return whole * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: start from the beginning next time."""
        self._attempt = 0
