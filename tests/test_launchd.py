"""The LaunchDaemon's plist says what a service must say, and nothing it must not."""

import plistlib
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[1] / "launchd" / "com.nae.continuous.plist"


@pytest.fixture
def plist() -> dict[str, Any]:
    loaded: dict[str, Any] = plistlib.loads(FILE.read_bytes())
    return loaded


def test_it_runs_as_a_user_and_never_as_root(plist: dict[str, Any]) -> None:
    assert plist["UserName"] not in ("", "root")


def test_it_starts_the_operation_in_the_foreground_by_an_absolute_path(plist: dict[str, Any]) -> None:
    script, mode, foreground = plist["ProgramArguments"]
    assert Path(script).is_absolute() and script.endswith("scripts/init_continuous_operation.sh")
    assert (mode, foreground) == ("dual", "--foreground")


def test_it_gives_the_operation_time_to_stop_and_keeps_files_private(plist: dict[str, Any]) -> None:
    assert plist["ExitTimeOut"] >= 15
    assert plist["Umask"] == 0o077
    assert plist["StandardOutPath"].endswith("logs/continuous_service.log")


def test_it_carries_no_secret(plist: dict[str, Any]) -> None:
    assert "EnvironmentVariables" not in plist
