"""One live operation whose code is changed under it: nothing happens until it is upgraded, a build that is broken never
gets to trade, an upgrade cut off goes on, and the live account is managed all the while. In the order written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.judge import availability, judge
from benchmarks.venue_journal import read
from execution.autonomous.builds import Builds
from execution.runtime.home import Home
from tests.operation.conftest import ROOT, Finished, Operation, _cared_for
from tests.support import eventually

pytestmark = pytest.mark.operation
CODE = ("execution", "agents", "supervisor", "requirements.lock", "setup.cfg")
NAE = (sys.executable, "-P", "-m", "execution.console.cli")


class Copied(Operation):
    """An operation of a copy of the project, which a test may edit."""

    project: Path

    def nae(self, *words: str) -> Finished:
        return self.run(*NAE, *words, timeout_s=300)

    def builds(self) -> dict[str, str]:
        rows = self.status()["processes"]
        return {name: row["build"] for name, row in rows.items()}

    def current(self) -> str:
        build = Builds(Home(self.home)).current()
        assert build is not None
        return build

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.project / name
        text = path.read_text()
        assert old in text, f"{name} has changed: mend this test"
        path.write_text(text.replace(old, new, 1))

    def live_facts(self) -> dict[str, Any]:
        for row in self.status()["processes"].values():
            if row["account"] == "live" and (row["facts"] or {}).get("role") == "active":
                facts: dict[str, Any] = row["facts"]
                return facts
        return {}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    folder = tmp_path_factory.mktemp("upgrade")
    operation = Copied(folder / "home")
    operation.home.mkdir()
    operation.project = folder / "project"
    operation.project.mkdir()
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, operation.project / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, operation.project / name)
    operation.environment |= {"PYTHONPATH": str(operation.project), "PYTHONUNBUFFERED": "1"}
    for ready in _cared_for(operation):
        done = ready.nae("up", "live")
        assert done.code == 0, done.text
        yield operation


def test_an_edit_under_a_running_operation_changes_nothing(copied: Copied) -> None:
    first = copied.current()
    assert copied.nae("upgrade").out.endswith(f"nothing to do: every process runs {first}\n")
    copied.edit("agents/accelerator.py", '"""', 'raise RuntimeError("broken at import")\n"""')
    killed = copied.kill("accelerator_controller")
    eventually(lambda: copied.running("accelerator_controller", but_not=killed), within_s=20, every_s=0.2)
    assert set(copied.builds().values()) == {first}


def test_a_build_that_cannot_be_imported_is_tried_on_nothing(copied: Copied) -> None:
    first = copied.current()
    done = copied.nae("upgrade")
    assert done.code == 1
    assert "broken at import" in done.err and "not tried on anything" in done.err
    copied.edit("agents/accelerator.py", 'raise RuntimeError("broken at import")\n', "")
    assert (copied.current(), set(copied.builds().values())) == (first, {first})


def test_a_build_that_falls_after_two_seconds_never_gets_the_account_and_is_taken_back(copied: Copied) -> None:
    first, active = copied.current(), copied.live_facts()
    healthy = "    guard.no_core_dumps()\n"
    broken = "    import threading\n    threading.Timer(2.0, os._exit, [70]).start()\n"
    copied.edit("agents/process.py", healthy, healthy + broken)
    done = copied.nae("upgrade", "--json")
    assert done.code == 1, done.text
    told = json.loads(done.out)
    assert f"everything runs {first} again" in told["problem"]
    assert not any("hands over" in line for line in told["said"])
    assert (copied.current(), set(copied.builds().values())) == (first, {first})
    assert copied.live_facts()["epoch"] == active["epoch"], "the account stayed where it was"
    copied.edit("agents/process.py", broken, "")


def test_an_upgrade_cut_off_in_the_middle_shows_buys_nothing_and_goes_on(copied: Copied) -> None:
    first = copied.current()
    copied.edit("execution/runtime/clock.py", '"""', '"""New. ')
    _kill_when(copied, "ralph restarts")
    new = copied.current()
    assert set(copied.builds().values()) >= {first, new}
    eventually(lambda: copied.live_facts().get("entries_off") == "builds_differ", within_s=10, every_s=0.2)
    causes = [cause for row in copied.status()["processes"].values() for cause in row["causes"]]
    assert "builds differ" in causes

    assert copied.nae("upgrade", "--dry-run").out.startswith(f"build {first} -> {new}")
    done = copied.nae("upgrade", "--watch", "1")
    assert done.code == 0, done.text
    assert set(copied.builds().values()) == {new}
    assert "live_optimus" not in done.out, "what was moved before isn't moved again"
    eventually(lambda: copied.live_facts().get("entries_off") != "builds_differ", within_s=10, every_s=0.2)
    record = json.loads((copied.home / "logs" / "change_log.json").read_text())
    assert f"build {first} -> {new}" in [entry["what"] for entry in record["entries"] if entry["kind"] == "upgrade"]
    assert copied.nae("upgrade", "--back", "--dry-run").out.startswith(f"build {new} -> {first}")


def _kill_when(copied: Copied, words: str) -> None:
    environment = {**os.environ, "NAE_HOME": str(copied.home), **copied.environment}
    with subprocess.Popen([*NAE, "upgrade"], env=environment, stdout=subprocess.PIPE, text=True) as upgrade:
        assert upgrade.stdout is not None
        said = []
        for line in upgrade.stdout:
            said.append(line)
            if words in line:
                upgrade.kill()
                break
    assert words in said[-1], said


def test_through_all_of_it_the_live_account_was_managed_and_nothing_was_doubled_or_forgotten(copied: Copied) -> None:
    assert copied.nae("down").code == 0
    home = Home(copied.home)
    verdict = judge(home)
    assert verdict.clean, verdict.violations
    entries, _ = read(home.data / "venue")
    back_up = [number for number, entry in enumerate(entries) if entry.event == "up"][1]  # the venue's own restart
    until_then = availability(entries, to_ms=entries[back_up - 1].ms)
    assert all(gap.length_ms < 1000 for gap in until_then.outages), until_then.outages
    assert len(until_then.reigns) == 2, "one handover"
    assert copied.nae("upgrade").code == 69
