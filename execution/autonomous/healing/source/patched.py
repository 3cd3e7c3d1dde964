"""Has the processes of an overlay's scope start anew, so that they run with a patch or without it, and sees it by their
own word. Of live twins the one that stands by goes first: should it not come up, the one that trades is left alone.

It writes no overlay; which patch, and whether, is for others.
"""

from collections.abc import Callable
from typing import Any

from execution.autonomous.healing.remedy import CannotHeal, Hands
from execution.vocabulary.programs import BY_NAME

BACK_WITHIN_S = 20.0  # a renewed process says so long after that the patch is in force
READY_WITHIN_S = 30.0  # a renewed standby can take over, and its twin knows it
ASKED_EVERY_S = 0.25
State = dict[str, Any]  # a process's heartbeat; empty when it doesn't answer


async def run_with(patch: str, process: str, cause: str, hands: Hands) -> None:
    """Have `process`, and a twin of it, run with a patch that is in force. Raises CannotHeal when one doesn't."""
    said = await _said_by_all(process, hands)
    for name in _active_last(said):
        if not said[name]:
            if name != process:  # a twin that may not be there at all; when it is, it starts with the patch anyway
                continue
            await hands.renew(name, cause)  # it can't come up, and may be held back for that: no more
        else:
            await _renewed(name, said, cause, hands)
        await _until(name, BACK_WITHIN_S, f"runs with {patch}", lambda now: shows(patch, now), hands)


async def run_without(patch: str, process: str, cause: str, hands: Hands) -> None:
    """Have nobody run with a patch that has been removed. Raises CannotHeal when somebody still does; who doesn't come
    up without it isn't asked for."""
    said = await _said_by_all(process, hands)
    for name in _active_last(said):
        if said[name] and not shows(patch, said[name]):
            continue
        try:
            if said[name]:
                await _renewed(name, said, cause, hands)
            elif name == process:
                await hands.renew(name, cause)
        except CannotHeal:
            if shows(patch, await said_by(name, hands)):
                raise


async def renew_by_turns(process: str, cause: str, hands: Hands) -> None:
    """Renew a process and a twin of it, the one that trades last and only once the other can take over. Raises
    CannotHeal."""
    said = await _said_by_all(process, hands)
    for name in _active_last(said):
        if said[name]:
            await _renewed(name, said, cause, hands)
        elif name == process:
            await hands.renew(name, cause)


def shows(patch: str, said: State) -> bool:
    """Is the patch in force in a process, by its own word?"""
    return bool(said) and patch in said["facts"].get("overlay", {}).get("in_force", {}).values()


async def said_by(process: str, hands: Hands) -> State:
    """Its state now."""
    try:
        return await hands.ask(process, "heartbeat")
    except CannotHeal:
        return {}


async def _said_by_all(process: str, hands: Hands) -> dict[str, State]:
    twin = BY_NAME[process].twin
    return {name: await said_by(name, hands) for name in ([process, twin] if twin else [process])}


def _active_last(said: dict[str, State]) -> list[str]:
    return sorted(said, key=lambda name: _is_active(said[name]))


def _is_active(said: State) -> bool:
    return bool(said) and said["facts"].get("role") == "active"


async def _renewed(name: str, said: dict[str, State], cause: str, hands: Hands) -> None:
    """Renew one that answers. Who holds an account may not know yet that its twin is ready: it is asked again."""
    deadline = hands.clock.monotonic() + READY_WITHIN_S
    if _is_active(said[name]) and all(said.values()):
        for twin in said.keys() - {name}:
            await _until(twin, READY_WITHIN_S, "is ready to take over", _is_ready, hands)
    while True:
        try:
            return await hands.renew(name, cause)
        except CannotHeal:
            same = (await said_by(name, hands)).get("pid") == said[name]["pid"]
            if not (same and _is_active(said[name])) or hands.clock.monotonic() >= deadline:
                raise
        await hands.clock.sleep(ASKED_EVERY_S)


def _is_ready(said: State) -> bool:
    return said["facts"].get("standby_ready") is True


async def _until(process: str, within_s: float, what: str, true: Callable[[State], bool], hands: Hands) -> None:
    """Ask until `true` of what it says. Raises CannotHeal."""
    deadline = hands.clock.monotonic() + within_s
    while not ((said := await said_by(process, hands)) and true(said)):
        if hands.clock.monotonic() >= deadline:
            raise CannotHeal(f"{process}: not seen within {within_s:g} s that it {what}")
        await hands.clock.sleep(ASKED_EVERY_S)
