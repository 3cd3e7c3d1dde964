"""The mark of a requested stop: there until a start, and never in the way of stopping."""

from pathlib import Path

import pytest

from execution.autonomous import stop_marker
from execution.autonomous.stop_marker import request_stop, stop_is_requested, withdraw_stop
from execution.runtime.clock import SystemClock

CLOCK = SystemClock()


def test_a_stop_is_requested_until_a_start_withdraws_it(tmp_path: Path) -> None:
    assert not stop_is_requested(tmp_path)
    request_stop(tmp_path, "nae down (pid 7)", CLOCK)
    request_stop(tmp_path, "supervisord (pid 8)", CLOCK)
    assert stop_is_requested(tmp_path)
    assert "supervisord (pid 8)" in (tmp_path / stop_marker.NAME).read_text()
    withdraw_stop(tmp_path)
    withdraw_stop(tmp_path)
    assert not stop_is_requested(tmp_path)


def test_a_full_disk_keeps_nobody_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stop_marker, "write_atomically", full)
    request_stop(tmp_path, "nae down", CLOCK)
    assert "the stop can't be marked" in caplog.text
