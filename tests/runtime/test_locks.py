"""Kernel locks: one holder, named; freed by the kernel whatever kills it; never inherited by a child."""

import asyncio
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from execution.runtime.locks import FileLock, is_held, read_holder
from execution.vocabulary.exit_codes import BusyError
from tests.support import ROOT, child, eventually, eventually_async, line_of, rounds

HOLD = """
import sys
from pathlib import Path
from execution.runtime.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire("the child")
print("held", flush=True)
sys.stdin.read()
"""
WAIT_AND_HOLD = """
import asyncio, sys
from pathlib import Path
from execution.runtime.locks import FileLock
async def main():
    waiting = asyncio.create_task(FileLock(Path(sys.argv[1])).acquire_when_free(sys.argv[2]))
    await asyncio.sleep(0)
    print("waiting", flush=True)
    await waiting
    print("held", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""
SPAWN_AND_DIE = """
import os, subprocess, sys
from pathlib import Path
from execution.runtime.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire("the parent", above=int(sys.argv[2]))
grandchild = subprocess.Popen(
    [sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False, stdin=sys.stdin
)
print(grandchild.pid, flush=True)
os._exit(9)
"""


def test_a_second_holder_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    with child(HOLD, str(path)) as holder:
        assert line_of(holder) == "held"
        with pytest.raises(BusyError, match=r"account\.lock is held by the child"):
            FileLock(path).acquire("me")
        assert is_held(path)
        assert read_holder(path) == "the child", "being refused must not overwrite the holder's name"


def test_kill_9_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    with child(HOLD, str(path)) as holder:
        assert line_of(holder) == "held"
        holder.kill()
        holder.wait()
        assert not is_held(path)
        lock = FileLock(path)
        lock.acquire("me")
        assert read_holder(path) == "me"
        lock.release()


@pytest.mark.parametrize("above", [0, 600])
def test_a_child_process_never_keeps_the_lock_of_a_dead_parent(tmp_path: Path, above: int) -> None:
    path = tmp_path / "account.lock"
    with child(SPAWN_AND_DIE, str(path), str(above)) as parent:
        grandchild = int(line_of(parent))
        parent.wait()
        assert eventually(lambda: not is_held(path), within_s=5), "exec closes descriptors a moment after it began"
        os.kill(grandchild, 0)  # still there


def test_release_frees_it_and_takes_the_name_away(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "deep" / "account.lock")
    lock.acquire("me")
    before = lock.held
    lock.release()
    lock.release()
    assert (before, lock.held, is_held(lock.path)) == (True, False, False)
    assert read_holder(lock.path) == ""
    assert lock.path.exists(), "a lock file that is unlinked could be locked twice"
    assert lock.path.stat().st_size > 0, "on a full disk there must be room for the next name"


def test_asking_doesnt_take_it_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    assert not is_held(path)
    assert not path.exists()
    assert read_holder(path) == ""
    lock = FileLock(path)
    lock.acquire("me")
    assert is_held(path)
    assert is_held(path), "asking took it away"
    lock.release()


def test_a_short_name_replaces_a_long_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    for name in ("a name that is rather long", "short"):
        lock = FileLock(path)
        lock.acquire(name)
        assert read_holder(path) == name
        lock.release()


def test_a_descriptor_above_the_limit_survives_a_closing_of_the_low_ones(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom execution.runtime.locks import FileLock, is_held\n"
        "path = Path(sys.argv[1])\nlock = FileLock(path)\nlock.acquire('me', above=600)\n"
        "os.closerange(3, 600)\nprint(is_held(path))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "account.lock")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_of_many_that_try_at_once_one_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "account.lock"
    locks = [FileLock(path) for _ in range(8)]
    busy = 0
    for number, lock in enumerate(locks):
        try:
            lock.acquire(f"number {number}")
        except BusyError:
            busy += 1
    assert busy == 7
    for lock in locks:
        lock.release()
    assert not is_held(path)


def contender(path: Path, name: str) -> AbstractContextManager["subprocess.Popen[str]"]:
    """A process that waits for the lock, says so, and keeps it to its death."""
    return child(WAIT_AND_HOLD, str(path), name)


def test_who_waits_has_the_lock_milliseconds_after_its_holder_was_killed(tmp_path: Path) -> None:
    async def takeover_s() -> float:
        with child(HOLD, str(tmp_path / "lock")) as holder:
            assert line_of(holder) == "held"
            lock = FileLock(tmp_path / "lock")
            waiting = asyncio.create_task(lock.acquire_when_free("me"))
            await eventually_async(lambda: waiters() == 1)
            assert not waiting.done() and read_holder(lock.path) == "the child"
            killed = time.monotonic()
            holder.kill()
            await asyncio.wait_for(waiting, 10)
            took = time.monotonic() - killed
        assert lock.held and read_holder(lock.path) == "me" and is_held(lock.path)
        lock.release()
        return took

    took = [asyncio.run(takeover_s()) for _ in range(rounds(3))]
    assert min(took) < 0.02, took


def test_a_lock_that_is_free_is_had_at_once_and_not_twice(tmp_path: Path) -> None:
    async def scene() -> None:
        lock = FileLock(tmp_path / "new" / "lock")
        await asyncio.wait_for(lock.acquire_when_free("me"), 10)
        with pytest.raises(BusyError, match="by ourselves"):
            await lock.acquire_when_free("me again")
        lock.release()

    asyncio.run(scene())


def test_of_those_who_wait_exactly_one_follows_each_death(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with child(HOLD, str(path)) as first:
        assert line_of(first) == "held"
        with contender(path, "a") as a, contender(path, "b") as b:
            assert [line_of(a), line_of(b)] == ["waiting", "waiting"]
            first.kill()
            eventually(lambda: read_holder(path) in ("a", "b"))
            second, third = (a, b) if read_holder(path) == "a" else (b, a)
            assert line_of(second) == "held"
            assert third.stdout is not None
            assert select.select([third.stdout], [], [], 0.1)[0] == [], "two hold it"
            second.kill()
            assert line_of(third) == "held"


def test_a_wait_given_up_leaves_the_lock_to_others(tmp_path: Path) -> None:
    async def scene() -> None:
        with child(HOLD, str(tmp_path / "lock")) as holder:
            assert line_of(holder) == "held"
            lock = FileLock(tmp_path / "lock")
            waiting = asyncio.create_task(lock.acquire_when_free("me"))
            await eventually_async(lambda: waiters() == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            holder.kill()
            await eventually_async(lambda: waiters() == 0)
            assert not lock.held and not is_held(lock.path)
            await asyncio.wait_for(lock.acquire_when_free("me after all"), 10)
            lock.release()

    for _ in range(rounds()):
        asyncio.run(scene())


def test_a_wait_given_up_at_the_very_moment_of_success_gives_the_lock_back(tmp_path: Path) -> None:
    async def scene(turns: int) -> None:
        lock = FileLock(tmp_path / "lock")
        waiting = asyncio.create_task(lock.acquire_when_free("me"))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        try:
            await waiting
        except asyncio.CancelledError:
            assert not lock.held
        lock.release()
        await eventually_async(lambda: waiters() == 0)
        assert not is_held(lock.path)

    for turns in [*range(8), *range(10, 300, 15)]:
        asyncio.run(scene(turns))


def test_a_loop_that_ends_while_waiting_keeps_no_lock(tmp_path: Path) -> None:
    with child(HOLD, str(tmp_path / "lock")) as holder:
        assert line_of(holder) == "held"
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # it will say what we do on purpose
        waiting = loop.create_task(FileLock(tmp_path / "lock").acquire_when_free("me"))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()  # as nobody should, with a task unfinished
        holder.kill()
        assert eventually(lambda: waiters() == 0) and not is_held(tmp_path / "lock")
        waiting.get_coro().close()


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "removed"])
def test_a_file_replaced_while_waiting_is_let_go_for_the_one_that_stands_there(tmp_path: Path, replaced: bool) -> None:
    async def scene() -> None:
        path, old = tmp_path / "lock", tmp_path / "old"
        with child(HOLD, str(path)) as holder:
            assert line_of(holder) == "held"
            lock = FileLock(path)
            waiting = asyncio.create_task(lock.acquire_when_free("me"))
            await eventually_async(lambda: waiters() == 1)
            path.rename(old)
            other = FileLock(path)
            if replaced:
                other.acquire("who replaced it")
            holder.kill()
            if replaced:
                await eventually_async(lambda: not is_held(old))
                assert not waiting.done() and read_holder(path) == "who replaced it"
                other.release()
            await asyncio.wait_for(waiting, 10)
            assert is_held(path) and not is_held(old)
            lock.release()

    asyncio.run(scene())


def test_waiting_where_no_file_can_be_is_an_error_not_an_endless_wait(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(IsADirectoryError):
        asyncio.run(FileLock(tmp_path / "lock").acquire_when_free("me"))


def waiters() -> int:
    """How many threads of ours stand in a lock's queue."""
    return sum(thread.name == "lock-wait" for thread in threading.enumerate())
