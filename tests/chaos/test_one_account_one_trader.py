"""One account, one trader: whoever comes second is told so, and a start that can't be made says why and lets go."""

import socket
from pathlib import Path

import pytest

from agents.embedded import read_port
from execution.ledger.account_lock import account_lock
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.locks import is_held
from execution.runtime.sqlite import read_all
from execution.vocabulary.exit_codes import ExitCode
from tests.chaos.checker import orders_sent
from tests.chaos.family import Family, family_in
from tests.support import eventually

SANDBOX = "sandbox_optimus"


def epoch(family: Family) -> int:
    rows = read_all(family.home.ledger("sandbox"), "SELECT value FROM facts WHERE name = 'epoch'")
    return int(rows[0][0])


def lock(family: Family) -> Path:
    return family.home.account("sandbox") / "account.lock"


def refused(family: Family, code: ExitCode) -> str:
    """Start the sandbox's trader, which must end by itself with `code`; why, as the start command is told."""
    family.start(SANDBOX)
    assert family.process(SANDBOX).wait(15) == code
    return family.home.refusal(SANDBOX).read_text()


def test_a_second_trader_of_one_account_is_refused_before_it_touches_the_ledger(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start("venue", SANDBOX)
        eventually(lambda: family.is_quiet("sandbox"), within_s=15)
        before, first = epoch(family), family.forget(SANDBOX)
        try:
            # the bus name is taken too; under another name only the account's lock stands between them
            family.home.socket(f"{SANDBOX}.lock").rename(tmp_path / "the bus name's lock")
            told = refused(family, ExitCode.BUSY)
        finally:
            first.terminate()
            assert first.wait(8) == 0
        assert "account.lock" in told and f"{SANDBOX} pid {first.pid}" in told
        assert epoch(family) == before
        assert not is_held(lock(family))


def test_a_trader_whose_lock_file_was_removed_ends_by_itself_and_the_next_takes_the_account(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start("venue", SANDBOX)
        eventually(lambda: family.is_quiet("sandbox"), within_s=15)
        before = epoch(family)
        lock(family).unlink()
        assert family.process(SANDBOX).wait(10) == 0
        assert "the account's lock is lost" in family.log(SANDBOX) and "was replaced" not in family.log(SANDBOX)
        family.start(SANDBOX)
        eventually(lambda: epoch(family) == before + 1 and is_held(lock(family)), within_s=15)


def test_a_trader_whose_lock_file_was_replaced_sends_nothing_more_and_ends(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start("venue", SANDBOX)
        eventually(lambda: orders_sent(family.home.root), within_s=20)
        lock(family).rename(tmp_path / "the trader's lock")
        usurper = account_lock(family.home, "sandbox")
        usurper.acquire("somebody else")
        replaced_ms = SystemClock().now_ms()
        assert family.process(SANDBOX).wait(10) == 0
        assert "the account's lock is lost" in family.log(SANDBOX) and "was replaced" in family.log(SANDBOX)
        query = "SELECT client_order_id FROM orders WHERE created_ms > ?"
        assert read_all(family.home.ledger("sandbox"), query, (replaced_ms + 50,)) == []
        usurper.release()


def test_a_lock_knows_when_it_keeps_nobody_out(tmp_path: Path) -> None:
    mine, others = account_lock(Home(tmp_path), "live"), account_lock(Home(tmp_path), "live")
    assert mine.lost() is not None
    mine.acquire("one")
    assert mine.lost() is None
    mine.path.unlink()
    assert "can't be seen" in (mine.lost() or "")
    others.acquire("another")  # the same account, locked twice
    assert "was replaced" in (mine.lost() or "") and others.lost() is None
    others.release()
    mine.release()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("[trading]\nsymbols = ['DOGE/USDT']\n", "the venue has no DOGE/USDT"),
        ("[trading]\nquote = 'EUR'\n", "trading.quote = 'EUR'"),
    ],
)
def test_a_start_that_a_person_must_mend_ends_with_78_and_lets_go_of_the_account(
    tmp_path: Path, spoil: str, told: str
) -> None:
    with family_in(tmp_path / "home", config=spoil) as family:
        family.start("venue")
        assert told in refused(family, ExitCode.CONFIG)
        assert not is_held(lock(family))


def test_a_damaged_ledger_ends_the_start_with_78_and_the_next_step_and_sends_nothing(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start("venue")
        path = family.home.ledger("sandbox")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"these are not the books " * 1000)
        told = refused(family, ExitCode.CONFIG)
        assert str(path) in told and "move the whole folder away" in told
        assert "can't start" in family.log(SANDBOX) and "Traceback" not in family.log(SANDBOX)
        assert read_all(family.home.data / "venue" / "venue.db", "SELECT * FROM orders") == []


def test_a_trader_waits_for_a_venue_that_is_away_and_ends_when_told(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start(SANDBOX)
        eventually(lambda: family.home.log_file(SANDBOX).exists() and is_held(lock(family)), within_s=10)
        assert family.stop(SANDBOX) == 0
        assert not is_held(lock(family))


def test_a_venue_that_comes_back_on_another_port_is_found_and_traded_on(tmp_path: Path) -> None:
    with family_in(tmp_path / "home") as family:
        family.start("venue", SANDBOX)
        eventually(lambda: orders_sent(family.home.root), within_s=20)
        family.kill("venue")
        with socket.socket() as squatter:
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            squatter.bind(("127.0.0.1", read_port(family.home)))
            squatter.listen()
            family.start("venue")
            before = orders_sent(family.home.root)
            eventually(lambda: orders_sent(family.home.root) > before and family.is_quiet("sandbox"), within_s=20)
        assert "the venue has moved" in family.log(SANDBOX)
