"""The ground before a start: each refusal says what is wrong and what would be right; no stranger is touched."""

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from execution.autonomous import ground, vitals
from execution.autonomous.ground import UnfitError, check_ground, clear_stale_pid_file, misspelt
from execution.runtime.home import Home
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import BusyError, ConfigError
from execution.vocabulary.limits import DISK_LOW_BYTES, DISK_START_BYTES
from tests.support import child, line_of


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.find(tmp_path)


def configure(home: Home, text: str) -> None:
    home.config_file.write_text(text)


def test_a_fresh_folder_is_fit_and_gets_its_folders(home: Home) -> None:
    found = check_ground(home)
    assert found.config.venue.port == 0
    assert home.logs.is_dir()
    assert not list(home.data.glob(".probe*"))


def test_a_colon_in_the_path_is_refused_processes_would_run_other_code(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="has a ':' in its path"):
        check_ground(Home.find(tmp_path / "nae:2"))
    assert not (tmp_path / "nae:2").exists()


def test_a_stale_pid_file_is_removed_and_the_stranger_who_has_that_pid_lives(home: Home) -> None:
    home.prepare()
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: print('signalled', flush=True))\n"
    with child(code + "print('stranger', flush=True)\nsys.stdin.read()\nprint('unharmed', flush=True)") as stranger:
        assert line_of(stranger) == "stranger"
        home.pid_file.write_text(f"{stranger.pid}\n")
        notes = check_ground(home).notes
        assert stranger.poll() is None
        assert stranger.stdin is not None
        stranger.stdin.close()
        assert line_of(stranger) == "unharmed", "a signal was sent to a stranger"
        stranger.stdin = None
    assert any(f"stale pid file ({stranger.pid}; that pid now belongs to:" in note for note in notes)
    assert not home.pid_file.exists()


def test_a_misspelt_variable_is_noted_and_other_ones_are_left_alone() -> None:
    ours = ["NAE_HOME", "NAE_MARKET", "NAE_SPEED", "NAE_VOLUME_UNIT", "NAE_MODE", "NAE_RUN", "NAE_PYTHON"]
    assert misspelt([*ours, "NAE_BASE_PYTHON", "NAE_INSTALL_HELD", "HOME", "SPEED"]) == []
    assert misspelt(["NAE_SPPED"]) == ["environment variable NAE_SPPED does nothing; did you mean NAE_SPEED?"]
    assert misspelt(["NAE_MARKETS", "NAEHOME"]) == [
        "environment variable NAE_MARKETS does nothing; did you mean NAE_MARKET?",
        "environment variable NAEHOME does nothing; did you mean NAE_HOME?",
    ]


def test_a_candle_file_that_isnt_there_is_named(home: Home) -> None:
    configure(home, '[venue]\nmarket = "replay:BTC_USD-1m.csv"\n')
    with pytest.raises(ConfigError, match=f"venue.market = 'replay:{home.root}/BTC_USD-1m.csv': no such file"):
        check_ground(home)
    (home.root / "BTC_USD-1m.csv").write_text("")
    check_ground(home)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "(empty; no such process)"),
        ("not a pid", "(not a pid; no such process)"),
        ("-1", "(-1; no such process)"),
        ("99999999999999", "no such process"),
        ("9" * 500, "no such process"),
        ("²", "(²; no such process)"),
    ],
)
def test_a_pid_file_with_anything_in_it_is_only_removed(home: Home, text: str, said: str) -> None:
    home.prepare()
    home.pid_file.write_text(text)
    (note,) = clear_stale_pid_file(home)
    assert said in note
    assert not home.pid_file.exists()


def test_a_pid_file_of_bytes_is_only_removed(home: Home) -> None:
    home.prepare()
    home.pid_file.write_bytes(b"\xff\xfe\x00")
    assert clear_stale_pid_file(home)
    assert clear_stale_pid_file(home) == []


def partitions(home: Home, kind: str) -> list[SimpleNamespace]:
    above = SimpleNamespace(mountpoint="/", fstype="ext4")
    elsewhere = SimpleNamespace(mountpoint="/mnt/share", fstype="nfs")
    return [above, SimpleNamespace(mountpoint=str(home.root), fstype=kind), elsewhere]


@pytest.mark.parametrize("kind", ["nfs4", "smbfs", "cifs", "fuse.sshfs"])
def test_a_network_drive_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions(home, kind))
    with pytest.raises(UnfitError, match=f"is on a network drive \\({kind}\\).*use a local folder"):
        check_ground(home)
    assert not home.data.exists(), "nothing is made there"


def test_a_local_drive_beside_a_network_drive_is_fit(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions(home, "ext4"))
    assert vitals.network_filesystem(home.root) is None
    check_ground(home)


def test_a_running_operation_is_busy_and_named(home: Home) -> None:
    home.prepare()
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 4711 mode dual")
    with pytest.raises(BusyError, match=r"already running \(pid 4711 mode dual\); `scripts/nae down` stops it"):
        check_ground(home)
    lock.release()
    check_ground(home)


def test_the_pid_file_of_a_running_operation_stays(home: Home) -> None:
    home.prepare()
    home.pid_file.write_text("4711")
    lock = FileLock(home.operation_lock)
    lock.acquire("pid 4711 mode dual")
    with pytest.raises(BusyError):
        check_ground(home)
    assert home.pid_file.exists()
    lock.release()


def test_a_full_disk_is_refused_and_a_low_one_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "disk_free_bytes", lambda _: DISK_START_BYTES - 1)
    with pytest.raises(UnfitError, match="has 49 MiB of disk free; to start it takes 50"):
        check_ground(home)
    monkeypatch.setattr(ground, "disk_free_bytes", lambda _: DISK_LOW_BYTES - 1)
    assert "disk low: 499 MiB free" in check_ground(home).notes
    monkeypatch.setattr(ground, "disk_free_bytes", lambda _: DISK_LOW_BYTES)
    assert not any("disk" in note for note in check_ground(home).notes)


def test_a_folder_that_cant_be_written_is_refused_by_its_name(home: Home) -> None:
    home.logs.write_text("a file where a folder should be")
    with pytest.raises(UnfitError, match=f"can't write to {home.logs}"):
        check_ground(home)


def test_a_port_in_use_is_refused_with_what_would_be_right(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        configure(home, f"[venue]\nport = {port}\n")
        with pytest.raises(ConfigError) as caught:
            check_ground(home)
    assert f"{home.config_file}: venue.port = {port}: Address already in use; use a free port, or 0" in str(
        caught.value
    )
    check_ground(home)


@pytest.mark.parametrize("text", ['[live]\nexchange = "binance"\n', "[live]\nreal_money = true\n"])
def test_a_real_exchange_is_refused_while_it_isnt_released(home: Home, text: str) -> None:
    configure(home, text)
    with pytest.raises(ConfigError, match="trading on a real exchange isn't released yet"):
        check_ground(home)


def test_an_unknown_key_is_refused_before_anything_is_made(home: Home) -> None:
    configure(home, "[venue]\nsped = 60\n")
    with pytest.raises(ConfigError) as caught:
        check_ground(home)
    assert str(caught.value) == f"{home.config_file}: unknown key venue.sped = 60; did you mean venue.speed?"
    assert not home.data.exists()


def test_an_old_python_is_refused_with_the_right_ones(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(UnfitError, match=r"too old; 3\.11, 3\.12 or 3\.13 would be right"):
        check_ground(home)


def test_root_is_let_in_and_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert any("running as root" in note for note in check_ground(home).notes)
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert not any("root" in note for note in check_ground(home).notes)
