"""The plug-in inside a real supervisord: deaths are seen at once, a hang-up restarts nobody, a missing seam is said."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from execution.autonomous.instant_reap import WakePipe, make_interface
from execution.autonomous.supervisor_door import SupervisorDoor, SupervisorUnavailable, _Transport
from tests.support import ROOT, eventually

CONFIG = """
[supervisord]
nodaemon=true
silent=true
pidfile={folder}/pid
logfile={folder}/log
directory={folder}
minfds=512
[unix_http_server]
file={folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[rpcinterface:nae]
supervisor.rpcinterface_factory=execution.autonomous.instant_reap:make_interface
[program:worker]
command=/bin/cat
startsecs=0
autorestart=true
"""
KILLS = 12


@dataclass
class Supervisord:
    folder: Path
    process: "subprocess.Popen[bytes]"
    door: SupervisorDoor

    def worker(self) -> int:
        row = self.door.programs()[0]
        return row.pid if row.state == "RUNNING" else 0

    def plug_in(self) -> dict[str, Any]:
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(str(self.folder / "sock"), 2.0))
        told: Any = proxy.nae.getInstantReap()
        return dict(told)


@pytest.fixture
def supervisord() -> Iterator[Supervisord]:
    with tempfile.TemporaryDirectory(prefix="nae-") as made:
        folder = Path(made)
        (folder / "conf").write_text(CONFIG.format(folder=folder))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(folder / "conf")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        running = Supervisord(folder, process, SupervisorDoor(folder / "sock"))
        try:
            eventually(lambda: is_up(running), within_s=20)
            yield running
        finally:
            process.terminate()
            process.wait(timeout=10)


def is_up(supervisord: Supervisord) -> bool:
    try:
        return supervisord.worker() > 0
    except SupervisorUnavailable:
        return False


def test_killed_children_are_back_far_sooner_than_supervisord_alone_looks(supervisord: Supervisord) -> None:
    began = time.monotonic()
    for _ in range(KILLS):
        killed = supervisord.worker()
        os.kill(killed, signal.SIGKILL)
        eventually(lambda killed=killed: supervisord.worker() not in (0, killed), every_s=0.005)  # type: ignore[misc]
    alone_it_takes_at_least = KILLS * 0.5  # a death is seen at the next whole second: half of one on average
    assert time.monotonic() - began < alone_it_takes_at_least
    assert supervisord.plug_in()["working"] is True
    assert supervisord.plug_in()["wakes"] >= KILLS


def test_a_hang_up_restarts_nobody(supervisord: Supervisord) -> None:
    worker = supervisord.worker()
    supervisord.process.send_signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP ignored" in (supervisord.folder / "log").read_text())
    assert supervisord.worker() == worker


def test_the_loop_sleeps_when_nothing_happens(supervisord: Supervisord) -> None:
    eventually(lambda: supervisord.worker() > 0)
    before = supervisord.plug_in()["wakes"]
    assert supervisord.plug_in()["wakes"] - before < 3


@dataclass
class Logger:
    said: list[str] = field(default_factory=list)

    def critical(self, text: str) -> None:
        self.said.append(text)


def test_a_supervisord_without_the_seam_is_said_loudly_and_left_as_it_is() -> None:
    logger = Logger()
    strange = SimpleNamespace(options=SimpleNamespace(logger=logger))
    interface = make_interface(strange)
    assert interface.getInstantReap() == {"working": False, "wakes": 0}
    assert "instant reap is off" in logger.said[0] and "options.get_socket_map" in logger.said[0]


def test_a_full_pipe_is_nudge_enough() -> None:
    pipe = WakePipe()
    for _ in range(100_000):
        pipe.nudge()
    pipe.handle_read_event()
    assert pipe.wakes == 1
    os.close(pipe.read_end)
    os.close(pipe.write_end)
