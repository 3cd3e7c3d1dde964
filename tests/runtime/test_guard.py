"""Real processes: a worker doesn't outlive its parent, and is gone by its deadline whatever hangs."""

import resource
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from execution.runtime import guard
from execution.runtime.platform import is_pending
from execution.vocabulary.exit_codes import ExitCode
from tests.support import child, eventually, is_running, line_of

# A parent that starts the worker below with a pipe for its standard input, says its pid, and waits to be killed.
PARENT = """
import subprocess, sys, threading
from subprocess import PIPE
worker = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdin=PIPE, stdout=PIPE, text=True)
assert worker.stdout.readline() == "watching\\n"
print(worker.pid, flush=True)
threading.Event().wait()
"""
WORKER = """
import os, sys, threading
from pathlib import Path
if sys.argv[1] == "by standard input":
    sys.platform = "darwin"
from execution.runtime import guard
from execution.runtime.platform import is_pending
def orphaned():
    Path(sys.argv[2]).write_text("told")
    if sys.argv[1] != "hanging":
        os._exit(0)
guard.end_with_parent(orphaned)
print("watching", flush=True)
while True:
    threading.Event().wait(0.01 if sys.argv[1] != "hanging" else None)
"""


@pytest.mark.parametrize("way", ["by signal", "by standard input", "hanging"])
def test_a_worker_ends_within_two_seconds_of_its_parents_kill_9(tmp_path: Path, way: str) -> None:
    told = tmp_path / "told"
    with child(PARENT, WORKER, way, str(told)) as parent:
        worker = int(line_of(parent))
        assert is_running(worker)
        parent.kill()
        began = time.monotonic()
        eventually(lambda: not is_running(worker), within_s=6)
        took_s = time.monotonic() - began
    assert told.read_text() == "told"
    assert took_s < 2.0 + (0.5 if way == "hanging" else 0.0), "half a second is for a busy machine"


def test_a_worker_stays_while_its_parent_lives(tmp_path: Path) -> None:
    with child(PARENT, WORKER, "by signal", str(tmp_path / "told")) as parent:
        worker = int(line_of(parent))
        with pytest.raises(AssertionError):
            eventually(lambda: not is_running(worker), within_s=0.3)
        assert not (tmp_path / "told").exists()


DEADLINE = """
import signal, sys, threading
from execution.runtime import guard
from execution.runtime.platform import is_pending
signal.signal(signal.SIGTERM, lambda *_: None)
for seconds in sys.argv[1:]:
    guard.end_by(float(seconds))
print("armed", flush=True)
while True:
    threading.Event().wait()
"""


@pytest.mark.parametrize("deadlines", [("0.2",), ("60", "0.2")], ids=["one", "tightened"])
def test_a_hanging_process_is_gone_by_its_deadline_with_its_own_exit_code(deadlines: tuple[str, ...]) -> None:
    with child(DEADLINE, *deadlines) as process:
        assert line_of(process) == "armed"
        process.terminate()
        assert process.wait(timeout=5) == guard.OVERDUE_EXIT == ExitCode.SOFTWARE


def test_a_process_that_gets_no_more_threads_is_gone_by_its_deadline_too() -> None:
    code = "import threading\nfrom execution.runtime import guard\n"
    code += 'def refuse(*_): raise RuntimeError("can\'t start new thread")\n'
    code += "threading.Thread.start = refuse\nguard.end_by(0.1)\nguard.end_by(60)\nthreading.Event().wait()\n"
    with child(code) as process:
        assert process.wait(timeout=5) == -signal.SIGALRM


def test_no_process_of_ours_leaves_a_core_file() -> None:
    code = "import resource\nfrom execution.runtime import guard\nguard.no_core_dumps()\n"
    code += "print(resource.getrlimit(resource.RLIMIT_CORE), flush=True)"
    with child(code) as process:
        assert line_of(process) == "(0, 0)"
    assert resource.getrlimit(resource.RLIMIT_CORE) is not None


