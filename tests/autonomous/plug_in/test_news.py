"""What the plug-in sends out: hints to the manager, and systemd's signs of life, on real datagram sockets."""

import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from execution.autonomous.plug_in.news import News
from execution.autonomous.plug_in.service_watchdog import ServiceWatchdog
from execution.autonomous.supervisor_link import hear_news
from tests.autonomous.plug_in.running import STEADY, supervisord
from tests.support import eventually, eventually_async


class Listener:
    """A datagram socket and everything that came so far."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.came: list[str] = []

    def heard(self) -> list[str]:
        while True:
            try:
                self.came.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.came


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nae-") as made:
        yield Path(made)


@pytest.fixture
def listener(folder: Path) -> Iterator[Listener]:
    made = Listener(str(folder / "socket"))
    yield made
    made.socket.close()


def test_what_stands_in_the_way_of_the_news_is_replaced_and_what_cant_be_keeps_no_manager_from_starting(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bool] = []

    async def listen(path: Path) -> bool:
        ear = await hear_news(path, lambda: heard.append(True))
        if ear is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plug_in:
            plug_in.sendto(b"{}", str(path))
        await eventually_async(lambda: bool(heard))
        ear.close()
        return True

    (folder / "a file").write_text("left by nobody knows whom")
    (folder / "a folder").mkdir()
    assert asyncio.run(listen(folder / "a file"))
    assert not asyncio.run(listen(folder / "a folder"))
    assert "no news from supervisord" in caplog.text


def test_each_change_of_a_process_is_told(listener: Listener) -> None:
    path = listener.socket.getsockname()
    with supervisord({"worker": STEADY}, f"news={path}\n") as running:
        pid = running.pid()
        os.kill(pid, signal.SIGKILL)

        def states() -> list[str]:
            return [news["state"] for news in map(json.loads, listener.heard()) if news["name"] == "worker"]

        eventually(lambda: states()[-1] == "RUNNING" and len(states()) >= 4)
        assert states()[0] == "STARTING"
        assert states()[-3] in ("BACKOFF", "EXITED")
        last = json.loads(listener.heard()[-1])
        assert last == {"name": "worker", "state": "RUNNING", "pid": running.pid()}


def test_the_managers_socket_in_the_run_folder_is_where_news_goes(folder: Path) -> None:
    listener = Listener(str(folder / "manager.news"))
    with supervisord({"worker": STEADY}, NAE_RUN=str(folder)):
        eventually(listener.heard)
    listener.socket.close()


def test_news_that_nobody_takes_costs_nothing(folder: Path) -> None:
    deaf = Listener(str(folder / "deaf"))
    for path in ("", str(folder / "nobody"), str(folder / "deaf")):
        news = News(path)
        for _ in range(3000):
            news.add("worker", "RUNNING", 1)
        news.flush()
        news.flush()
    assert deaf.heard()
    deaf.socket.close()


def test_a_place_where_news_cant_go_is_said_once_and_harms_nobody(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other_kind:
        other_kind.bind(str(folder / "stream"))
        for path in (str(folder / "stream"), str(folder / ("long" * 50))):
            with supervisord({"worker": STEADY}, f"news={path}\n") as running:
                eventually(lambda running=running: running.program("worker").state == "RUNNING")  # type: ignore[misc]
                assert running.log().count(f"can't send to {path}") == 1


def test_systemd_hears_ready_alive_and_stopping_and_the_children_know_nothing_of_it(folder: Path) -> None:
    listener = Listener(str(folder / "notify"))
    shows = f"command=/bin/sh -c 'env > {folder}/shown.part; mv {folder}/shown.part {folder}/shown; exec cat'\n"
    worker, address = shows + "autorestart=true\n", str(folder / "notify")
    with supervisord({"worker": worker}, NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000") as running:
        assert eventually(listener.heard)[0] == "READY=1"
        eventually(lambda: listener.heard().count("WATCHDOG=1") >= 2)
        shown = eventually(lambda: (folder / "shown").exists() and (folder / "shown").read_text())
        assert "NOTIFY_SOCKET" not in str(shown) and "WATCHDOG" not in str(shown)
        running.process.send_signal(signal.SIGSTOP)  # a loop that hangs feeds nobody
        fed = listener.heard().count("WATCHDOG=1")
        with pytest.raises(AssertionError):
            eventually(lambda: listener.heard().count("WATCHDOG=1") > fed + 1, within_s=2.5)
        running.process.send_signal(signal.SIGCONT)
        eventually(lambda: listener.heard().count("WATCHDOG=1") > fed + 1)
        running.process.terminate()
        eventually(lambda: "STOPPING=1" in listener.heard())
    listener.socket.close()


def test_the_watchdog_is_fed_at_half_its_time_and_only_when_it_is_ours(listener: Listener) -> None:
    path = listener.socket.getsockname()
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    watchdog = ServiceWatchdog(environment)
    assert environment == {"HOME": "/"}
    for second in range(60):
        watchdog.feed(float(second))
    assert len(listener.heard()) == 5
    others = ServiceWatchdog({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"})
    nobodys = ServiceWatchdog({})
    for watchdog in (others, nobodys):
        watchdog.feed(1000.0)
    nobodys.say("READY=1")
    assert len(listener.heard()) == 5


@pytest.mark.skipif(not Path("/proc").exists(), reason="abstract sockets are Linux's")
def test_an_abstract_socket_of_systemd_is_understood() -> None:
    name = f"nae-{os.getpid()}"
    listener = Listener("\0" + name)
    ServiceWatchdog({"NOTIFY_SOCKET": "@" + name}).say("READY=1")
    assert listener.heard() == ["READY=1"]
    listener.socket.close()
