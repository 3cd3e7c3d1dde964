"""A missing import in real traders: tried on the sandbox trader, then on live by a handover, and taken back.

The processes run from a build that lacks one import. The test stands where supervisord and the manager stand.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous.healing.hands import ordered
from execution.autonomous.healing.remedies.add_import import ADD_IMPORT, REHEARSE_IMPORT
from execution.autonomous.healing.remedy import CannotHeal, Issue, Undo
from execution.autonomous.healing.source.patched import shows
from execution.runtime.clock import SystemClock
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.programs import BY_NAME
from tests.support import ROOT, eventually_async

PATH = "execution/trading/assistants/data_analysis.py"
LACKING = b"import itertools\n"
SANDBOX, LIVE, STANDBY = "sandbox_optimus", "live_optimus", "live_optimus_standby"
CONFIG = """
[venue]
speed = 60
seed = 3
port = 0
[trading]
interval_s = 1
"""


class Stage:
    """One home with a build that lacks an import, and what runs in it."""

    def __init__(self, root: Path) -> None:
        (root / "nae.toml").parent.mkdir()
        (root / "nae.toml").write_text(CONFIG)
        self.home = Home.find(root)
        self.home.prepare()
        self.clock = SystemClock()
        self.pace = 0.02
        self.kept: list[Undo] = []
        self.renewed: list[str] = []
        self.build = self.home.builds / "lacking"
        for room in ("execution", "agents"):
            shutil.copytree(ROOT / room, self.build / room, ignore=shutil.ignore_patterns("__pycache__"))
        self.source = (self.build / PATH).read_bytes().replace(LACKING, b"")
        (self.build / PATH).write_bytes(self.source)
        (self.home.builds / "current").symlink_to("lacking")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names:
            program = BY_NAME[name]
            with (self.home.root / "output.txt").open("ab") as output:
                self.running[name] = subprocess.Popen(
                    [sys.executable, "-P", "-m", program.module, *program.arguments],
                    env=os.environ
                    | {
                        "NAE_HOME": str(self.home.root),
                        "PYTHONPATH": str(self.home.builds / "current"),
                        "SUPERVISOR_PROCESS_NAME": name,
                    },
                    cwd=self.home.root,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()

    # what a remedy may use

    async def ask(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        return await ordered(self.home, self.clock, process, verb, **arguments)

    async def renew(self, process: str, cause: str) -> None:
        before = self.running[process]
        if (await self.said(process)).get("facts", {}).get("role") == "active" and BY_NAME[
            process
        ].twin in self.running:
            await self.ask(process, "handover", reason=cause)
        elif before.poll() is None:
            before.send_signal(signal.SIGTERM)
        self.renewed.append(process)
        await asyncio.to_thread(before.wait)
        self.start(process)
        after = self.running[process]

        async def known() -> bool:
            return after.poll() is not None or (await self.said(process)).get("pid") == after.pid

        await eventually_async(known, 20.0, 0.1)
        if after.poll() is not None:
            raise CannotHeal(f"{process} isn't back")

    def is_exposed(self, account: str) -> bool:
        return True

    def twin_of_sandbox(self) -> str:
        return SANDBOX if SANDBOX in self.running else ""

    def keep(self, undo: Undo) -> None:
        self.kept.append(undo)

    # what the test wants to know

    async def said(self, process: str) -> dict[str, Any]:
        try:
            return await self.ask(process, "heartbeat")
        except CannotHeal:
            return {}

    async def fault(self, process: str) -> Issue:
        """As the process tells it."""

        async def told() -> dict[str, Any]:
            rows = (await self.said(process)).get("errors", [])
            return next((row for row in rows if row["kind"] == "NameError"), {})

        row = await eventually_async(told, 40.0, 0.1)
        return Issue(
            fingerprint=row["fingerprint"],
            type=IssueType.IMPORT,
            severity=Severity.SERIOUS,
            process=process,
            exception=row["kind"],
            place=row["place"],
            frames=row["frames"],
            context=row["context"],
        )

    async def healed(self, process: str) -> dict[str, Any]:
        """What it says once a closed bar has been taken in without the fault."""

        async def works() -> dict[str, Any]:
            said = await self.said(process)
            cycles = [task["runs"] for task in said.get("tasks", []) if task["name"] == "cycle"]
            return said if cycles and cycles[0] > 2 else {}

        said: dict[str, Any] = await eventually_async(works, 40.0, 0.1)
        assert not [row for row in said["errors"] if row["kind"] == "NameError"], said["errors"]
        return said

    def overlay(self) -> list[str]:
        folder = self.home.data / "healing"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "home")
    try:
        yield made
    finally:
        made.end()


def test_a_missing_import_is_added_to_the_sandbox_trader_and_taken_back(stage: Stage) -> None:
    async def scene() -> None:
        stage.start("venue", SANDBOX)
        issue = await stage.fault(SANDBOX)
        assert issue.context["name"] == "itertools"
        assert await ADD_IMPORT.obstacle(issue, stage) == ""
        assert "needs no rehearsal" in await REHEARSE_IMPORT.obstacle(issue, stage)
        undo = await ADD_IMPORT.apply(issue, stage)
        assert stage.kept == [undo]
        said = await stage.healed(SANDBOX)
        assert said["facts"]["overlay"]["in_force"] == {"execution.trading.assistants.data_analysis": undo["id"]}
        assert "in force already" in await ADD_IMPORT.obstacle(issue, stage)
        assert (stage.build / PATH).read_bytes() == stage.source, "the code itself stays as it is"
        await ADD_IMPORT.revert(undo, stage)
        await ADD_IMPORT.revert(undo, stage)
        assert stage.overlay() == []
        assert "overlay" not in (await stage.said(SANDBOX))["facts"]
        assert stage.renewed == [SANDBOX, SANDBOX]
        assert (await stage.fault(SANDBOX)).fingerprint == issue.fingerprint

    asyncio.run(scene())


def test_live_gets_it_by_a_handover_once_it_has_held_on_the_sandbox_trader(stage: Stage) -> None:
    async def scene() -> None:
        stage.start("venue", LIVE)
        issue = await stage.fault(LIVE)
        assert "no sandbox trader" in await ADD_IMPORT.obstacle(issue, stage)
        stage.start(STANDBY, SANDBOX)
        await stage.fault(SANDBOX)
        assert "hasn't been tried on sandbox_optimus yet" in await ADD_IMPORT.obstacle(issue, stage)
        with pytest.raises(CannotHeal, match="hasn't been tried"):
            await ADD_IMPORT.apply(issue, stage)
        assert await REHEARSE_IMPORT.obstacle(issue, stage) == ""
        tried = await REHEARSE_IMPORT.apply(issue, stage)
        assert stage.renewed == [SANDBOX], "live isn't touched by a rehearsal"
        await stage.healed(SANDBOX)
        await eventually_async(lambda: _none(ADD_IMPORT.obstacle(issue, stage)))
        plan = await ADD_IMPORT.plan(issue, stage)
        assert f"{LIVE} starts anew" in plan and len(re.findall(r"^\+(import|from) ", plan, re.M)) == 1, plan
        stage.renewed.clear()
        undo = await ADD_IMPORT.apply(issue, stage)
        assert stage.renewed == [STANDBY, LIVE], "who trades is left alone until its twin has come up with the patch"
        said = await stage.healed(STANDBY)
        assert said["facts"]["role"] == "active"
        assert all([shows(undo["id"], await stage.said(name)) for name in (LIVE, STANDBY)])
        await ADD_IMPORT.revert(undo, stage)
        assert not any([shows(undo["id"], await stage.said(name)) for name in (LIVE, STANDBY)])
        await REHEARSE_IMPORT.revert(tried, stage)
        assert stage.overlay() == []

    asyncio.run(scene())


async def _none(obstacle: Any) -> bool:
    return not await obstacle


def test_a_patch_with_which_a_process_does_not_come_up_is_taken_back(stage: Stage) -> None:
    async def scene() -> None:
        stage.start("venue", SANDBOX)
        issue = await stage.fault(SANDBOX)
        (stage.build / "execution/runtime/overlay_finder.py").write_text('"""Broken."""\nraise ImportError("no")\n')
        with pytest.raises(CannotHeal, match="isn't back"):
            await ADD_IMPORT.apply(issue, stage)
        assert stage.overlay() == []
        assert (await stage.fault(SANDBOX)).fingerprint == issue.fingerprint

    asyncio.run(scene())
