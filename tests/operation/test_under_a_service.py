"""The operation as systemd would run it: the unit's own command and environment, and a socket where systemd listens."""

import os
import shlex
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from execution.autonomous.service_files import Kind, ServicePlan, unit
from execution.vocabulary.modes import OperationMode
from tests.operation.conftest import ROOT, Operation
from tests.support import eventually

pytestmark = pytest.mark.operation


@dataclass
class Systemd:
    """As much of systemd as the unit needs: what it starts, and what that says to it."""

    operation: Operation
    notices: socket.socket
    main: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "subprocess.Popen[bytes]":
        home, temp = self.operation.home.resolve(), Path(tempfile.gettempdir())  # the home may be a long path
        plan = ServicePlan(Kind.SYSTEMD, "trader", ROOT, home, OperationMode.SANDBOX, temp)
        lines = [line.split("=", 1) for line in unit(plan).splitlines() if "=" in line and line[0] != "#"]
        command = next(value for key, value in lines if key == "ExecStart")
        environment = dict(shlex.split(value)[0].split("=", 1) for key, value in lines if key == "Environment")
        plan.log.parent.mkdir(exist_ok=True)
        with plan.log.open("ab") as log:
            self.main = subprocess.Popen(
                shlex.split(command),
                env={
                    "PATH": os.environ["PATH"],
                    "NOTIFY_SOCKET": self.notices.getsockname(),
                    "WATCHDOG_USEC": "1000000",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.main

    def hears(self, word: str) -> bool:
        """Waits for a notice; what came before it is passed over."""
        while word not in self.notices.recv(1000).decode().splitlines():
            continue
        return True


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(path))
        notices.settimeout(60)
        yield notices


@pytest.fixture
def systemd(operation: Operation) -> Iterator[Systemd]:
    with listening(operation.home / "notify") as notices:
        manager = Systemd(operation, notices)
        yield manager
        if manager.main is not None and manager.main.poll() is None:
            manager.main.terminate()
            manager.main.wait(20)


def fills(operation: Operation) -> int:
    count: int = operation.account("sandbox").get("fills") or 0
    return count


def test_after_everything_was_killed_the_units_own_command_brings_it_back_and_a_stop_stays_one(
    systemd: Systemd,
) -> None:
    operation = systemd.operation
    main = systemd.start()
    assert systemd.hears("READY=1")
    status = eventually(lambda: (now := operation.status())["overall_status"] == "HEALTHY" and now, within_s=60)
    assert status["supervisord"]["pid"] == main.pid, "supervisord is the service's main process"
    assert systemd.hears("WATCHDOG=1")
    before = eventually(lambda: fills(operation), within_s=60)

    operation.kill_everything()
    assert main.wait(10) == -signal.SIGKILL
    again = systemd.start()
    assert systemd.hears("READY=1")
    back = eventually(lambda: (now := operation.status())["overall_status"] == "HEALTHY" and now, within_s=60)
    assert back["supervisord"]["pid"] == again.pid
    assert back["accounts"]["sandbox"]["reconciled"] is True
    assert fills(operation) >= before

    done = operation.nae("down")
    assert (done.code, again.wait(15)) == (0, 0), "an end with 0 is a requested one: Restart=on-failure leaves it"
    assert operation.processes() == []


def test_when_supervisord_is_killed_all_end_and_the_start_is_the_services_and_a_sigterm_is_a_requested_stop(
    systemd: Systemd,
) -> None:
    operation, main = systemd.operation, systemd.start()
    assert systemd.hears("READY=1")
    eventually(lambda: operation.status()["processes"].get("continuous_operation", {}).get("state") == "running", 30)
    main.kill()
    assert main.wait(10) == -signal.SIGKILL
    eventually(lambda: operation.processes() == [], within_s=5)  # the manager too: no supervisord of its own

    main = systemd.start()
    assert systemd.hears("READY=1")
    main.terminate()
    assert systemd.hears("STOPPING=1")
    assert main.wait(15) == 0
    eventually(lambda: operation.processes() == [], within_s=5)
