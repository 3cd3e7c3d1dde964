"""Adds a missing import to a module's overlay: to the process that failed, or, where that guards the live account, to
the sandbox trader first, and to the live traders only once it has held there and a person has said yes.

Which import, and whether that module may have it, is import_fix.py's; no file of the code is ever changed.
"""

import asyncio

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.autonomous.healing.source.import_fix import ImportFix, NoFix, find_fix
from execution.autonomous.healing.source.overlay_store import OverlayStore
from execution.autonomous.healing.source.patched import run_with, run_without, shows
from execution.autonomous.healing.source.source_code import diff, root_of
from execution.runtime.overlay_rules import SCOPES
from execution.vocabulary.issues import IssueType

HELD_FOR_S = 90.0  # on the sandbox trader, before it is offered to live: a bar of a minute closes in that time
CAUSE = "a missing import is added"
UNDONE = "an added import is taken away"


class AddImport:
    """The patch in force where the fault is."""

    name = "add_import"
    what = "adds a missing import to an overlay of the module; the code itself stays as it is"

    def __init__(self) -> None:
        self.fits = {IssueType.IMPORT: Terms(budget=2, quiet_for_s=HELD_FOR_S, approval=True, deadline_s=120.0)}

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """Not ours to patch, no fix, one in force already; or for live: not proved on the sandbox trader yet."""
        try:
            scope = scope_of(issue.process)
            fix = await fix_for(issue, hands)
            if OverlayStore(hands.home, hands.clock).id_of(scope, fix):
                return f"{fix.line!r} is in force already"
            return await self._not_proved(issue, fix, hands) if scope == "live" else ""
        except (NoFix, CannotHeal) as error:
            return str(error)

    async def _not_proved(self, issue: Issue, fix: ImportFix, hands: Hands) -> str:
        """Why it can't be offered to live yet."""
        trier = hands.twin_of_sandbox()
        if not trier:
            return "there is no sandbox trader on which it could be tried first; nae up dual starts one"
        patch = OverlayStore(hands.home, hands.clock).id_of(scope_of(trier), fix)
        if not patch:
            return f"{fix.line!r} hasn't been tried on {trier} yet"
        said = await hands.ask(trier, "heartbeat")
        if not shows(patch, said):
            return f"{trier} doesn't run with {fix.line!r}"
        if any(error["fingerprint"] == issue.fingerprint for error in said["errors"]):
            return f"{trier} shows the same fault with {fix.line!r}"
        held_for_s = HELD_FOR_S * hands.pace
        if said["uptime_s"] < held_for_s:
            return f"{trier} has held with {fix.line!r} for {said['uptime_s']:.0f} of {held_for_s:g} s"
        return ""

    async def plan(self, issue: Issue, hands: Hands) -> str:
        """The line, where it goes, and who is renewed for it."""
        try:
            fix = await fix_for(issue, hands)
        except NoFix as error:
            raise CannotHeal(str(error)) from error
        shown = diff(fix.path, fix.original.decode(), fix.patched.decode())
        return f"{fix.line!r} is added to an overlay of {fix.path}; {issue.process} starts anew with it:\n{shown}"

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """Put the patch in force and see every process of the scope come up with it, or take it all back."""
        if why := await self.obstacle(issue, hands):  # a person's yes may have come long after the question
            raise CannotHeal(why)
        return await put_in_force(issue, issue.process, hands)

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """The overlay as it was before; whoever runs with the patch is renewed."""
        await take_away(undo, hands)


class RehearseImport:
    """The patch in force on the sandbox trader alone, for a fault that only the live traders show."""

    name = "rehearse_import"
    what = "tries a missing import on the sandbox trader, so that it can be offered to the live ones"

    def __init__(self) -> None:
        # live goes on with its fault: only what it shows after the rehearsal counts, and a pause in it is no cure
        self.fits = {
            IssueType.IMPORT: Terms(
                reverted_when_useless=False, settle_s=HELD_FOR_S, quiet_for_s=10 * HELD_FOR_S, deadline_s=60.0
            )
        }

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        """Only for live, with a sandbox trader that hasn't got it yet."""
        try:
            if scope_of(issue.process) != "live":
                return f"{issue.process} needs no rehearsal"
            if not hands.twin_of_sandbox():
                return "there is no sandbox trader; nae up dual starts one"
            fix = await fix_for(issue, hands)
            store = OverlayStore(hands.home, hands.clock)
            if store.id_of("live", fix) or store.id_of(scope_of(hands.twin_of_sandbox()), fix):
                return f"{fix.line!r} is in force there already"
        except (NoFix, CannotHeal) as error:
            return str(error)
        return ""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        """Live isn't touched."""
        return await put_in_force(issue, hands.twin_of_sandbox(), hands)

    async def revert(self, undo: Undo, hands: Hands) -> None:
        """As for any patch."""
        await take_away(undo, hands)


ADD_IMPORT = AddImport()
REHEARSE_IMPORT = RehearseImport()


def scope_of(process: str) -> str:
    """Whose overlay a process loads. Raises NoFix when its code is never patched."""
    if process not in SCOPES:
        raise NoFix(f"the code of {process} is never patched")
    return SCOPES[process]


async def fix_for(issue: Issue, hands: Hands) -> ImportFix:
    """The patch for the build that runs. Raises NoFix."""
    return await asyncio.to_thread(find_fix, issue, root_of(hands.home))  # reads our whole source: not in the loop


async def put_in_force(issue: Issue, process: str, hands: Hands) -> Undo:
    """Write the patch for `process` and its twin, and renew them. Raises CannotHeal, with all taken back."""
    store = OverlayStore(hands.home, hands.clock)
    try:
        fix, scope = await fix_for(issue, hands), scope_of(process)
    except NoFix as error:
        raise CannotHeal(str(error)) from error
    undo = store.plan(scope, fix) | {"process": process}
    hands.keep(undo)
    store.add(undo, fix, issue.fingerprint)
    try:
        await run_with(str(undo["id"]), process, CAUSE, hands)
    except CannotHeal:
        await take_away(undo, hands)
        raise
    return undo


async def take_away(undo: Undo, hands: Hands) -> None:
    """Remove the patch, then renew whoever runs with it. Raises CannotHeal when somebody still does."""
    OverlayStore(hands.home, hands.clock).remove(undo)
    await run_without(str(undo["id"]), str(undo["process"]), UNDONE, hands)
