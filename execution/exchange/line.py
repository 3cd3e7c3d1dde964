"""How long the venue takes to answer, as whoever asks it sees it: the newest requests of a client and of all that were
renewed from it. A request that was given up counts with the time that it was waited for."""

from collections import deque

from execution.vocabulary.health import ComponentHealth, ComponentStatus

REQUESTS_KEPT_MAX = 300


class Line:
    """`timeout_s`: after this a request is given up."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._took_s: deque[float] = deque(maxlen=REQUESTS_KEPT_MAX)

    def note(self, seconds: float) -> None:
        """A request has been answered, or given up."""
        self._took_s.append(seconds)

    def get_health(self) -> ComponentHealth:
        """`metrics`: of the newest requests how many there are, how many were given up, and what they took."""
        took = sorted(self._took_s)
        given_up = sum(1 for seconds in took if seconds >= self.timeout_s)
        metrics = {"requests": len(took), "given_up": given_up, "timeout_s": self.timeout_s}
        if took:
            metrics |= {f"p{share}_s": round(took[(len(took) - 1) * share // 100], 4) for share in (50, 99)}
        return ComponentHealth(ComponentStatus.HEALTHY, error_count=given_up, metrics=metrics)
