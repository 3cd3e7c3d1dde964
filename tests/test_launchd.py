"""The service files in launchd/ are what the generator prints for an example user: what a service must say, and
nothing it must not."""

import plistlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from execution.autonomous.service_files import Kind, ServicePlan, text_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "launchd"
MAC = ServicePlan(Kind.LAUNCHD, "TRADER", Path("/Users/TRADER/nae"), Path("/Users/TRADER/nae"))
STATE = Path("/home/trader/.local/state/nae")
LINUX = ServicePlan(Kind.SYSTEMD, "trader", Path("/home/trader/nae"), Path("/home/trader/nae"), state=STATE)
FILES = {"com.nae.continuous.plist": MAC, "nae.service": LINUX}
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on this machine")


@pytest.mark.parametrize("name", FILES)
def test_the_file_in_the_repository_is_what_the_generator_prints(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(FILES[name])


def test_the_daemon_runs_as_a_user_and_never_as_root() -> None:
    assert plistlib.loads(text_of(MAC).encode())["UserName"] == "TRADER"


def test_the_daemon_starts_the_operation_in_the_foreground_by_an_absolute_path() -> None:
    script, mode, foreground = plistlib.loads(text_of(MAC).encode())["ProgramArguments"]
    assert script == "/Users/TRADER/nae/scripts/init_continuous_operation.sh"
    assert (mode, foreground) == ("dual", "--foreground")


def test_the_daemon_gives_the_operation_time_to_stop_and_keeps_files_private() -> None:
    says = plistlib.loads(text_of(MAC).encode())
    assert (says["ExitTimeOut"], says["Umask"], says["ProcessType"]) == (30, 0o077, "Interactive")
    assert says["StandardOutPath"] == says["StandardErrorPath"] == "/Users/TRADER/nae/logs/continuous_service.log"


def test_a_wanted_end_stays_and_any_other_is_undone() -> None:
    assert plistlib.loads(text_of(MAC).encode())["KeepAlive"] == {"SuccessfulExit": False}
    assert "Restart=on-failure\n" in text_of(LINUX)


@pytest.mark.parametrize("plan", FILES.values())
def test_no_secret_and_nothing_but_the_home_is_in_the_environment(plan: ServicePlan) -> None:
    assert set(plan.environment) == {"NAE_HOME", "NAE_SERVICE"} | ({"XDG_STATE_HOME"} if plan.state else set())


def real(plan: ServicePlan) -> ServicePlan:
    """systemd-analyze wants the start script to be there."""
    return replace(plan, project=ROOT)


@needs_systemd
@pytest.mark.parametrize("kind", [Kind.SYSTEMD, Kind.SYSTEMD_USER])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, kind: Kind) -> None:
    file = tmp_path / "nae.service"
    file.write_text(text_of(real(replace(LINUX, kind=kind, home=tmp_path))))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "nae.service" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_finds_the_unit_hardened(tmp_path: Path) -> None:
    file = tmp_path / "nae.service"
    file.write_text(text_of(real(LINUX)))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "offline" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout[-600:] + done.stderr
