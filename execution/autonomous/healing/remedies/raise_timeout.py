"""Requests to the exchange are given up too early: the configured time-out is raised after what was measured, within
bounds that keep every request inside its receive window; who has the trouble is renewed to take it up, its twin first.
"""

import logging
import math
from typing import Any

from execution.autonomous.healing.adjustment_book import AdjustmentBook
from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo
from execution.autonomous.healing.source.patched import renew_by_turns
from execution.runtime.adjustments import AdjustmentsRefused
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.issues import IssueType
from execution.vocabulary.limits import REQUEST_TIMEOUT_MOST_S

log = logging.getLogger("nae.healing")
KEY = "operation.request_timeout_s"
REQUESTS_LEAST = 10  # fewer measured ones tell nothing
OVER_P99 = 1.5  # the time-out is to be so many times what 99 of 100 requests take ...
WHEN_GIVEN_UP = 2.0  # ... and so many times itself while requests are given up: nobody knows what they would take
STEP_S = 0.1
ROUNDING = 1e-9  # of a quotient of floats
PROBED_WITHIN_S = REQUEST_TIMEOUT_MOST_S + 1.0
PROBE_LOOK_S = 0.1


def wanted(line: dict[str, Any], most: float) -> tuple[float, str]:
    """The time-out that these measurements ask for, and their evidence; or 0 and why they ask for none."""
    requests, given_up, now = int(line["requests"]), int(line["given_up"]), float(line["timeout_s"])
    if requests < REQUESTS_LEAST:
        return 0.0, f"only {requests} requests were measured, too few to tell"
    p99 = float(line["p99_s"])
    told = f"of the last {requests} requests {given_up} were given up after {now:g} s, 99 of 100 took up to {p99:.2f} s"
    asked = now * WHEN_GIVEN_UP if given_up else p99 * OVER_P99
    reach = math.floor(most / STEP_S + ROUNDING) * STEP_S
    value = round(min(reach, round(asked / STEP_S) * STEP_S), 1)
    if value < now + STEP_S / 2:
        bound = now > reach - STEP_S / 2
        return 0.0, f"{told}; " + (f"{now:g} s is the most it may be" if bound else "a longer time-out wouldn't help")
    return value, told


class RaiseTimeout:
    """See the module."""

    name = "raise_timeout"
    what = "waits longer for the exchange's answers, after what they take, within bounds"

    def __init__(self) -> None:
        self.fits = {IssueType.TIMEOUT: Terms(after=3, budget=3, quiet_for_s=60.0, deadline_s=150.0)}

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        try:
            line = await self._measured(issue.process, hands)
            value, evidence = self._asked(line, hands)
            if not value and not self._behind(line, hands):
                return evidence
            return await _away(issue.process, hands)
        except CannotHeal as problem:
            return str(problem)

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        line = await self._measured(issue.process, hands)
        if away := await _away(issue.process, hands):
            raise CannotHeal(away)
        undo: Undo = {"adjustment": "", "process": issue.process}
        if not self._behind(line, hands):
            value, evidence = self._asked(line, hands)
            if not value:
                raise CannotHeal(evidence)
            book = AdjustmentBook(hands.home, hands.clock)
            undo["adjustment"] = book.free_id()
            hands.keep(undo)
            try:
                row = book.add(KEY, value, evidence, name=undo["adjustment"])
            except (AdjustmentsRefused, ConfigError, OSError) as error:
                raise CannotHeal(f"the time-out couldn't be raised to {value:g} s: {error}") from error
            undo |= {"before": row.before, "after": row.value, "evidence": evidence}
        try:
            await renew_by_turns(issue.process, "its time-out for requests was raised", hands)
        except CannotHeal:
            await self.revert(undo, hands)
            raise
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        try:
            taken_out = AdjustmentBook(hands.home, hands.clock).revert(str(undo["adjustment"]))
        except OSError as error:
            raise CannotHeal(f"the time-out couldn't be put back: {error}; make room and revert it again") from error
        if taken_out:
            try:
                await renew_by_turns(str(undo["process"]), "its time-out for requests was put back", hands)
            except CannotHeal as problem:  # it is put back: who isn't renewed yet takes it up when it starts
                log.warning("put back, and not taken up yet", extra={"fields": {"why": problem}})

    async def _measured(self, process: str, hands: Hands) -> dict[str, Any]:
        """The line of `process` with the most requests given up. Raises CannotHeal."""
        told = await hands.ask(process, "settings")
        lines = [dict(part["metrics"]) for name, part in told["parts"].items() if name.startswith("line")]
        if not lines:
            raise CannotHeal(f"{process} asks no exchange for anything")
        return max(lines, key=lambda line: int(line["given_up"]))

    def _behind(self, line: dict[str, Any], hands: Hands) -> bool:
        """Was it raised already, and the process hasn't taken it up yet?"""
        try:
            return float(AdjustmentBook(hands.home, hands.clock).value(KEY)) > float(line["timeout_s"]) + STEP_S / 2
        except ConfigError as error:
            raise CannotHeal(str(error)) from error

    def _asked(self, line: dict[str, Any], hands: Hands) -> tuple[float, str]:
        try:
            most = AdjustmentBook(hands.home, hands.clock).bounds(KEY)[1]
        except ConfigError as error:
            raise CannotHeal(str(error)) from error
        return wanted(line, most)


async def _away(process: str, hands: Hands) -> str:
    """Does the exchange answer `process` at all, given all the time that a request may have? Why not; '' when it does:
    in an outage no time-out is too short, and nobody is renewed into it. Raises CannotHeal."""
    before = (await hands.ask(process, "settings", probe=True)).get("probe") or {}
    deadline = hands.clock.monotonic() + PROBED_WITHIN_S
    while hands.clock.monotonic() < deadline:
        await hands.clock.sleep(PROBE_LOOK_S)
        probe = (await hands.ask(process, "settings")).get("probe") or {}
        if probe.get("number") != before.get("number"):
            break
    else:
        return f"{process} couldn't find out whether the exchange answers"
    if probe["answered_s"] is None:
        return "the exchange or the network is away: nothing was answered, however long it was waited for"
    return ""


RAISE_TIMEOUT = RaiseTimeout()
