"""What the plug-in does in a supervisord that isn't the one it knows, and with settings that can't be."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from execution.autonomous.plug_in.interface import make_interface
from execution.autonomous.plug_in.settings import read_settings
from execution.autonomous.plug_in.wake_pipe import WakePipe
from tests.autonomous.plug_in.running import STEADY, supervisord
from tests.support import eventually

# a supervisord whose process objects finish otherwise than ours expect
OTHER_VERSION = """
from supervisor import process
finish = process.Subprocess.finish
process.Subprocess.finish = lambda self, number, status, why=None: finish(self, number, status)
"""


@dataclass
class Logger:
    said: list[str] = field(default_factory=list)

    def critical(self, text: str) -> None:
        self.said.append(text)


def test_without_the_seam_of_waking_it_says_so_loudly_and_changes_nothing() -> None:
    logger = Logger()
    strange = SimpleNamespace(options=SimpleNamespace(logger=logger))
    interface = make_interface(strange)
    told = interface.getPlugIn()
    assert (told["working"], told["spawn"], told["wakes"]) == (False, "fork", 0)
    assert "options.get_socket_map" in told["problem"]
    assert "a crash is seen within a second instead" in logger.said[0]
    assert interface.holdBack(["worker"]) is True, "a manager that calls is no reason to break"


def test_without_the_seam_of_starting_deaths_are_still_seen_at_once_and_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(OTHER_VERSION)
    with supervisord({"worker": STEADY}, PYTHONPATH=str(tmp_path)) as running:
        told = running.door.plug_in()
        assert (told.working, told.spawn) == (False, "fork")
        assert "Subprocess.finish" in told.problem and "supervisord's own rules" in told.problem
        assert told.problem in running.log()
        running.door.hold_back(["worker"])
        pid = running.pid()
        eventually(lambda: running.program("worker").state == "RUNNING")
        running.door.signal(running.program("worker"), "KILL")
        running.another("worker", than=pid, within_s=0.5)
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: "SIGHUP ignored" in running.log())


def test_a_supervisord_without_the_plug_in_is_said_to_have_none() -> None:
    with supervisord({"worker": STEADY}, plug_in=False) as running:
        told = running.door.plug_in()
        assert not told.working
        assert "without the plug-in" in told.problem


def test_a_setting_that_cant_be_is_named_with_what_would_be_right() -> None:
    assert read_settings({}, {"NAE_RUN": "/run"}).news == "/run/manager.news"
    assert read_settings({"news": ""}, {"NAE_RUN": "/run"}).news == ""
    for value in ("0", "-1", "x", "", "1.5", "²"):
        with pytest.raises(ValueError, match=r"exits_max = .*whole number from 1 on"):
            read_settings({"exits_max": value}, {})
    with pytest.raises(ValueError, match="knows no exit_max"):
        read_settings({"exit_max": "5"}, {})


def test_a_full_pipe_is_nudge_enough() -> None:
    pipe = WakePipe()
    for _ in range(100_000):
        pipe.nudge()
    pipe.handle_read_event()
    assert pipe.wakes == 1
    pipe.close()
