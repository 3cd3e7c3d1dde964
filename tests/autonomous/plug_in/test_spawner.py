"""A spawned child is what a forked one would be: its descriptors, its group, its signals, its environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.autonomous.plug_in.running import Supervisord, supervisord
from tests.support import eventually, is_running

LOOK = """
import json, os, signal, sys
listed = [int(name) for name in os.listdir("/dev/fd")]
looking = os.open("/", os.O_RDONLY)  # the number that the listing itself had
os.close(looking)
asked = ("SIGHUP", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGUSR2")
told = {
    "descriptors": sorted(set(listed) - {looking}),
    "leads_its_group": os.getpgrp() == os.getpid(),
    "signals": {name: str(signal.getsignal(getattr(signal, name))) for name in asked},
    "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "priority": os.nice(0),
}
print("to stderr", file=sys.stderr, flush=True)
print("to stdout", flush=True)
with open(sys.argv[1] + ".part", "w") as part:
    json.dump(told, part)
os.rename(sys.argv[1] + ".part", sys.argv[1])
sys.stdin.read()
"""

STANDARD_SIGNALS = (1 << 31) - 1  # the C library keeps a few real-time ones for itself


def section(name: str, more: str = "") -> str:
    command = f'command="{sys.executable}" {{folder}}/look.py {{folder}}/{name}.json\n'
    logs = f"stdout_logfile={{folder}}/{name}.out\nstderr_logfile={{folder}}/{name}.err\n"
    return f"{command}autorestart=true\nautostart=false\nenvironment=HELLO=world\n{logs}{more}"


@pytest.fixture(scope="module")
def running() -> Iterator[Supervisord]:
    programs = {
        "spawned": section("spawned"),
        "forked": section("forked", "umask=022\n"),  # a umask of its own asks for a real fork
        "joined": section("joined", "redirect_stderr=true\n"),
    }
    stray = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(stray, True)
    with supervisord(programs, inherited=(stray,)) as made:
        os.close(stray)
        (made.folder / "look.py").write_text(LOOK)
        for name in programs:
            made.door.start(made.program(name))
        yield made


def told(running: Supervisord, name: str) -> dict[str, Any]:
    path = running.folder / f"{name}.json"
    eventually(path.exists)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_it_has_its_three_pipes_and_nothing_that_supervisord_holds(running: Supervisord) -> None:
    assert told(running, "spawned")["descriptors"] == [0, 1, 2]
    assert told(running, "forked")["descriptors"] == [0, 1, 2]


def test_it_is_what_a_fork_would_have_made(running: Supervisord) -> None:
    spawned, forked = told(running, "spawned"), told(running, "forked")
    assert spawned["leads_its_group"]
    assert spawned["environment"].pop("SUPERVISOR_PROCESS_NAME") == "spawned"
    assert spawned["environment"].pop("SUPERVISOR_GROUP_NAME") == "spawned"
    assert spawned["environment"]["HELLO"] == "world"
    assert spawned["environment"]["SUPERVISOR_ENABLED"] == "1"
    for name in ("SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME"):
        forked["environment"].pop(name)
    assert {**spawned, "descriptors": []} == {**forked, "descriptors": []}


def test_its_output_goes_where_it_should(running: Supervisord) -> None:
    def text(name: str) -> str:
        path = running.folder / name
        return path.read_text() if path.exists() else ""

    for name in ("spawned", "joined"):
        told(running, name)
    eventually(lambda: text("spawned.out") == "to stdout\n" and text("spawned.err") == "to stderr\n")
    eventually(lambda: sorted(text("joined.out").split("\n")) == ["", "to stderr", "to stdout"])


def test_its_ignored_signals_are_those_of_a_fork(running: Supervisord) -> None:
    ignored = {}
    for name in ("spawned", "forked"):
        shown = subprocess.run(
            ["ps", "-o", "ignored=", "-p", str(running.pid(name))], capture_output=True, text=True, check=False
        )
        if shown.returncode != 0:
            pytest.skip(f"this ps shows no ignored signals: {shown.stderr.strip()[:80]}")
        ignored[name] = int(shown.stdout.strip(), 16) & STANDARD_SIGNALS
    assert ignored["spawned"] == ignored["forked"]
    assert not ignored["spawned"] & 1 << signal.SIGHUP - 1


def test_workers_see_the_end_of_their_input_when_supervisord_is_killed() -> None:
    with supervisord({f"worker{number}": "command=/bin/cat\nautorestart=true\n" for number in range(4)}) as running:
        pids = [row.pid for row in running.door.programs()]
        first = pids[0]
        os.kill(first, signal.SIGKILL)
        pids.append(running.another("worker0", than=first))
        running.process.kill()
        eventually(lambda: not any(is_running(pid) for pid in pids), within_s=2)
