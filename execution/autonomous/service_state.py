"""What launchd and systemd say of the service, read from their own words. Pure."""

import re
from dataclasses import dataclass

from execution.autonomous.service_files import LABEL, UNIT, Kind, start_command

SHOWN = ("LoadState", "ActiveState", "SubState", "MainPID", "NRestarts", "Result", "ExecMainStatus", "UnitFileState")


@dataclass(frozen=True)
class ServiceState:
    """One service as its manager sees it. `owns`: the operation of this home is its main process."""

    kind: Kind
    file: str
    installed: bool = False
    loaded: bool = False
    at_boot: bool = False
    running: bool = False
    pid: int | None = None
    restarts: int = 0
    last_end: str = ""
    home: str | None = None
    owns: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        return LABEL if self.kind is Kind.LAUNCHD else UNIT


def question(kind: Kind) -> tuple[str, ...]:
    """The command whose answer read() understands. It changes nothing and needs no rights."""
    if kind is Kind.LAUNCHD:
        return "launchctl", "print", f"system/{LABEL}"
    user = ("--user",) if kind is Kind.SYSTEMD_USER else ()
    return "systemctl", *user, "show", UNIT, f"--property={','.join(SHOWN)}"


def read(kind: Kind, file: str, installed: bool, code: int, answer: str) -> ServiceState:
    """The state, from the manager's exit code and answer."""
    reader = _launchd if kind is Kind.LAUNCHD else _systemd
    return reader(kind, file, installed, code, answer)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _systemd(kind: Kind, file: str, installed: bool, code: int, answer: str) -> ServiceState:
    if code != 0:
        problem = (answer.strip().splitlines() or ["no answer"])[0]
        return ServiceState(kind, file, installed, problem=f"systemctl: {problem}")
    said = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    active, result = said.get("ActiveState", "unknown"), said.get("Result", "")
    return ServiceState(
        kind=kind,
        file=file,
        installed=installed,
        loaded=said.get("LoadState") == "loaded",
        at_boot=said.get("UnitFileState") == "enabled",
        running=active in ("active", "activating", "reloading"),
        pid=_number(said.get("MainPID", "")) or None,
        restarts=_number(said.get("NRestarts", "")),
        last_end="" if result in ("", "success") else f"{result}, status {said.get('ExecMainStatus', '?')}",
    )


def _launchd(kind: Kind, file: str, installed: bool, code: int, answer: str) -> ServiceState:
    if code != 0:  # launchd knows no such service: not an error, it isn't bootstrapped
        return ServiceState(kind, file, installed)

    def field(name: str) -> str:
        found = re.search(rf"^\t{name} = (.*)$", answer, re.MULTILINE)
        return found.group(1).strip() if found else ""

    ended = field("last terminating signal") or field("last exit code")
    return ServiceState(
        kind=kind,
        file=file,
        installed=installed,
        loaded=True,
        at_boot=True,
        running=field("state") == "running",
        pid=_number(field("pid")) or None,
        restarts=max(0, _number(field("runs")) - 1),
        last_end="" if ended in ("", "0", "(never exited)") else ended,
    )


def in_words(state: ServiceState) -> str:
    """The state in one line for a person."""
    if not state.installed and not state.loaded:
        return "no service installed; scripts/nae service install makes the operation survive a reboot"
    if state.problem:
        return f"{state.name} is installed ({state.file}), but {state.problem}"
    if not state.loaded:
        return f"{state.name} is installed ({state.file}) and not loaded; scripts/nae service install loads it"
    boot = "starts at boot" if state.at_boot else "doesn't start at boot"
    again = f", started again {state.restarts}x" if state.restarts else ""
    ended = f", last ended with {state.last_end}" if state.last_end else ""
    if not state.running:
        return f"{state.name} is stopped{ended}, {boot}; start it: {in_shell(start_command(state.kind), state.kind)}"
    owner = "owns this operation" if state.owns else f"runs, but owns another operation ({state.home or 'of whom?'})"
    return f"{state.name} {owner}, pid {state.pid or '?'}, {boot}{again}{ended}"


def in_shell(words: tuple[str, ...], kind: Kind) -> str:
    """A command as it is typed; all but a user's own manager need rights."""
    return " ".join((*(() if kind is Kind.SYSTEMD_USER else ("sudo",)), *words))
