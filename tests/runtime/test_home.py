"""One folder holds one operation; sockets find a short private place however long its path is."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from execution.runtime.home import PROJECT_ROOT, Home, owner_only
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import SOCKET_PATH_MAX
from execution.vocabulary.programs import PROGRAMS

LONGEST = max((f"{program.name}.cmd.12345678" for program in PROGRAMS), key=len)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temp directory of the test's own, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nae-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def long_home(folder: Path) -> Home:
    root = folder / ("a" * 60) / ("b" * 60) / ("c" * 60)
    root.mkdir(parents=True)
    return Home.find(root)


def test_a_home_is_what_is_given_else_the_environment_else_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAE_HOME", str(tmp_path / "named"))
    assert Home.find(tmp_path / "given").root == tmp_path.resolve() / "given"
    assert Home.find().root == tmp_path.resolve() / "named"
    monkeypatch.delenv("NAE_HOME")
    assert Home.find().root == PROJECT_ROOT


def test_a_home_reached_by_a_link_is_the_same_home(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Home.find(tmp_path / "link") == Home.find(tmp_path / "real")


def test_a_short_home_keeps_its_sockets_inside() -> None:
    home = Home(Path("/home/u/nae"))
    assert home.run == home.data / "run"


def test_a_home_of_150_characters_gets_a_short_private_folder(tmp_path: Path, elsewhere: Path) -> None:
    home = long_home(tmp_path)
    assert len(str(home.root)) > 150
    home.prepare()
    assert home.run.parent == elsewhere.resolve()
    assert home.run.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(home.run / LONGEST)) <= SOCKET_PATH_MAX
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(home.socket(LONGEST)))
    home.prepare()  # and again, over what is there


def test_one_home_has_one_lock_whatever_the_temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, folders = long_home(tmp_path), []
    for place in (tmp_path / "one", tmp_path / "two"):
        monkeypatch.setattr("tempfile.tempdir", str(place))
        folders.append((home.run, home.operation_lock))
    assert folders[0][0] != folders[1][0]
    assert folders[0][1] == folders[1][1], "two operations of one home would sweep each other away"


def test_two_long_homes_never_share_a_folder(tmp_path: Path, elsewhere: Path) -> None:
    assert long_home(tmp_path / "one").run != long_home(tmp_path / "two").run


def test_the_longest_socket_path_fits_at_every_length_of_home() -> None:
    for length in range(1, 120):
        run = Home(Path("/" + "h" * length)).run
        if run.name == "run":
            assert len(os.fsencode(run / LONGEST)) <= SOCKET_PATH_MAX


def test_prepare_makes_the_folders_and_closes_the_data_to_others(tmp_path: Path) -> None:
    home = Home.find(tmp_path / "home")
    home.prepare()
    home.prepare()
    assert all(folder.is_dir() for folder in (home.data, home.logs, home.logs / "boot", home.logs / "audit", home.run))
    assert home.data.stat().st_mode & 0o777 == 0o700


def test_a_run_folder_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    owner_only(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_run_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=f"{tmp_path} must be a folder owned by you"):
        owner_only(tmp_path)


@pytest.mark.parametrize("planted", ["link", "file"])
def test_what_somebody_planted_in_place_of_the_run_folder_is_refused(
    tmp_path: Path, elsewhere: Path, planted: str
) -> None:
    home = long_home(tmp_path)
    if planted == "link":
        (tmp_path / "theirs").mkdir()
        home.run.symlink_to(tmp_path / "theirs")
    else:
        home.run.write_text("")
    with pytest.raises((ConfigError, FileExistsError), match=home.run.name):
        home.prepare()


def test_every_path_of_a_home_is_inside_it(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    paths = [home.config_file, home.pid_file, home.change_log, home.log_file("a"), home.boot_log("a")]
    paths += [home.ledger("live"), home.audit_trail("a"), home.account("live")]
    assert all(path.is_relative_to(tmp_path.resolve()) for path in paths)
    assert len(set(paths)) == len(paths)
