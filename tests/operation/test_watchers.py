"""The watchers are watched: whoever of supervisord and the manager is killed, hung, doubled or told to stop, one
operation is there again, no orphan stays, nobody else is signalled, and a requested stop is never undone.

Real supervisord, real manager, real signals, over workers of one line each (tiny.py). NAE_ROUNDS=20 is the full count.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from execution.autonomous.launch import environment, stop
from execution.autonomous.stop_marker import withdraw_stop
from execution.runtime.clock import SystemClock, block
from execution.vocabulary.modes import OperationMode
from execution.vocabulary.programs import MANAGER
from tests.operation.tiny import WORKERS, TinyOperation, gone, kill, tiny_operation
from tests.support import ROOT, child, eventually, is_running, line_of, rounds

pytestmark = pytest.mark.operation
CLOCK = SystemClock()
PAUSES_S = [0.0, 0.12, *(n / 100 for n in range(2, 38, 2))]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyOperation]:
    with tiny_operation(tmp_path / "home") as operation:
        yield operation


def nothing_comes_back(tiny: TinyOperation) -> None:
    eventually(lambda: not tiny.everybody(), within_s=8)
    with pytest.raises(AssertionError):  # and stays so
        eventually(tiny.everybody, within_s=1.0)


def test_a_killed_supervisord_is_replaced_by_the_manager_and_every_worker_runs_once(tiny: TinyOperation) -> None:
    pids = tiny.up().is_complete()
    for _ in range(rounds()):
        former = psutil.Process(tiny.supervisord())
        was, open_files = (former.environ(), former.cmdline()[:4], former.cwd()), former.num_fds()
        former.kill()
        began = time.monotonic()
        eventually(partial(gone, *(pids[name] for name in WORKERS)), within_s=6)
        assert time.monotonic() - began < 2.0 + 0.5, "half a second is for a busy machine"
        anew = tiny.is_complete(but_not=former.pid)
        heir = psutil.Process(tiny.supervisord())
        assert heir.pid == pids[MANAGER], "the manager has become supervisord"
        assert (heir.environ(), heir.cmdline()[:4], heir.cwd()) == was, "as a first start makes it"
        eventually(lambda: heir.num_fds() <= open_files + 1)  # noqa: B023 - one may be a question at its socket
        assert tiny.home.pid_file.read_text().strip() == str(heir.pid)
        assert sorted(tiny.everybody()) == sorted({*anew.values(), heir.pid}), "each runs once"
        pids = anew


def killed_before_its_workers(supervisord: int, pids: dict[str, int]) -> bool:
    """Has it gone? While it hasn't, nobody else may have."""
    untouched = all(map(is_running, pids.values()))
    hangs = is_running(supervisord)
    assert untouched or not hangs
    return not hangs


def test_a_hung_supervisord_is_killed_and_replaced_one_that_hesitates_is_left_alone_and_a_stop_it_never_took_is_kept(
    tmp_path: Path,
) -> None:
    with (
        tiny_operation(tmp_path / "hung") as hung,
        tiny_operation(tmp_path / "hesitant") as hesitant,
        tiny_operation(tmp_path / "stopping") as stopping,
    ):
        three = (hung, hesitant, stopping)
        pids = {tiny: tiny.up().is_complete() for tiny in three}
        former = {tiny: tiny.supervisord() for tiny in three}
        kill(*former.values(), number=signal.SIGSTOP)
        eventually(lambda: psutil.Process(former[stopping]).status() == psutil.STATUS_STOPPED)
        kill(former[stopping], number=signal.SIGTERM)
        began = time.monotonic()
        eventually(lambda: "supervisord doesn't answer" in hesitant.said(MANAGER), within_s=8)
        kill(former[hesitant], number=signal.SIGCONT)
        eventually(partial(killed_before_its_workers, former[hung], pids[hung]), within_s=20)
        assert time.monotonic() - began >= 6.0, "it had its time to answer"
        hung.is_complete(but_not=former[hung])
        assert gone(*(pids[hung][name] for name in WORKERS))
        assert "supervisord hangs: SIGKILL" in hung.said(MANAGER)
        assert hesitant.is_complete() == pids[hesitant] and hesitant.supervisord() == former[hesitant]
        eventually(lambda: gone(former[stopping]), within_s=20)
        if sys.platform == "linux":  # only there a stopped process's untaken signals can be seen
            nothing_comes_back(stopping)


