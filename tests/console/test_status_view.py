"""The status on one screen: an alert is the first thing seen."""

import pytest

from execution.console.status_view import alerts, show_status

STATUS = {
    "running": True,
    "mode": "dual",
    "overall_status": "CRITICAL",
    "error_rate": 0.2,
    "note": "",
    "processes": {
        "master_controller": {
            "status": "HEALTHY",
            "state": "running",
            "pid": 7,
            "uptime_seconds": 61.0,
            "error_count": 0,
            "facts": {"alerts": {"venue": "hung: silent for 2.0 s"}},
        }
    },
}


def test_an_alert_of_the_master_is_a_line_of_its_own_above_the_processes(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(STATUS)
    shown = capsys.readouterr().out
    assert "alert: venue: hung: silent for 2.0 s" in shown
    assert shown.index("alert:") < shown.index("master_controller")


def test_without_a_master_there_are_no_alerts_to_show() -> None:
    assert alerts(STATUS | {"processes": {}}) == {}
