"""A storm is the same for the same seed, hits only who lives, and its outages are laid at the right door."""

import io
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.availability import Outage, Reign
from benchmarks.fault_log import ACTIVE, STANDBY, Fault, attribute, table
from benchmarks.judge import availability
from benchmarks.spread import Spread
from benchmarks.storm_report import StormResult, show
from benchmarks.venue_journal import Entry
from benchmarks.weather import DEAD_AFTER_S, HUNG_AFTER_S, PATIENCE_S, STOP, STORMS, Guardian, Need, next_fault
from execution.vocabulary.programs import PROGRAMS


def fault(ms: float, victim: str, role: str = "", signal: str = "SIGKILL") -> Fault:
    return Fault(ms, victim, role, signal, 1)


def test_the_storms_know_every_program_there_is() -> None:
    known = {program.name for program in PROGRAMS}
    assert known <= set(STORMS["b"].victims)
    assert known - set(STORMS["a"].victims) == {"venue"}


@pytest.mark.parametrize("name", STORMS)
def test_one_seed_is_one_storm_and_another_seed_another(name: str) -> None:
    weather = STORMS[name]
    living = dict.fromkeys(weather.victims, False)

    def storm(seed: int) -> list[tuple[str, str] | None]:
        chance = random.Random(seed)
        return [next_fault(chance, weather, living) for _ in range(50)]

    assert storm(7) == storm(7) != storm(8)
    hits = [one for one in storm(7) if one]
    assert {victim for victim, _ in hits} == set(weather.victims) and {how for _, how in hits} == set(weather.signals)


@given(st.dictionaries(st.sampled_from([*STORMS["b"].victims, "stranger"]), st.booleans()), st.integers())
def test_only_the_living_are_hit_and_nobody_is_stopped_twice(living: dict[str, bool], seed: int) -> None:
    hit = next_fault(random.Random(seed), STORMS["b"], living)
    if hit is None:
        assert all(stopped or name == "stranger" for name, stopped in living.items())
    else:
        assert hit[0] in living and hit[0] != "stranger" and not (hit[1] == STOP and living[hit[0]])


def test_the_guardian_starts_what_nobody_supervises_and_gives_a_start_time() -> None:
    guardian = Guardian()
    assert guardian.look(True, False, 100.0) is Need.NOTHING
    assert guardian.look(False, False, 101.0) is Need.NOTHING
    assert guardian.look(False, False, 101.0 + DEAD_AFTER_S) is Need.START
    assert guardian.look(False, False, 101.0 + DEAD_AFTER_S + PATIENCE_S - 0.1) is Need.NOTHING
    assert guardian.look(False, False, 101.0 + DEAD_AFTER_S + PATIENCE_S) is Need.START
    assert guardian.look(True, False, 200.0) is Need.NOTHING and guardian.starts == 2


def test_the_guardian_kills_a_supervisord_that_stays_hung_and_leaves_one_that_was_let_go_on() -> None:
    guardian = Guardian()
    assert guardian.look(True, True, 0.5) is guardian.look(True, False, 10.0) is Need.NOTHING
    assert guardian.look(True, True, 11.0) is guardian.look(True, True, 10.9 + HUNG_AFTER_S) is Need.NOTHING
    assert guardian.look(True, True, 11.0 + HUNG_AFTER_S) is Need.KILL and guardian.kills == 1


def test_an_outage_belongs_to_the_last_fault_before_it() -> None:
    faults = [fault(1000, "ralph"), fault(3000, "venue"), fault(5000, "ralph")]
    outages = [Outage(500, 100), Outage(3800, 2000), Outage(9000, 10)]
    found = [(cause.victim if cause else None) for cause, _ in attribute(faults, outages)]
    assert found == [None, "venue", "ralph"]


def test_the_table_tells_kinds_apart_and_counts_takeovers_without_an_outage_too() -> None:
    faults = [
        fault(1000, "live_optimus", ACTIVE),
        fault(4000, "live_optimus", STANDBY),
        fault(6000, "supervisord"),
        fault(20_000, "ralph"),
    ]
    reigns = [Reign(1, 0, 900, 9, 0), Reign(2, 1020, 6000, 9, 0), Reign(3, 8500, 30_000, 9, 0)]
    rows = {row.kind: row for row in table(faults, [Outage(6900, 1600)], reigns)}
    assert next(iter(rows)) == "SIGKILL supervisord"
    assert rows["SIGKILL supervisord"].outage == Spread(1600, 1600, 1600, 1)
    assert rows["SIGKILL supervisord"].again == Spread(2500, 2500, 2500, 1)
    taken_over = rows["SIGKILL live trader, active"]
    assert taken_over.outages == 0 and taken_over.again == Spread(20, 20, 20, 1)
    assert rows["SIGKILL live trader, standby"].again is None and rows["SIGKILL ralph"].faults == 1


def test_a_result_holds_only_with_its_target_met_and_is_told_whole_in_json_and_tables() -> None:
    probes = [Entry(ms, "", "live", "POST order/test", f"1-probe-{ms}", ms, 200, None) for ms in range(0, 9000, 500)]
    verdict = availability(probes, 0, 10_000)
    rows = table([fault(8600, "ralph")], verdict.outages, verdict.reigns)
    results = [StormResult(STORMS[name], 1, verdict, rows, 0, 0, 1.0, True) for name in ("a", "b")]
    assert [result.holds for result in results] == [False, True]
    document = json.loads(json.dumps(results[0].document()))
    assert document["verdict"]["managed_share"] == 0.95 and document["rows"][0]["kind"] == "SIGKILL ralph"
    verdict.violations["doubled"] = ["one too many"]
    assert not results[1].holds
    out = io.StringIO()
    show(results[1], Console(file=out, width=140))
    assert "DOES NOT HOLD" in out.getvalue() and "one too many" in out.getvalue()
