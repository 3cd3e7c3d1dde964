"""The venue allows so much in a minute: takeovers ask for little, and who only waits leaves the rest to who trades."""

import urllib.request
from pathlib import Path

from agents.embedded import read_port
from execution.exchange.rate_budget import SPARE_SHARE, WEIGHT_PER_MINUTE
from execution.runtime.clock import SystemClock
from tests.chaos.twins import Twins, twins_in
from tests.support import eventually

TAKEOVERS = 2
TAKEOVER_MAX = 130  # of weight, the return of the fallen one and some seconds of routine included
EARLY_S = 40


def ask(twins: Twins, path: str = "time") -> int:
    """What this minute has cost so far."""
    url = f"http://127.0.0.1:{read_port(twins.family.home)}/api/v3/{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return int(answer.headers["X-MBX-USED-WEIGHT-1M"])


def early_in_a_minute() -> bool:
    return SystemClock().now_ms() / 1000 % 60 < EARLY_S


def test_takeovers_ask_for_little_and_in_a_dear_minute_a_standby_waits_unless_nobody_trades(tmp_path: Path) -> None:
    with twins_in(tmp_path / "home", speed=60) as twins:
        twins.ready()
        eventually(early_in_a_minute, within_s=30)
        before, epoch = ask(twins), 1
        for _ in range(TAKEOVERS):
            holder, standby = twins.ready()
            twins.family.kill(holder)
            epoch += 1
            twins.taken_over(standby, epoch)
            twins.family.start(holder)
        holder, standby = twins.ready()
        assert ask(twins) - before < TAKEOVERS * TAKEOVER_MAX
        while ask(twins, "ticker/24hr") < WEIGHT_PER_MINUTE * SPARE_SHARE:
            pass
        twins.family.kill(standby)
        twins.family.start(standby)
        eventually(lambda: "waits for the next minute" in twins.family.log(standby), within_s=10)
        assert not twins.says(standby)
        twins.family.kill(holder)
        assert "reconciled=True" in twins.taken_over(standby, epoch + 1)
        assert ask(twins) > WEIGHT_PER_MINUTE * SPARE_SHARE  # the same minute still
        twins.family.start(holder)
        eventually(lambda: "waits for the next minute" in twins.family.log(holder), within_s=10)
