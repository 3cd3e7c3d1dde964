"""One API key trades once on a machine, whatever home it is in; and no file or message says the key."""

import os
import signal
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from execution.exchange.credentials import Credentials
from execution.ledger.account_lock import key_holder, key_lock
from execution.runtime.home import Home
from execution.runtime.locks import is_held
from execution.vocabulary.exit_codes import BusyError, ConfigError
from tests.support import child, eventually, line_of

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
FINGERPRINT = Credentials(KEY, "secret").fingerprint
TRADES = """
import sys
from execution.exchange.credentials import Credentials
from execution.ledger.account_lock import key_holder, key_lock
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import BusyError
lock = key_lock(Credentials(sys.stdin.readline().strip(), "secret").fingerprint)
try:
    lock.acquire(key_holder("live_optimus", Home.find()))
    print("trading", flush=True)
except BusyError as busy:
    print(busy, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "nae"


def test_two_homes_with_one_key_trade_once_and_the_second_is_told_by_whom(tmp_path: Path) -> None:
    def said_in(home: str, key: str) -> tuple[int, str]:
        process = stack.enter_context(child(TRADES, NAE_HOME=str(tmp_path / home)))
        assert process.stdin is not None
        print(key, file=process.stdin, flush=True)
        return process.pid, line_of(process)

    with ExitStack() as stack:
        first, said = said_in("one", KEY)
        assert said == "trading"
        _, said = said_in("two", KEY)
        assert f"live_optimus pid {first} of {tmp_path / 'one'}" in said and KEY not in said
        assert said_in("two", "another" + KEY)[1] == "trading"
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not is_held(key_lock(FINGERPRINT).path))
        assert said_in("two", KEY)[1] == "trading"


def test_the_folder_is_the_owners_alone_and_holds_no_key(own_state_folder: Path, tmp_path: Path) -> None:
    lock = key_lock(FINGERPRINT)
    lock.acquire(key_holder("live_optimus", Home(tmp_path)))
    assert stat.S_IMODE(own_state_folder.stat().st_mode) == 0o700
    (file,) = own_state_folder.iterdir()
    assert KEY not in file.name + file.read_text() and FINGERPRINT in file.name
    with pytest.raises(BusyError, match=f"pid {os.getpid()} of {tmp_path}"):
        key_lock(FINGERPRINT).acquire("me")
    lock.release()


def test_a_folder_that_others_could_write_is_closed_and_one_that_is_no_folder_is_refused(
    own_state_folder: Path, tmp_path: Path
) -> None:
    own_state_folder.mkdir(parents=True)
    own_state_folder.chmod(0o777)
    key_lock(FINGERPRINT)
    assert stat.S_IMODE(own_state_folder.stat().st_mode) == 0o700
    own_state_folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    own_state_folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="must be a folder owned by you"):
        key_lock(FINGERPRINT)
