"""`nae audit`: the trails checked, shown and exported, with nothing running."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.console.audit_export import COLUMNS, REST, moment, rendered, within
from execution.console.cli import run
from execution.ledger.audit_log import AuditLogger
from execution.runtime.clock import ManualClock, iso
from execution.runtime.home import Home
from execution.venue.table_file import read_header
from execution.vocabulary.exit_codes import ConfigError, ExitCode
from tests.console.conftest import Say


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("NAE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return Home.find()


@pytest.fixture
def say(home: Home, capsys: pytest.CaptureFixture[str]) -> Say:
    def command(*words: str) -> tuple[int, str, str]:
        code = run(["audit", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def two_trails(home: Home) -> list[Path]:
    """Two processes, a line each every second."""
    clock = ManualClock()
    names = ("live_optimus", "ralph")
    trails = [AuditLogger(home.audit_trail(name), clock, name, max_bytes=2_000) for name in names]
    for number in range(6):
        for trail in trails:
            trail.record(
                "cycle" if number % 2 else "order", f"live-1-{number}", "c1", number=number, note="a=b, \u00fc"
            )
            clock.advance(0.5)
    for trail in trails:
        trail.close()
    return [trail.path for trail in trails]


def test_a_whole_trail_is_said_to_be_and_a_broken_one_by_its_first_bad_line(home: Home, say: Say) -> None:
    first, second = two_trails(home)
    code, out, _ = say("verify")
    assert code == ExitCode.OK and out.count("whole") == 2
    content = bytearray(second.read_bytes())
    content[10] ^= 1
    second.write_bytes(content)
    code, out, err = say("verify")
    assert code == ExitCode.FAILED and f"{second}:1" in err and "broken" in out
    assert say("verify", "live_optimus")[0] == ExitCode.OK
    told = json.loads(say("verify", "--json")[1])
    assert [row["ok"] for row in told] == [True, False] and told[0]["last"] == 6
    first.write_bytes(first.read_bytes()[:-1])
    assert say("verify", "live_optimus")[0] == ExitCode.FAILED


def test_tail_shows_all_trails_in_the_order_of_time_and_only_what_is_asked(home: Home, say: Say) -> None:
    two_trails(home)
    code, out, _ = say("tail", "-n", "4", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == ExitCode.OK and [row["at"] for row in told] == sorted(row["at"] for row in told)
    assert [row["process"] for row in told] == ["live_optimus", "ralph"] * 2
    _, out, _ = say("tail", "--kind", "order", "--of", "live-1-2")
    assert out.count("order live-1-2 c1 number=2") == 2 and "cycle" not in out
    assert say("tail", "-n", "0")[1] == ""


def test_an_export_holds_the_lines_of_its_time_in_each_format(home: Home, say: Say, tmp_path: Path) -> None:
    two_trails(home)
    file = tmp_path / "orders.csv"
    assert say("export", str(file), "--kind", "order")[0] == ExitCode.OK
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 6 and list(rows[0]) == [*COLUMNS, REST]
    assert json.loads(rows[0][REST]) == {"number": 0, "note": "a=b, \u00fc"}
    jsonl = tmp_path / "all.jsonl"
    assert say("export", str(jsonl), "ralph")[0] == ExitCode.OK
    assert len(jsonl.read_text().splitlines()) == 6
    parquet = tmp_path / "all.parquet"
    assert say("export", str(parquet))[0] == ExitCode.OK
    assert read_header(parquet) == [*COLUMNS, REST]
    assert "nothing fits" in say("export", str(jsonl), "--since", "2099-01-01")[2]


def test_wrong_words_say_what_would_be_right(home: Home, say: Say, tmp_path: Path) -> None:
    assert say("verify")[0] == ExitCode.UNAVAILABLE
    two_trails(home)
    code, _, err = say("verify", "moon")
    assert code == ExitCode.USAGE and "live_optimus, ralph" in err
    code, _, err = say("export", str(tmp_path / "x.xls"))
    assert code == ExitCode.CONFIG and ".parquet" in err
    code, _, err = say("export", str(tmp_path / "x.csv"), "--since", "yesterday")
    assert code == ExitCode.CONFIG and "2026-11-21T08:15" in err


def test_a_day_as_an_end_is_the_whole_day_and_an_age_is_from_now() -> None:
    entry = {"at": "2026-11-21T23:59:59.999Z"}
    assert within(entry, "2026-11-21", "2026-11-21") and within(entry, "", "")
    assert not within(entry, "2026-11-22", "") and not within(entry, "", "2026-11-21T23:58")
    assert moment("2h", 7_200_000, "--since") == iso(0)
    assert moment("2026-11-21 08:15Z", 0, "--since") == "2026-11-21T08:15"
    with pytest.raises(ConfigError, match="--until"):
        moment("21.11.2026", 0, "--until")


VALUES = st.text(max_size=8) | st.integers()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(["at", "kind", "seq", "x", "prev"]), VALUES, max_size=4), max_size=4))
def test_whatever_stands_in_a_line_comes_out_of_csv_as_it_went_in(rows: list[dict[str, str | int]]) -> None:
    table = list(csv.reader(io.StringIO(rendered(rows, "csv").decode(), newline="")))
    assert len(table) == len(rows) + 1
    for line, row in zip(table[1:], rows, strict=True):
        assert json.loads(line[-1]) == {"x": row["x"]} if "x" in row else json.loads(line[-1]) == {}
