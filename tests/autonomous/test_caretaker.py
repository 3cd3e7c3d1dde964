"""What processes use, on real ones: a fork bomb ends with all its children, who nears the ceiling is renewed."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from execution.autonomous import overseer as overseer_module
from execution.autonomous.caretaker import JUDGED_AFTER_S, Caretaker
from execution.autonomous.vitals import Child, ProcessVitals, group_sizes
from execution.vocabulary.limits import LEAK_RESTART_EVERY_S, MEMBERS_MAX
from execution.vocabulary.programs import MANAGER
from tests.autonomous.test_overseer import Scene
from tests.support import child, eventually, is_running, line_of

BOMB = """
import os, subprocess, sys
os.setpgid(0, 0)
others = [subprocess.Popen(["sleep", "60"]) for _ in range(int(sys.argv[1]))]
print(*[one.pid for one in others], flush=True)
sys.stdin.read()
"""
NAME = "ralph"


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(overseer_module, "sample_process", lambda pid: ProcessVitals(pid, "sleeping", 1.0, 2**20, 5))
    return Scene(tmp_path, NAME, MANAGER)


def caretaker_of(scene: Scene, memory_max_mib: int = 1024, asked: list[str] | None = None) -> Caretaker:
    async def hand_over(name: str, cause: str) -> bool:
        if asked is not None:
            asked.append(f"{name}: {cause}")
        return asked is not None

    return Caretaker(scene.overseer, memory_max_mib, hand_over, scene.clock)


def test_a_fork_bomb_is_killed_with_all_its_children_and_a_neighbour_lives(scene: Scene) -> None:
    with child(BOMB, str(MEMBERS_MAX + 5)) as bomb, child(BOMB, "3") as neighbour:
        members = [int(pid) for pid in line_of(bomb).split()]
        others = [int(pid) for pid in line_of(neighbour).split()]
        try:
            assert group_sizes()[bomb.pid] == MEMBERS_MAX + 6
            scene.door.set(NAME, pid=bomb.pid)
            scene.tick(beating=(NAME, MANAGER))
            caretaker_of(scene).count()
            eventually(lambda: not any(is_running(pid) for pid in (bomb.pid, *members)))
            assert all(is_running(pid) for pid in (neighbour.pid, *others))
            assert "fork bomb" in (scene.overseer.watched[NAME].killed or (0, ""))[1]
        finally:
            for pid in (*members, *others):
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)


def test_who_isnt_the_head_of_its_group_isnt_taken_for_it() -> None:
    with child("import sys; print('up', flush=True); sys.stdin.read()") as process:
        assert line_of(process) == "up"
        known = Child.known(process.pid)
        assert known is not None and not known.kill_group(), "its group is this test's own"
        assert process.poll() is None


def test_who_nears_its_ceiling_is_ended_in_good_order_once_in_half_an_hour(scene: Scene) -> None:
    hoarder = "import sys; kept = bytearray(120 * 2**20); print('up', flush=True); sys.stdin.read()"
    with child(hoarder) as process:
        assert line_of(process) == "up"
        scene.door.set(NAME, pid=process.pid)
        scene.tick(beating=(NAME, MANAGER))
        caretaker = caretaker_of(scene, memory_max_mib=64)  # ralph may have twice that
        for _ in range(3):
            asyncio.run(caretaker.look())
        scene.tick(beating=(NAME, MANAGER))
        assert scene.door.told == [("TERM", NAME)]
        assert scene.overseer.watched[NAME].verdict.causes[0].startswith("memory at")
        kind, cause = scene.entries()[-1]
        assert kind == "adjustment" and cause.startswith("memory at")
        scene.clock.advance(LEAK_RESTART_EVERY_S)
        asyncio.run(caretaker.look())
        assert scene.door.told == [("TERM", NAME)] * 2


def test_a_new_life_is_judged_by_what_it_uses_beside_the_former_one(scene: Scene) -> None:
    hoarder = "import sys; kept = bytearray(120 * 2**20); print('up', flush=True); sys.stdin.read()"
    caretaker = caretaker_of(scene, memory_max_mib=64)
    with child(hoarder) as former:
        assert line_of(former) == "up"
        scene.door.set(NAME, pid=former.pid)
        scene.tick(beating=(NAME, MANAGER))
        asyncio.run(caretaker.look())
    with child("import sys; print('up', flush=True); sys.stdin.read()") as successor:
        assert line_of(successor) == "up"
        scene.door.set(NAME, pid=successor.pid, since_s=0.1)
        scene.tick(beating=(NAME, MANAGER))
        for _ in range(3):
            scene.clock.advance(JUDGED_AFTER_S / 2)
            asyncio.run(caretaker.look())
    (verdict,) = [entry for entry in scene.changes.read()["entries"] if entry["kind"] == "verdict"]
    assert (verdict["process"], verdict["verdict"]) == (NAME, "kept")
    assert verdict["metric_before"] > 120 * 2**20 > verdict["metric_after"]


def test_the_holder_of_an_account_hands_it_over_instead(scene: Scene) -> None:
    hoarder = "import sys; kept = bytearray(120 * 2**20); print('up', flush=True); sys.stdin.read()"
    asked: list[str] = []
    with child(hoarder) as process:
        assert line_of(process) == "up"
        scene.door.set(NAME, pid=process.pid)
        scene.beat(NAME, facts={"role": "active"})
        scene.tick(beating=(MANAGER,))
        asyncio.run(caretaker_of(scene, memory_max_mib=64, asked=asked).look())
        assert asked and asked[0].startswith("ralph: memory at")
        assert scene.door.told == []
