"""What healing did, in the operation's record of changes and in the audit trail: each remedy, revert, escalation, and
each fix once it is verified; with the evidence it rests on."""

import logging
from collections.abc import Callable
from typing import Any

from execution.autonomous.change_log import ChangeLog
from execution.autonomous.healing.cases import Attempt, Case
from execution.autonomous.healing.remedy import Issue
from execution.autonomous.healing.undo_store import Standing
from execution.vocabulary.issues import IssueType, Severity

log = logging.getLogger("nae.healing")


class HealingRecord:
    """One operation's. `audit` takes a kind, what it belongs to, its cause, and fields."""

    def __init__(self, changes: ChangeLog, audit: Callable[..., None] | None = None) -> None:
        self._changes = changes
        self._audit = audit

    def applied(self, case: Case, attempt: Attempt, what: str) -> None:
        """A remedy has been applied."""
        details = {"remedy": attempt.remedy, "at_ms": attempt.applied_ms}
        self._add("remedy", case.issue, attempt.id, what, undo=attempt.standing, explored=attempt.explored, **details)

    def not_applied(self, case: Case, attempt: Attempt) -> None:
        """A remedy couldn't be applied; nothing has changed."""
        fields = {"case": case.id, "remedy": attempt.remedy, "process": case.issue.process, "why": attempt.why}
        log.warning("remedy not applied", extra={"fields": fields})
        self._tell_audit("remedy_not_applied", case.issue, attempt.id, attempt.why)

    def reverted(self, standing: Standing, case: Case | None, why: str) -> None:
        """A change has been put back."""
        issue = (
            case.issue
            if case
            else Issue(
                fingerprint=standing.fingerprint,
                type=IssueType.UNKNOWN,
                severity=Severity.NOTE,
                process=standing.process,
            )
        )
        self._add("revert", issue, standing.id, f"{standing.remedy} put back: {why}")

    def fixed(self, case: Case, attempt: Attempt) -> None:
        """The fault stayed away. A restart by supervision is in the record already."""
        what = f"{attempt.remedy} helped: the fault has stayed away, and the process makes progress"
        if attempt.by_supervision:
            self._tell_audit("fix", case.issue, attempt.id, what)
        else:
            self._add("fix", case.issue, attempt.id, what, seconds=attempt.seconds)

    def recurred(self, case: Case) -> None:
        """A fault that counted as fixed is back."""
        fields = {"case": case.id, "process": case.issue.process, "type": case.issue.type}
        log.warning("the fault is back", extra={"fields": fields})
        self._tell_audit("recurrence", case.issue, case.id, case.issue.cause)

    def escalated(self, case: Case) -> None:
        """A person must see to it."""
        fields = {"case": case.id, "process": case.issue.process, "type": case.issue.type, "tried": case.said}
        log.critical("needs a person: nae heal show %s", case.id, extra={"fields": fields})
        self._add(
            "escalation", case.issue, case.id, f"nothing is left to try ({case.said}); next: nae heal show {case.id}"
        )

    def person(self, word: str, case: str, by: str) -> None:
        """A person has said something."""
        log.info("a person's word", extra={"fields": {"word": word, "case": case, "by": by}})
        if self._audit is not None:
            self._audit("heal_command", case, "", word=word, by=by)

    def has(self, kind: str, attempt: str) -> bool:
        """Is this in the record already?"""
        return any(entry["kind"] == kind and entry.get("heal") == attempt for entry in self._changes.read()["entries"])

    def attempts(self) -> list[str]:
        """The names of all attempts and cases that the record tells of."""
        return [str(entry["heal"]) for entry in self._changes.read()["entries"] if entry.get("heal")]

    def uses(self) -> list[tuple[str, str, int]]:
        """Which remedy was used on which process, and when, as far as the record tells."""
        entries = [one for one in self._changes.read()["entries"] if one["kind"] == "remedy" and one.get("remedy")]
        return [(str(one["remedy"]), str(one["process"]), int(one.get("at_ms", 0))) for one in entries]

    def _add(self, kind: str, issue: Issue, heal: str, what: str, **details: Any) -> None:
        evidence = {
            "exception": issue.exception,
            "place": issue.place,
            "message": issue.template,
            "count": issue.count,
            "in_window": issue.in_window,
        }
        cause = issue.cause or f"{issue.type} in {issue.place or issue.process}"
        fields = {"type": str(issue.type), "fingerprint": issue.fingerprint, "heal": heal}
        try:
            self._changes.add(kind, issue.process, what, cause, **fields, evidence=evidence, **details)
        except OSError as error:  # a full disk must not stop healing: it is said, the record lacks this entry
            log.error("change not recorded", extra={"fields": {"what": what, "error": error}})
        shown = {"process": issue.process, "what": what, "type": issue.type, "heal": heal}
        log.warning(kind, extra={"fields": shown})
        self._tell_audit(kind, issue, heal, what)

    def _tell_audit(self, kind: str, issue: Issue, heal: str, what: str) -> None:
        if self._audit is not None:
            self._audit(
                kind,
                heal.partition(".")[0],
                issue.cause,
                heal=heal,
                what=what,
                process=issue.process,
                type=str(issue.type),
                fingerprint=issue.fingerprint,
            )
