"""Databases of a real trader, really damaged: restored by the trader, proved by the venue's word, the damage kept."""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from execution.autonomous.healing.remedies.restore_database import RESTORE_DATABASE, kept_aside
from execution.autonomous.healing.remedy import CannotHeal
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.family_hands import FamilyHands, issue_of
from tests.autonomous.healing.idle_hands import QuietHands
from tests.chaos.family import Family, family_in
from tests.chaos.test_kills import paused
from tests.support import eventually, eventually_async

TRADER = "sandbox_optimus"
LATER_MS = 2**43


def garble(path: Path) -> bytes:
    """Overwrite much of a file that nobody has open; what it is then."""
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[:half] = b"\xa5" * half
    path.write_bytes(content)
    return bytes(content)


def has_traded(family: Family, fills: int) -> bool:
    report = family.report("sandbox")
    return bool(report and report.reconciled and report.fills >= fills)


async def errors_of(hands: FamilyHands) -> list[dict[str, Any]]:
    try:
        return list((await hands.ask(TRADER, "heartbeat"))["errors"])
    except CannotHeal:
        return []


def test_a_damaged_ledger_and_knowledge_file_are_restored_and_kept_as_they_were(tmp_path: Path) -> None:
    async def heal(family: Family, hands: FamilyHands, kinds: Iterable[str]) -> dict[str, Any]:
        async def reported() -> list[dict[str, Any]]:
            return [row for row in await errors_of(hands) if row["kind"] in kinds]

        (row,) = await eventually_async(reported, 20, every_s=0.1)
        issue = issue_of(IssueType.DATABASE, TRADER, context=row["context"], last_ms=hands.clock.now_ms())
        assert not await RESTORE_DATABASE.obstacle(issue, hands)
        return await RESTORE_DATABASE.apply(issue, hands)

    with family_in(tmp_path / "home", seed=5, speed=2000) as family:
        hands, account = FamilyHands(family), family.home.account("sandbox")
        family.start("venue", TRADER)
        eventually(lambda: has_traded(family, 6), 40)

        family.stop(TRADER)
        damaged = garble(family.home.ledger("sandbox"))
        family.start(TRADER)
        undo = asyncio.run(heal(family, hands, ("LedgerUntrusted",)))
        assert undo["renewed"] == "", "it had restored it already: nothing was done to it twice"
        (aside,) = undo["aside"]
        assert (account / aside / "ledger.db").read_bytes() == damaged
        assert has_traded(family, 6)
        with pytest.raises(CannotHeal, match=f"never traded on again; it is kept as it was: .*{aside}"):
            asyncio.run(RESTORE_DATABASE.revert(undo, hands))

        family.stop(TRADER)
        damaged = garble(account / "knowledge.db")
        family.start(TRADER)
        undo = asyncio.run(heal(family, hands, ("DatabaseError",)))
        assert "knowledge.db.unreadable" in undo["aside"]
        assert (account / "knowledge.db.unreadable").read_bytes() == damaged
        assert (account / "knowledge.db").exists()

        later = issue_of(IssueType.DATABASE, TRADER, exception="LedgerDamaged", last_ms=LATER_MS)
        undo = asyncio.run(RESTORE_DATABASE.apply(later, hands))
        assert (undo["renewed"], undo["aside"]) == (TRADER, []), "found while it ran: it is renewed, and looks itself"
        asyncio.run(RESTORE_DATABASE.revert(undo, hands))
        eventually(partial(paused, family, TRADER), 30)
        eventually(partial(family.is_quiet, "sandbox"), 60)
        family.stop(TRADER)
        family.stop("venue")
        family.is_sound()


@pytest.mark.parametrize(
    ("process", "exception", "code", "said"),
    [
        (TRADER, "OperationalError", "SQLITE_BUSY_SNAPSHOT", "that may pass"),
        (TRADER, "OperationalError", "SQLITE_FULL", "that may pass"),
        (TRADER, "LedgerTaken", "", "somebody else has the ledger"),
        (TRADER, "LedgerFromLater", "", "a newer build has written the ledger"),
        ("ralph", "DatabaseError", "SQLITE_CORRUPT", "only reads databases of others"),
        ("nobody", "DatabaseError", "", "only reads databases of others"),
    ],
)
def test_what_is_no_damage_and_who_only_reads_is_left_alone(
    tmp_path: Path, process: str, exception: str, code: str, said: str
) -> None:
    issue = issue_of(IssueType.DATABASE, process, exception=exception, context={"code": code})
    hands = QuietHands(Home(tmp_path))
    assert said in asyncio.run(RESTORE_DATABASE.obstacle(issue, hands))
    assert not kept_aside(hands.home, "sandbox")
