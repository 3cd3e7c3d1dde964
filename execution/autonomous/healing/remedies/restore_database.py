"""A database of an account is damaged: its trader restores it at its start (a ledger from the newest sound backup, the
journal and the venue's word; what was learned from the ledger), so it is renewed, unless it has just done so; and it
counts as restored only once the books agree with the venue. Opens no database: only its writer may.

The damaged files are kept beside, byte for byte. They are never put back: an account that trades on them forgets.
"""

from pathlib import Path
from typing import Any

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from execution.vocabulary.programs import BY_NAME, PROGRAMS

PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
NO_DAMAGE = {  # by the type of the error: nothing that a new life would mend
    "LedgerTaken": "somebody else has the ledger by now: there is nothing to restore",
    "LedgerFromLater": "a newer build has written the ledger: nae upgrade to it, or go back to its backup",
}
AGREES_WITHIN_S = 60.0
LOOK_S = 0.25
RESTORED_LATELY_S = 120.0  # before it was reported: it stands at the beginning of a process's life
KEPT = ("replaced-*", "*.unreadable")  # a ledger's files; what was learned


class RestoreDatabase:
    """See the module."""

    name = "restore_database"
    what = "has a damaged ledger or knowledge file restored by its trader, and waits until the books agree"

    def __init__(self) -> None:
        terms = Terms(budget=2, window_s=3600.0, cool_down_s=60.0, reverted_when_useless=False, deadline_s=120.0)
        self.fits = {IssueType.DATABASE: terms}

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        code = issue.context.get("code", "")
        if code.startswith(PASSING):
            return f"{code}: the database is in use, or the disk refuses: that may pass, and isn't damage"
        if issue.exception in NO_DAMAGE:
            return NO_DAMAGE[issue.exception]
        program = BY_NAME.get(issue.process)
        if program is None or program.account is None:
            return f"{issue.process} only reads databases of others"
        return ""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        account = BY_NAME[issue.process].account
        assert account is not None, "the obstacle says so"
        before = kept_aside(hands.home, account)
        lately = [name for name, at_s in before.items() if at_s >= issue.last_ms / 1000 - RESTORED_LATELY_S]
        undo: Undo = {"account": account, "aside": lately, "renewed": ""}
        if not lately:
            holder = await _holder(account, hands)
            await hands.renew(holder, "a database of its account is damaged")
            undo["renewed"] = holder
            undo["aside"] = sorted(set(kept_aside(hands.home, account)) - set(before))
        await _agree(account, hands)
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        if undo["aside"]:
            kept = ", ".join(str(hands.home.account(undo["account"]) / name) for name in undo["aside"])
            raise CannotHeal(f"a damaged database is never traded on again; it is kept as it was: {kept}")


def kept_aside(home: Home, account: str) -> dict[str, float]:
    """What damaged databases of an account have left, by name: when it was put aside, wall-clock seconds."""
    folder = home.account(account)
    found: list[Path] = [path for pattern in KEPT for path in folder.glob(pattern)]
    return {path.name: path.stat().st_ctime for path in found}


async def _holder(account: str, hands: Hands) -> str:
    """The process that writes the account's databases. Raises CannotHeal."""
    silence = ""
    for program in PROGRAMS:
        if program.account == account:
            try:
                if (await _facts(program.name, hands)).get("role") == "active":
                    return program.name
            except CannotHeal as problem:
                silence = str(problem)
    raise CannotHeal(f"nobody holds the account {account} now: {silence or 'a standby is about to'}")


async def _agree(account: str, hands: Hands) -> None:
    """Wait until whoever holds the account has reconciled its books. Raises CannotHeal."""
    deadline, problem = hands.clock.monotonic() + AGREES_WITHIN_S, ""
    while hands.clock.monotonic() < deadline:
        try:
            facts = await _facts(await _holder(account, hands), hands)
        except CannotHeal as silence:
            problem = str(silence)
        else:
            if facts.get("reconciled"):
                return
            problem = "the restored books don't agree with the venue yet"
        await hands.clock.sleep(LOOK_S)
    raise CannotHeal(f"{problem}: nothing is bought until they do; nae status tells more")


async def _facts(process: str, hands: Hands) -> dict[str, Any]:
    return dict((await hands.ask(process, "heartbeat"))["facts"])


RESTORE_DATABASE = RestoreDatabase()