def test_with_both_killed_at_once_all_that_can_ends_and_the_next_start_ends_the_rest(tiny: TinyOperation) -> None:
    for _ in range(rounds(1)):
        pids, supervisord = tiny.up().is_complete(), tiny.supervisord()
        kill(supervisord, pids[MANAGER])
        eventually(lambda: gone(pids["willing"]), within_s=2.5)  # noqa: B023 - asked within the round
        assert is_running(pids["stubborn"]) and tiny.supervisord() == 0
        tiny.up()
        assert gone(pids["stubborn"]), "the next start ends what is left before it begins"
        assert f"killed what a dead supervisord had left: pids ({pids['stubborn']},)" in boot(tiny)


def test_the_pid_file_stops_one_that_hangs_too(tiny: TinyOperation) -> None:
    pids = tiny.up().is_complete()
    kill(pids["willing"], number=signal.SIGSTOP)  # it takes no SIGTERM, and the manager is stopped as well
    kill(int(tiny.home.pid_file.read_text()), number=signal.SIGTERM)
    eventually(lambda: not tiny.everybody(), within_s=15)


def test_a_stop_ends_the_orphan_that_nobody_else_is_left_to_end(tiny: TinyOperation) -> None:
    pids = tiny.up().is_complete()
    kill(tiny.supervisord(), pids[MANAGER])
    stopped = stop(tiny.home, CLOCK)
    assert stopped is not None
    assert stopped.killed == (pids["stubborn"],)
    assert stopped.seconds < 6, "it was left alone: there's nobody to wait for"


def boot(tiny: TinyOperation) -> str:
    return tiny.home.boot_log("supervisord").read_text()


def test_of_ten_started_at_once_one_runs_and_nine_name_it(tiny: TinyOperation) -> None:
    for _ in range(rounds(1)):
        ten = [tiny.spawn() for _ in range(10)]
        eventually(lambda: sum(one.poll() is not None for one in ten) == 9, within_s=30)  # noqa: B023
        codes = sorted((one.poll() for one in ten), key=str)
        assert codes == [75] * 9 + [None]
        (runs,) = [one for one in ten if one.poll() is None]
        tiny.is_complete()
        assert tiny.supervisord() == runs.pid
        assert boot(tiny).count(f"is held by pid {runs.pid} mode sandbox") == 9
        assert stop(tiny.home, CLOCK) is not None
        withdraw_stop(tiny.home.run)
        tiny.home.boot_log("supervisord").write_text("")


