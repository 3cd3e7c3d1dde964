"""A log that can't be written ends no supervisord."""

import io
import sys
from pathlib import Path

import pytest
from supervisor import loggers

from execution.autonomous.plug_in.lasting_log import make_logs_last, say


@pytest.fixture
def rotating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> loggers.Logger:
    """A log of supervisord's that rotates at 100 bytes, in a process whose logs last."""
    monkeypatch.setattr(loggers.Logger, "log", loggers.Logger.log)
    monkeypatch.setattr(loggers.Handler, "handleError", loggers.Handler.handleError)
    assert make_logs_last() == ""
    logger = loggers.getLogger(loggers.LevelsByName.INFO)
    loggers.handle_file(logger, str(tmp_path / "log"), "%(message)s\n", True, 100, 1)
    return logger


def test_a_rotation_that_fails_half_way_loses_no_more_than_a_line(
    rotating: loggers.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.1").mkdir()  # nothing can be renamed to it
    for number in range(9):
        rotating.info(f"{number} {'x' * 60}")
    assert "a log couldn't be written" in capsys.readouterr().err
    (tmp_path / "log.1").rmdir()
    rotating.info("there is room again")
    rotating.info("and on it goes")
    written = (tmp_path / "log.1").read_text() + (tmp_path / "log").read_text()
    assert all(f"{number} xx" in written for number in range(9))
    assert "and on it goes" in written


def test_a_full_disk_under_a_log_and_under_standard_error_is_nobodys_end(
    rotating: loggers.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "full").symlink_to("/dev/full")
    loggers.handle_file(rotating, str(tmp_path / "full"), "%(message)s\n", True, 100, 1)
    with (tmp_path / "full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(full, write_through=True))
        rotating.critical("nobody reads this")
        say("nor this")
        monkeypatch.undo()
    assert "nobody reads this" in (tmp_path / "log").read_text(), "the other handler has it"


def test_a_supervisord_without_the_methods_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(loggers.Handler, "handleError")
    assert "Handler.handleError" in make_logs_last()
