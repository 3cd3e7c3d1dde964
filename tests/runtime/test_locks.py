"""Kernel locks: one holder, named; freed by the kernel whatever kills it; never inherited by a child."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from execution.runtime.locks import FileLock, is_held, read_holder
from execution.vocabulary.exit_codes import BusyError
from tests.support import ROOT, child, eventually, line_of

HOLD = """
import sys
from pathlib import Path
from execution.runtime.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire("the child")
print("held", flush=True)
sys.stdin.read()
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
