"""Commands about one process, on a whole dual operation: by the manager, and by supervisord when it doesn't answer."""

import json
import os
import signal

import pytest

from tests.operation.conftest import ROOT, Operation
from tests.support import eventually

pytestmark = pytest.mark.operation
PYTHON = ROOT / ".venv" / "bin" / "python"


def test_what_a_person_stops_stays_stopped_and_is_said_until_it_is_started(dual: Operation) -> None:
    before = dual.pid("ralph")
    assert dual.nae("stop", "ralph").code == 0
    verdict = dual.run(PYTHON, ROOT / "scripts" / "verify_infinite_loop.py")
    assert verdict.code == 1
    assert "ralph was stopped by the operator: nae start ralph" in verdict.text
    assert dual.nae("start", "ralph").code == 0
    assert dual.pid("ralph") != before
    eventually(lambda: dual.nae("verify").code == 0, within_s=20)


def test_a_restart_of_the_holder_is_a_handover_and_the_status_says_who_holds_live(dual: Operation) -> None:
    eventually(lambda: dual.status()["live"]["standby_ready"], within_s=20)
    before = dual.status()["live"]
    done = dual.nae("restart", before["holder"], "--json")
    assert done.code == 0, done.text
    assert json.loads(done.out)["action"] == "handed over and restarted"
    after = eventually(lambda: (now := dual.status()["live"])["standby_ready"] and now, within_s=20)
    assert after["holder"] != before["holder"]
    assert after["epoch"] == before["epoch"] + 1
    shown = dual.run(PYTHON, ROOT / "scripts" / "check_status.py").out
    assert f"live held by {after['holder']}, epoch {after['epoch']} · standby ready" in shown
    assert len(shown.splitlines()) <= 24


def test_when_the_manager_doesnt_answer_supervisord_is_told_and_that_is_said(dual: Operation) -> None:
    os.kill(dual.pid("continuous_operation"), signal.SIGSTOP)
    done = dual.nae("stop", "accelerator_controller")
    assert done.code == 0, done.text
    assert "supervisord itself is told" in done.err
    # a hung manager is killed and started again; it finds what a person has stopped, and leaves it
    eventually(
        lambda: dual.status()["processes"].get("accelerator_controller", {}).get("stopped_by_operator"), within_s=40
    )
    assert dual.nae("start", "accelerator_controller").code == 0