def test_supervisord_is_known_by_what_it_puts_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPERVISOR_ENABLED", raising=False)
    assert not guard.under_supervisord()
    monkeypatch.setenv("SUPERVISOR_ENABLED", "1")
    assert guard.under_supervisord()


def test_a_signal_that_a_stopped_process_hasnt_taken_is_seen_where_the_kernel_tells() -> None:
    with child("import sys; print('up', flush=True); sys.stdin.read()") as process:
        assert line_of(process) == "up"
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        assert not is_pending(process.pid, signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert eventually(lambda: is_pending(process.pid, signal.SIGTERM, "linux")) or sys.platform != "linux"
        assert not is_pending(process.pid, signal.SIGINT)
        assert not is_pending(process.pid, signal.SIGTERM, "darwin")
    assert not is_pending(process.pid, signal.SIGTERM), "whoever is gone owes nothing"


OPEN_AND_EXEC = """
import os, sys
from pathlib import Path
from execution.runtime import guard
from execution.runtime.platform import is_pending
inherited = os.open(os.devnull, os.O_RDONLY)
os.set_inheritable(inherited, True)
guard.keep_to_ourselves()
code = "import os; print(sorted(int(n) for n in os.listdir('/dev/fd'))[:4], flush=True)"
os.execv(sys.executable, [sys.executable, "-c", code])
"""


def test_what_is_open_beyond_standard_input_and_output_stays_behind_in_an_exec() -> None:
    with child(OPEN_AND_EXEC) as process:
        assert line_of(process) == "[0, 1, 2, 3]"  # 3 is the folder that is being listed


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's data")
def test_a_runaway_is_refused_memory_beyond_its_bound() -> None:
    code = """
from execution.runtime import guard
assert guard.bound_memory(300 * 2**20)
kept = bytearray(100 * 2**20)
try:
    kept = bytearray(500 * 2**20)
except MemoryError:
    print("refused", flush=True)
"""
    with child(code) as process:
        assert line_of(process) == "refused"


AS_A_USER = """
import os, resource, signal, sys, threading
from execution.runtime import guard
if os.getuid() == 0:
    os.setgid(54321)
    os.setuid(54321)
"""


def test_a_fork_bomb_is_refused_more_than_its_user_may_have_and_our_own_threads_are_not() -> None:
    code = (
        AS_A_USER
        + """
gate = threading.Event()
hundred = [threading.Thread(target=gate.wait) for _ in range(100)]
assert guard.bound_processes(200)
for thread in hundred:
    thread.start()
assert guard.bound_processes(20)
born = []
try:
    for _ in range(60):
        pid = os.fork()
        if not pid:
            signal.pause()
        born.append(pid)
except BlockingIOError:
    print("refused", len(born), flush=True)
for pid in born:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
guard.unbound()
gate.set()
print(resource.getrlimit(resource.RLIMIT_NPROC)[0], flush=True)
"""
    )
    with child(code) as process:
        what, count = line_of(process).split()
        assert what == "refused" and int(count) < 60, "others of this user may have ended or begun"
        assert int(line_of(process)) == resource.getrlimit(resource.RLIMIT_NPROC)[0]


def test_open_files_are_bounded_and_an_exec_takes_no_bound_along() -> None:
    code = """
import os, sys
from execution.runtime import guard
guard.bound_memory(2**32)
guard.bound_descriptors(100)
files = []
try:
    while len(files) < 200:
        files.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    print("refused", flush=True)
for file in files:
    os.close(file)
guard.unbound()
code = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_DATA), flush=True)"
os.execv(sys.executable, [sys.executable, "-c", code])
"""
    with child(code) as process:
        assert line_of(process) == "refused"
        kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)
        assert line_of(process) == " ".join(str(resource.getrlimit(kind)) for kind in kinds)


def test_root_isnt_bounded_by_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert not guard.bound_processes(200)
