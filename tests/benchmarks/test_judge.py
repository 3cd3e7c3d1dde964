"""The judge says no to every journal it must say no to, and sees an outage exactly where there is one."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.availability import accepted_twice, outages, reigns, share_managed, two_traders
from benchmarks.books import Kind
from benchmarks.judge import availability, judge, main
from benchmarks.venue_journal import Entry, entries, epoch_of, read
from execution.ledger.store import Ledger
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.runtime.sqlite import open_writer, transaction
from execution.venue.journal import Journal
from execution.venue.store import SCHEMA
from execution.vocabulary.order_states import OrderEvent
from tests.ledger.builders import fill, request


def entry(ms: float, client_id: str, verb: str = "POST order", sent: float | None = None, status: int = 200) -> Entry:
    return Entry(ms, "", "live", verb, client_id, ms if sent is None else sent, status, None)


def probe(ms: float, epoch: str = "1", sent: float | None = None, status: int = 200) -> Entry:
    return entry(ms, f"{epoch}-probe-{ms:.0f}", "POST order/test", sent, status)


def test_probes_twice_a_second_leave_no_outage_and_a_missing_second_one_of_exactly_its_length() -> None:
    steady = availability([probe(ms) for ms in range(0, 10_000, 500)], 0, 10_000)
    assert steady.clean and steady.managed_share == 1.0 and steady.outages == []
    broken = availability([probe(ms) for ms in range(0, 10_000, 500) if not 3000 < ms < 6200], 0, 10_000)
    assert [tuple(gap) for gap in broken.outages] == [(4000, 2500)]
    assert broken.managed_share == 0.75


def test_what_lies_before_the_first_probe_and_after_the_last_is_an_outage_too() -> None:
    verdict = availability([probe(2000), probe(2500)], 0, 10_000)
    assert [tuple(gap) for gap in verdict.outages] == [(0, 2000), (3500, 6500)]
    assert availability([], 0, 1000).managed_share == 0.0


@pytest.mark.parametrize(
    "line",
    [
        probe(500, status=400),  # the venue refused it
        entry(500, "1-probe-1"),  # a real order, whatever its name
        entry(500, "probe-1", "POST order/test"),
        entry(500, "1-7-abc", "POST order/test"),
        probe(500)._replace(account="sandbox"),
    ],
)
def test_only_an_accepted_probe_of_the_live_account_counts_as_managed(line: Entry) -> None:
    assert availability([line], 0, 1000).managed_share == 0.0


@given(st.lists(st.floats(0, 10_000), max_size=30))
def test_outages_and_covered_time_make_up_the_whole(moments: list[float]) -> None:
    gaps = outages(moments, 0, 10_000)
    covered = sum(
        any(start <= at + 0.5 < start + 1000 for start in moments if start < 10_000) for at in range(0, 10_000, 10)
    )
    assert abs(share_managed(gaps, 0, 10_000) * 1_000 - covered) <= 2 * len(moments) + 1
    assert all(0 < gap.length_ms <= 10_000 for gap in gaps)
    assert all(one.start_ms + one.length_ms < other.start_ms for one, other in itertools.pairwise(gaps))


@pytest.mark.parametrize("late", [entry(2000, "1-9-a"), probe(2000, "1")])
def test_a_request_that_an_older_epoch_sends_after_a_newer_one_began_is_two_traders(late: Entry) -> None:
    found, merely_late = two_traders([probe(0, "1"), probe(1000, "2"), late])
    assert len(found) == 1 and "1000 ms after epoch 2 had begun" in found[0] and merely_late == 0


def test_a_dead_trader_s_last_request_may_arrive_after_its_heir_s_first() -> None:
    assert two_traders([probe(0, "1"), probe(1000, "2"), entry(1010, "1-9-a", sent=990)]) == ([], 1)


def test_cancelling_an_older_epoch_s_order_and_another_account_s_epochs_are_no_second_trader() -> None:
    cancel = entry(2000, "1-9-a", "DELETE order")
    assert two_traders([probe(1000, "2"), cancel, probe(2500, "1")._replace(account="sandbox")]) == ([], 0)


def test_epochs_are_counted_in_base_36_and_not_compared_as_text() -> None:
    assert (epoch_of("z-1-a"), epoch_of("10-1-a"), epoch_of("web_x"), epoch_of("-1")) == (35, 36, None, None)
    assert two_traders([probe(0, "z"), probe(1000, "10"), probe(2000, "11")]) == ([], 0)
    assert [reign.epoch for reign in reigns([probe(0, "z"), probe(500, "z"), probe(1000, "10")])] == [35, 36]


@pytest.mark.parametrize("id_", ["x-TKT5PX2F0a1b2c3d4e5f", "x-mytrader", "stranger-1", "a-b-c-d", "web_1-2-3"])
def test_a_stranger_s_order_is_of_no_epoch(id_: str) -> None:
    assert epoch_of(id_) is None
    assert two_traders([probe(0, "1"), entry(500, id_), probe(1000, "1")]) == ([], 0)
    assert [reign.epoch for reign in reigns([probe(0, "1"), entry(500, id_)])] == [1]


def test_one_client_order_id_accepted_twice_is_doubled() -> None:
    assert accepted_twice([entry(0, "1-1-a"), entry(5, "1-1-a", status=400)]) == []
    assert accepted_twice([entry(0, "1-1-a"), entry(5, "1-1-a")]) == ["live: 2 orders accepted as 1-1-a"]


def test_the_time_line_ignores_steps_of_the_wall_clock_and_bridges_a_reboot() -> None:
    rows = [{"at": 1000, "mono": 500.0}, {"at": 3_601_250, "mono": 750.0}, {"at": 3_700_000, "mono": 20.0}]
    assert [one.ms for one in entries(rows)] == [1000.0, 1250.0, 3_700_000.0]


def test_all_files_of_a_journal_are_read_in_order_and_unreadable_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl.2").write_text('{"at":1,"mono":1,"event":"up"}\n')
    (tmp_path / "journal.jsonl.1").write_text('{"at":2,"mono":2,"id":"1-1-a"}\n{"at":3,"mo\n[1]\n')
    (tmp_path / "journal.jsonl").write_text('\n{"at":4,"mono":4,"event":"down"}\n')
    found, unreadable = read(tmp_path)
    assert [one.ms for one in found] == [1, 2, 4] and unreadable == 2


def sound_books(root: Path) -> Home:
    """A venue's database and a live ledger that agree on one filled order."""
    home = Home(root)
    home.prepare()
    ledger = Ledger(home.ledger("live"), "live", SystemClock())
    name = ledger.record_intent(request(bar=60_000), sent_ms=1)
    ledger.mark(name, OrderEvent.SENT)
    trade = fill(3, name)
    ledger.record_fill(trade)
    ledger.close()
    (home.data / "venue").mkdir()
    venue = open_writer(home.data / "venue" / "venue.db", SCHEMA)
    order = (9, "live", "BTCUSDT", name, "BUY", "MARKET", "GTC", "0", "0.01", "0", "0.01", "500", "FILLED", 1, 1)
    traded = (3, 9, "live", "BTCUSDT", "BUY", "50000", "0.01", "500", "0", "USDT", trade.executed_ms, 0)
    with transaction(venue) as connection:
        connection.execute(f"INSERT INTO orders VALUES({','.join('?' * 15)})", order)
        connection.execute(f"INSERT INTO fills VALUES({','.join('?' * 12)})", traded)
        connection.executemany("INSERT INTO balances VALUES('live', ?, ?, '0')", [("BTC", "0.01"), ("USDT", "-500")])
    venue.close()
    return home


