"""`nae heal`: what went wrong, what was done about it, and a person's word on it. The manager carries it out; while
none runs, the command does, under the same lock."""

import getpass
import json as json_text
from typing import Annotated, Any

import typer

from execution.autonomous.healing.answers import ORDERS
from execution.autonomous.healing.idle import answer_idle
from execution.autonomous.healing.persons_word import CannotObey
from execution.autonomous.healing.remedy import folder_of
from execution.console.output import complain, duration, print_json, say, table
from execution.ledger.audit_log import AuditLogger
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import Clock, SystemClock, iso
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import BusyError, ExitCode
from execution.vocabulary.programs import MANAGER

ANSWERED_WITHIN_S = 5.0
CHANGED_WITHIN_S = 90.0  # a revert may renew a process
COLUMNS = ["id", "state", "process", "type", "times", "last", "tried", "what now"]
Id = Annotated[str, typer.Argument(help="A case, as in nae heal list: h3.", show_default=False)]
Change = Annotated[
    str, typer.Argument(help="A case (h3), one change of it (h3.1), its entry in the change log (c17), or all.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

heal = typer.Typer(no_args_is_help=True, help="What healing did and is about to do, and your word on it.")


def told(home: Home, act: str, **arguments: Any) -> dict[str, Any]:
    """What the healer answers. Ends the command when it refuses, or when it is unknown whether it was done."""
    clock = SystemClock()
    words = {"act": act, **arguments}
    deadline = clock.monotonic() + CHANGED_WITHIN_S
    try:
        while (answer := _answer(home, clock, words)).get("pending"):
            if clock.monotonic() >= deadline:
                complain(f"not done after {CHANGED_WITHIN_S:g} s, and goes on; nae heal list says what becomes of it")
                raise typer.Exit(ExitCode.UNAVAILABLE)
    except (Refused, CannotObey) as refusal:
        complain(str(refusal))
        raise typer.Exit(ExitCode.FAILED) from refusal
    return answer


def _answer(home: Home, clock: Clock, words: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(home.run, MANAGER, "heal", clock, deadline_s=ANSWERED_WITHIN_S, **words)
    except NoAnswer as silence:
        try:
            return _idle(home, clock, words)
        except BusyError as busy:
            what = "unknown whether it was done" if words["act"] in ORDERS else "not known"
            complain(f"{what}: {silence} ({busy}); ask again in a moment")
            raise typer.Exit(ExitCode.UNAVAILABLE) from busy


def _idle(home: Home, clock: Clock, words: dict[str, Any]) -> dict[str, Any]:
    """The books themselves; what is changed stands in the audit trail of such commands."""
    if words["act"] not in ORDERS or not folder_of(home).is_dir():
        return answer_idle(home, clock, words)
    trail = AuditLogger(home.audit_trail("nae_heal"), clock, "nae_heal")
    try:
        return answer_idle(home, clock, words, trail.record)
    finally:
        trail.close()


@heal.command("list")
def list_cases(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False, json: AsJson = False
) -> None:
    """The faults in hand, newest first: what was tried, and what you can do now.

    Examples: nae heal list · nae heal list --all

    Exit codes: 0 shown · 69 the manager doesn't answer
    """
    cases = told(Home.find(), "list", all=everything)["cases"]
    if json:
        print_json({"cases": cases})
    elif cases:
        table(COLUMNS, [_line(case) for case in cases], "")
    else:
        say("nothing is in hand" + ("" if everything else "; nae heal list --all shows what is over"))


def _line(case: dict[str, Any]) -> list[Any]:
    tried = ", ".join(f"{one['remedy']} ({one['outcome']})" for one in case["tried"][-3:]) or "-"
    now = case["next"] or case["said"]
    last = iso(case["last_ms"])[:19] if case["last_ms"] else "-"
    return [case["id"], case["state"], case["process"], case["type"], case["count"], last, tried, _one_line(now)]


def _one_line(text: str) -> str:
    first, _, more = text.partition("\n")
    return printable(first + (" ..." if more else ""))


@heal.command("show")
def show_case(case_id: Id, json: AsJson = False) -> None:
    """All about one case: the fault and its evidence, what was tried, what stands in the way, what can be put back.

    Example: nae heal show h3

    Exit codes: 0 shown · 1 there is no such case · 69 the manager doesn't answer
    """
    case = told(Home.find(), "show", id=case_id)["case"]
    if json:
        print_json(case)
        return
    for line in lines_of(case):
        say(printable(line))


def lines_of(case: dict[str, Any]) -> list[str]:
    """One case for a person, line by line."""
    issue = case["issue"]
    context = ", ".join(f"{key} {value}" for key, value in issue["context"].items())
    at = f" at {issue['place']}" if issue["place"] else ""
    found = [
        f"case {case['id']}: {case['state']}" + (f" - {_one_line(case['said'])}" if case["said"] else ""),
        f"  {issue['type']} ({issue['severity']}) in {issue['process']}, fault {issue['fingerprint']}",
        f"  {issue['exception'] or 'seen from outside'}{at}: {issue['template'] or '-'}",
        f"  seen {issue['count']} times, first {iso(issue['first_ms'])}, last {iso(issue['last_ms'])}",
        *([f"  with {context}"] if context else []),
        *([f"  most likely: {issue['cause']}"] if issue["cause"] else []),
        *[f"    {frame}" for frame in issue["frames"]],
        *([f"  it came back {case['recurrences']} times after a fix"] if case["recurrences"] else []),
    ]
    for one in case["tried"]:
        found.append(f"  tried {one['id']} {one['remedy']}: {one['outcome']}{_details(one)}")
        if one["id"] in case["standing"]:
            found += [f"    before: {json_text.dumps(case['standing'][one['id']], sort_keys=True)[:2000]}"]
            found += [f"    put it back: nae heal revert {one['id']}"]
    for remedy, why in case["obstacles"].items():
        found += [f"  {remedy} can't be tried:", *[f"    {line}" for line in why.splitlines()]]
    if case["waits_for"]:
        found.append(f"  {case['waits_for']} waits for your word; it would do this:")
        found += [f"    {line}" for line in case["plan"].splitlines()]
    return [*found, *([f"next: {case['next']}"] if case["next"] else [])]


def _details(one: dict[str, Any]) -> str:
    parts = [one["why"], f"{duration(one['seconds'])} from the fault to its end" if one["seconds"] else ""]
    parts += ["by supervision" if one["by_supervision"] else "", "tried for the sake of learning" * one["explored"]]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or colour: some of it was written by strangers."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


@heal.command("approve")
def approve(case_id: Id, json: AsJson = False) -> None:
    """Say yes: to what waits for you, this once; of what was rejected or given up, to beginning again.

    Example: nae heal approve h3

    Exit codes: 0 said · 1 it makes no sense now · 69 the manager doesn't answer
    """
    _say_word("approve", case_id, json)


@heal.command("reject")
def reject(case_id: Id, json: AsJson = False) -> None:
    """Say no: nothing is done about it any more, until nae heal approve. What was done stays: nae heal revert.

    Example: nae heal reject h3

    Exit codes: 0 said · 1 it makes no sense now · 69 the manager doesn't answer
    """
    _say_word("reject", case_id, json)


def _say_word(word: str, case_id: str, json: bool) -> None:
    case = told(Home.find(), word, id=case_id, by=getpass.getuser())["case"]
    if json:
        print_json(case)
    else:
        say(printable(f"{case['id']} is {case['state']}" + (f": {_one_line(case['said'])}" if case["said"] else "")))


@heal.command("revert")
def revert(change: Change, json: AsJson = False) -> None:
    """Put back what healing changed, to the byte; it isn't done again until nae heal approve.

    Examples: nae heal revert h3 · nae heal revert c17 · nae heal revert all

    Exit codes: 0 put back · 1 nothing of it stands, or it couldn't be put back · 69 the manager doesn't answer
    """
    answer = told(Home.find(), "revert", id=change, by=getpass.getuser())
    done, failed = answer["reverted"], answer.get("failed", [])
    if json:
        print_json({"reverted": done, "failed": failed})
    elif done or not failed:
        say("\n".join(f"put back: {printable(one)}" for one in done) or "nothing stands that could be put back")
    for one in failed:
        complain(f"not put back: {one}")
    if failed:
        raise typer.Exit(ExitCode.FAILED)
