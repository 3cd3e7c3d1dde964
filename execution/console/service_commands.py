"""nae service: the operation under launchd or systemd, across crashes, logouts and reboots."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from execution.autonomous.service import NeedsRights, ServiceFailed, ServiceKeeper
from execution.autonomous.service_files import Kind, text_of
from execution.autonomous.service_state import ServiceState, in_words
from execution.console.output import complain, errors, print_json, say
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ExitCode
from execution.vocabulary.modes import OperationMode

KINDS, MODES = list(Kind), list(OperationMode)
KindOption = Annotated[str, typer.Option("--kind", help=f"{', '.join(KINDS)}; what this machine has when not given.")]
ModeOption = Annotated[str, typer.Option("--mode", help="dual, sandbox or live.")]
UserOption = Annotated[str, typer.Option("--user", help="Who it runs as, never root; you when not given.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

service = typer.Typer(
    help="Keep the operation alive across crashes and reboots, by launchd or systemd.", no_args_is_help=True
)


def _kind(keeper: ServiceKeeper, kind: str) -> Kind:
    if kind and kind not in KINDS:
        complain(f"unknown kind {kind!r}; one of {', '.join(KINDS)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    return Kind(kind) if kind else keeper.usual_kind()


def _mode(mode: str) -> OperationMode:
    if mode not in MODES:
        complain(f"unknown mode {mode!r}; one of {', '.join(MODES)} would be right")
        raise typer.Exit(ExitCode.USAGE)
    return OperationMode(mode)


def _told(problem: NeedsRights | ServiceFailed, json: bool) -> typer.Exit:
    commands = problem.commands if isinstance(problem, NeedsRights) else []
    if json:
        print_json({"ok": False, "problem": str(problem), "commands": commands})
    elif commands:
        complain("this needs root's rights; type:")
        for line in commands:
            say(line)
    else:
        complain(str(problem))
    return typer.Exit(ExitCode.OS_ERROR if commands else ExitCode.FAILED)


@service.command("print")
def print_file(kind: KindOption = "", mode: ModeOption = "dual", user: UserOption = "", json: AsJson = False) -> None:
    """Show the file as it would be installed. Needs no rights and changes nothing.

    Examples: nae service print · nae service print --kind systemd --user trader > nae.service

    Exit codes: 0 shown · 64 unknown kind or mode · 78 a user or a path that can't be
    """
    keeper = ServiceKeeper(Home.find())
    plan = keeper.plan(_kind(keeper, kind), _mode(mode), user)
    for note in keeper.notes(plan):
        errors.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)
    if json:
        print_json({"kind": plan.kind, "file": str(keeper.places.of(plan.kind)), "text": text_of(plan)})
    else:
        typer.echo(text_of(plan), nl=False)


@service.command()
def install(kind: KindOption = "", mode: ModeOption = "dual", user: UserOption = "", json: AsJson = False) -> None:
    """Put the service in place and start it; again: put it in place anew. Without rights: the commands to type.

    Examples: nae service install · sudo scripts/nae service install --user trader --mode live

    Exit codes: 0 runs · 1 launchd or systemd said no · 64 unknown kind or mode · 71 needs rights (commands are shown) ·
    75 an operation runs by hand, or the service is another home's · 78 a user or a path that can't be
    """
    keeper = ServiceKeeper(Home.find())
    plan = keeper.plan(_kind(keeper, kind), _mode(mode), user)
    for note in keeper.notes(plan):
        errors.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)
    try:
        keeper.install(plan, _step(json))
    except (NeedsRights, ServiceFailed) as problem:
        raise _told(problem, json) from problem
    _show(keeper.state(plan.kind), json)


@service.command()
def uninstall(kind: KindOption = "", json: AsJson = False) -> None:
    """Stop the service (and with it the operation) and take its file away. What was traded stays.

    Exit codes: 0 gone, or there was none · 1 launchd or systemd said no · 71 needs rights (commands are shown) ·
    75 it is another home's
    """
    keeper = ServiceKeeper(Home.find())
    chosen = _kind(keeper, kind) if kind else keeper.found().kind
    try:
        was_there = keeper.uninstall(chosen, _step(json))
    except (NeedsRights, ServiceFailed) as problem:
        raise _told(problem, json) from problem
    if json:
        print_json({"ok": True, "was_installed": was_there})
    else:
        say("uninstalled" if was_there else "no service was installed")


@service.command()
def status(kind: KindOption = "", json: AsJson = False) -> None:
    """What launchd or systemd says of the service, and whether the running operation is its own.

    Exit codes: 0 runs and owns this operation · 69 it doesn't, or there is none
    """
    keeper = ServiceKeeper(Home.find())
    state = keeper.state(_kind(keeper, kind)) if kind else keeper.found()
    _show(state, json)
    if not (state.running and state.owns):
        raise typer.Exit(ExitCode.UNAVAILABLE)


def _show(state: ServiceState, json: bool) -> None:
    if json:
        print_json(asdict(state) | {"text": in_words(state)})
    else:
        say(in_words(state))


def _step(json: bool) -> Callable[[str], None]:
    def said(line: str) -> None:
        if not json:
            errors.print(f"· {line}", markup=False, soft_wrap=True)

    return said
