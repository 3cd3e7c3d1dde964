"""What a soak looks at while it runs: nothing that goes wrong in between is forgotten by the end."""

from typing import Any

from benchmarks.trading_soak import Watch


def status(**changes: Any) -> dict[str, Any]:
    row = {"state": "running", "status": "HEALTHY", "causes": [], "error_count": 0, "restarts": 0, "rss_mib": 60}
    task = {"name": "cycle", "failures": 0, "overdue": False, "last_finished_age_s": 1.0}
    return {"running": True, "processes": {"sandbox_optimus": row | {"tasks": [task]} | changes}}


def test_a_quiet_operation_is_no_problem() -> None:
    watch = Watch()
    for _ in range(20):
        watch.look(status())
    assert not watch.problems and watch.grown() == {"sandbox_optimus": (60, 60)}


def test_whatever_goes_wrong_for_a_moment_is_kept() -> None:
    watch = Watch()
    late = {"name": "cycle", "failures": 0, "overdue": True, "last_finished_age_s": 40.0}
    for seen in (
        status(tasks=[late]),
        status(tasks=[late | {"overdue": False, "failures": 1}]),
        status(error_count=2),
        status(restarts=1),
        status(state="failed"),
        {"running": False, "processes": {}},
    ):
        watch.look(seen)
    watch.look(status())
    said = " ".join(watch.problems)
    for word in ("cycle is overdue", "task cycle has failed", "errors", "started again", "is failed", "not running"):
        assert word in said


def test_memory_is_compared_from_when_it_is_warm() -> None:
    watch = Watch()
    for rss_mib in (10, 20, 30, 60, 60, 60, 60, 60, 61, 100, 100, 100, 100, 100):
        watch.look(status(rss_mib=rss_mib))
    assert watch.grown() == {"sandbox_optimus": (60, 100)}