def spoil(path: Path, schema: str, *statements: str) -> None:
    connection = open_writer(path, schema)
    for statement in statements:
        connection.execute(statement)
    connection.close()


VENUE, BOOKS = "venue/venue.db", "live/ledger.db"
ORDERS = (
    "INSERT INTO orders SELECT 10, account, symbol, {}, side, type, time_in_force, price, quantity, quote_budget, '0',"
)
ORDERS += " '0', 'CANCELED', 1, 1 FROM orders"
SPOILED = [
    (Kind.DOUBLED, VENUE, ORDERS.format("client_id"), "2 orders at the venue as"),
    (Kind.ORPHAN, VENUE, ORDERS.format("'1-99-x'"), "the venue has 1-99-x, the ledger doesn't"),
    (Kind.FORGOTTEN, BOOKS, "DELETE FROM fills", "a fill that isn't in the ledger"),
    (Kind.FORGOTTEN, BOOKS, "UPDATE orders SET filled = '0'", "the venue filled 0.01, the ledger has 0"),
    (Kind.ORPHAN, VENUE, "DELETE FROM orders", "is filled, the venue never had it"),
    (Kind.ORPHAN, VENUE, "DELETE FROM fills", "a fill that the venue doesn't have"),
    (Kind.DIFFERS, BOOKS, "UPDATE orders SET state = 'unknown'", "FILLED at the venue, unknown in the ledger"),
    (Kind.DIFFERS, VENUE, "UPDATE balances SET free = '0.02' WHERE asset = 'BTC'", "BTC: 0.02 at the venue, 0.01"),
]


