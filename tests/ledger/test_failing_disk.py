"""The n-th write or fsync fails, for every n, once or from then on: what was acknowledged is there afterwards, and what
failed was said. The process ends without closing anything, as a kill would have it.

All n that there are: NAE_ROUNDS=1000. A compiler is needed, and Linux.
"""

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from execution.ledger.backups import back_up, why_not_sound
from execution.ledger.opening import open_ledger
from execution.ledger.store import Ledger
from execution.runtime.clock import ManualClock
from execution.runtime.sqlite import DatabaseError
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import BTC, fill, request
from tests.support import ROOT, rounds

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")
ALL_LATER = {"once": 0, "from then on": 1}
SHARE = 40  # every so-many-th n in one round


class Life:
    """What a trader does to a ledger, one thing after the other; it goes on after each that was refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: dict[str, Any] = {"orders": [], "fills": 0, "cash": 0, "state": "active", "refused": 0}
        self._ledger: Ledger | None = None

    def run(self) -> dict[str, Any]:
        for step in (self._open, self._begin, self._trade, self._deposit, self._halt, self._copy, self._checkpoint):
            self._try(step)
        self._try(self._reopen)
        for _ in range(2):
            self._try(self._trade)
        return self.acknowledged

    def _try(self, step: Any) -> None:
        try:
            step()
        except (DatabaseError, OSError):
            self.acknowledged["refused"] += 1

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            self._open()
        assert self._ledger is not None
        return self._ledger

    def _open(self) -> None:
        self._ledger = open_ledger(self.folder / "ledger.db", "live", ManualClock())

    def _begin(self) -> None:
        self.ledger.open_books({"USDT": Decimal(10**6)}, {BTC: "0"}, 1)
        self.acknowledged["cash"] += 1

    def _trade(self) -> None:
        order = self.ledger.record_intent(request())
        self.acknowledged["orders"].append(order)
        self.ledger.mark(order, OrderEvent.SENT)
        self.ledger.record_fill(fill(len(self.acknowledged["orders"]), order))
        self.acknowledged["fills"] += 1

    def _deposit(self) -> None:
        self.ledger.record_cash_flow("USDT", Decimal(5), "deposit")
        self.acknowledged["cash"] += 1

    def _halt(self) -> None:
        self.ledger.set_trading_state(TradingState.HALTED, "loss limit", "risk")
        self.acknowledged["state"] = "halted"

    def _copy(self) -> None:
        back_up(self.ledger.path, ManualClock())

    def _checkpoint(self) -> None:
        self.ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _reopen(self) -> None:
        self.ledger.close()
        self._ledger = None
        self._open()


def lived(disk: Any, folder: Path, at: int, error: int, stays: int) -> dict[str, Any]:
    """A life on a disk that fails, in a process of its own that ends at once; what it was told is durable."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        disk.disk_fails(str(folder).encode(), at, error, stays)
        told = Life(folder).run() | {"calls": disk.disk_calls()}
        os.write(writer, json.dumps(told).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = json.loads(pipe.read())
    os.waitpid(child, 0)
    return dict(told)


def check(folder: Path, told: dict[str, Any], failed: bool) -> None:
    """What was acknowledged is there; copies are whole or aren't there."""
    with closing(open_ledger(folder / "ledger.db", "live", ManualClock())) as ledger:
        orders = {row.client_order_id for row in ledger.orders(limit=-1)}
        assert orders >= set(told["orders"]), "an intent is lost"
        assert len(orders) <= len(told["orders"]) + told["refused"]
        assert told["fills"] <= ledger.fills_count <= told["fills"] + told["refused"], "a fill is lost"
        cash = len(ledger._connection.execute("SELECT 1 FROM cash_flows").fetchall())
        assert told["cash"] <= cash <= 2, "a cash flow is lost"
        assert told["state"] in ("active", ledger.trading_state()[0]), "a halt is lost"
    for copy in (folder / "backups").glob("*.db"):
        assert why_not_sound(copy, "live") == ""
    assert failed or told["refused"] == 0


def sweep(library: str, root: Path, error: int, stays: int, share: int) -> int:
    """Every `share`th n, until none fails any more; how many calls there are."""
    disk = ctypes.CDLL(library)
    calls = lived(disk, root / "sound", 0, error, stays)["calls"]
    for at in range(1 + (stays + error) % share, calls + 1, share):
        folder = root / str(at)
        told = lived(disk, folder, at, error, stays)
        try:
            check(folder, told, failed=True)
        except BaseException as problem:
            raise AssertionError(f"call {at} of {calls}: {problem!r}; told {told}") from problem
        shutil.rmtree(folder)
    return int(calls)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux" or COMPILER is None:
        pytest.skip("needs Linux and a compiler")
    made = tmp_path_factory.mktemp("disk") / "failing_disk.so"
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", "-O1", "-w", "-o", made, HERE / "failing_disk.c", "-ldl"], check=True, timeout=60
    )
    return made


@pytest.mark.parametrize("how", ALL_LATER)
@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EROFS"])
def test_what_was_acknowledged_is_there_whichever_write_failed(
    tmp_path: Path, library: Path, error: str, how: str
) -> None:
    share = max(1, SHARE // rounds(1))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            __name__,
            library,
            tmp_path,
            str(getattr(errno, error)),
            str(ALL_LATER[how]),
            str(share),
        ],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 100


if __name__ == "__main__":
    print(sweep(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])))