def test_a_killed_manager_is_back_ten_are_one_a_hangup_is_nothing_and_no_worker_is_touched(tiny: TinyOperation) -> None:
    pids, supervisord = tiny.up().is_complete(), tiny.supervisord()
    workers = {name: pids[name] for name in WORKERS}
    command = [sys.executable, "-P", "-m", "agents.manager"]
    known = environment(tiny.home, OperationMode.SANDBOX) | {"PYTHONPATH": str(ROOT)}
    others = [
        subprocess.Popen(command, env=known, cwd=tiny.home.root, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(9)
    ]
    assert {other.wait(timeout=40) for other in others} == {75}
    assert f"is held by {MANAGER} pid {pids[MANAGER]}" in tiny.said(MANAGER)
    assert tiny.is_complete() == pids
    for _ in range(rounds()):
        manager = pids[MANAGER]
        kill(manager)
        eventually(partial(replaced, tiny, manager))
        pids = tiny.is_complete()
    kill(supervisord, number=signal.SIGHUP)
    eventually(lambda: "SIGHUP ignored" in tiny.said("supervisord"))
    assert tiny.is_complete() == pids and tiny.supervisord() == supervisord
    assert {name: pids[name] for name in WORKERS} == workers


def test_a_stranger_with_the_dead_ones_pid_is_never_signalled_the_pid_file_stops_everybody_else(
    tiny: TinyOperation,
) -> None:
    code = "import signal, sys\nfor n in (1, 2, 15): signal.signal(n, lambda *_: print('signalled', flush=True))\n"
    with child(code + "print('up', flush=True)\nsys.stdin.read()\nprint('unharmed', flush=True)") as stranger:
        assert line_of(stranger) == "up"
        tiny.home.pid_file.write_text(f"{stranger.pid}\n")
        tiny.home.operation_lock.write_text(f"pid {stranger.pid} mode sandbox")
        (tiny.home.run / f"{MANAGER}.lock").write_text(f"{MANAGER} pid {stranger.pid}")
        assert stop(tiny.home, CLOCK) is None
        kill(tiny.up().supervisord())
        tiny.is_complete(but_not=0)
        assert tiny.home.pid_file.read_text().strip() == str(tiny.supervisord())
        supervisord, began = tiny.supervisord(), time.monotonic()
        kill(int(tiny.home.pid_file.read_text()), number=signal.SIGTERM)
        eventually(lambda: gone(supervisord) and not tiny.everybody(), within_s=15)
        assert time.monotonic() - began < 15
        assert tiny.is_requested_to_stop() and not tiny.home.pid_file.exists()
        assert not tiny.home.socket("manager.news").exists() and "Inotify" not in tiny.said(MANAGER)
        assert stranger.poll() is None and stranger.stdin is not None
        stranger.stdin.close()
        assert line_of(stranger) == "unharmed"
        stranger.stdin = None


def replaced(tiny: TinyOperation, former: int) -> bool:
    return tiny.program(MANAGER).pid not in (0, former)


@pytest.mark.parametrize("way", ["nae down", "the pid file"])
def test_a_requested_stop_stays_a_stop_when_supervisord_is_killed_in_the_middle_of_it(
    tiny: TinyOperation, way: str
) -> None:
    for _ in range(rounds(1)):
        supervisord = tiny.up().supervisord()
        down = None
        if way == "nae down":
            command = [sys.executable, "-m", "execution.console.cli", "down"]
            known = {**os.environ, "NAE_HOME": str(tiny.home.root)}
            down = subprocess.Popen(command, cwd=ROOT, env=known, stdout=subprocess.DEVNULL)
        else:
            kill(int(tiny.home.pid_file.read_text()), number=signal.SIGTERM)
        eventually(tiny.is_requested_to_stop, every_s=0.001)
        try:
            kill(supervisord)
        except ProcessLookupError:
            pass  # it was quicker: a stop all the same
        nothing_comes_back(tiny)
        if down is not None:
            assert down.wait(timeout=20) == 0


def test_a_stop_while_nobody_holds_the_lock_reaches_the_heir(tiny: TinyOperation) -> None:
    for pause_s in PAUSES_S[: rounds(2)]:
        kill(tiny.up().supervisord())
        block(pause_s)
        stopped = stop(tiny.home, CLOCK)
        assert stopped is None or stopped.killed == ()
        nothing_comes_back(tiny)


def test_an_heir_told_to_stop_while_it_ends_orphans_ends_them_first(tiny: TinyOperation) -> None:
    for _ in range(rounds()):
        pids = tiny.up().is_complete()
        kill(tiny.supervisord())
        eventually(lambda: tiny.supervisord() == pids[MANAGER], within_s=6, every_s=0.001)  # noqa: B023
        kill(pids[MANAGER], number=signal.SIGTERM)
        nothing_comes_back(tiny)


def test_who_only_asks_for_the_lock_and_is_slow_doesnt_keep_the_heir_out(tiny: TinyOperation) -> None:
    for _ in range(rounds(1)):
        supervisord = tiny.up().supervisord()
        with tiny.home.operation_lock.open() as asked:
            kill(supervisord)
            fcntl.flock(asked, fcntl.LOCK_SH)  # before the heir, which has yet to become a Python
            block(0.4)
        tiny.is_complete(but_not=supervisord)
        tiny.end()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_on_a_full_disk_whoever_is_killed_comes_back(tiny: TinyOperation) -> None:
    for log in (tiny.home.log_file("supervisord"), *map(tiny.home.boot_log, ("supervisord", "willing", MANAGER))):
        log.symlink_to("/dev/full")
    pids, supervisord = tiny.up().is_complete(), tiny.supervisord()
    for name in ("willing", MANAGER):
        kill(pids[name])
        eventually(lambda: tiny.program(name).pid not in (0, pids[name]))  # noqa: B023 - asked within the round
    assert tiny.supervisord() == supervisord
    tiny.is_complete()
    kill(supervisord)
    tiny.is_complete(but_not=supervisord)


def test_under_a_service_the_manager_ends_what_is_left_and_leaves_the_start_to_the_service(tiny: TinyOperation) -> None:
    pids = tiny.up(NAE_SERVICE="1").is_complete()
    began = time.monotonic()
    kill(tiny.supervisord())
    eventually(lambda: gone(*pids.values()), within_s=6)
    assert time.monotonic() - began < 3.0
    nothing_comes_back(tiny)
    assert not tiny.is_requested_to_stop()