def test_books_that_agree_are_clean(tmp_path: Path) -> None:
    home = sound_books(tmp_path)
    (home.data / "venue" / "journal.jsonl").write_text('{"at":4,"mono":4,"event":"up"}\n')
    verdict = judge(home)
    assert verdict.clean and set(verdict.violations) == {*Kind, "two traders", "journal"}


@pytest.mark.parametrize(("kind", "file", "statement", "said"), SPOILED)
def test_books_that_disagree_are_told_by_kind(tmp_path: Path, kind: Kind, file: str, statement: str, said: str) -> None:
    home = sound_books(tmp_path)
    spoil(home.data / file, "", statement)
    assert any(said in text for text in judge(home).violations[kind])


def test_two_entries_for_one_signal_are_doubled(tmp_path: Path) -> None:
    home = sound_books(tmp_path)
    ledger = Ledger(home.ledger("live"), "live", SystemClock())
    ledger.record_intent(request(bar=60_000), sent_ms=1)
    ledger.close()
    assert any("2 entries for one signal" in text for text in judge(home).violations[Kind.DOUBLED])


def test_a_trade_that_only_the_venue_s_journal_tells_of_is_found(tmp_path: Path) -> None:
    home = sound_books(tmp_path)
    journal = Journal(home.data / "venue" / "journal.jsonl", SystemClock())
    journal.open()
    numbers = {"price": "1", "quantity": "1", "fee": "0", "fee_asset": "BTC", "account": "live", "side": "BUY"}
    journal.write({"event": "trade", "trade": 77, "order": 7} | numbers)
    journal.close()
    assert "trade 77 of order 7 isn't in the store" in judge(home).violations["journal"]


def test_the_command_ends_with_1_for_violations_and_0_without_and_speaks_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = sound_books(tmp_path)
    journal = home.data / "venue" / "journal.jsonl"
    line = '{"at":%d,"mono":%d,"account":"live","verb":"POST order/test","id":"%d-probe-1","sent":%d,"status":200}\n'
    journal.write_text(line % (1000, 1000, 1, 1000) + line % (1500, 1500, 2, 1500))
    assert main([str(home.root), "--from", "1000", "--to", "2000"]) == 0
    assert "100.0000%" in capsys.readouterr().out
    journal.write_text(journal.read_text() + line % (1600, 1600, 1, 1600))
    assert main([str(home.root), "--from", "1000", "--to", "2000", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["clean"] and len(told["violations"]["two traders"]) == 1 and told["managed_share"] == 1.0
