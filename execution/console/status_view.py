"""The whole operation on one screen, and what is wrong with it in sentences, from the status document. Pure but for
printing; a part that the document lacks (an older manager, or none) is left out."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from execution.console.output import Fitted, cell, duration, grid, grid_with, screen
from execution.vocabulary.health import HealthStatus
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.programs import BY_NAME, MASTER


def show_status(status: dict[str, Any]) -> None:
    """Print the status document for a person."""
    for part in status_parts(status):
        screen.print(part, soft_wrap=isinstance(part, Text), crop=False)


def status_screen(status: dict[str, Any]) -> Group:
    """The same as one thing to show."""
    return Group(*status_parts(status))


def status_parts(status: dict[str, Any]) -> list[RenderableType]:
    """The operation, its supervisor and its service in a line each; the processes; the accounts."""
    parts: list[RenderableType] = []
    if status["running"]:
        parts.append(_headline(status))
        parts += [Text(line) for line in (keeping(status),) if line]
    if status.get("note") or not status["running"]:
        parts.append(Text(status.get("note", "not running"), style="yellow" if status["running"] else ""))
    service = status.get("service") or {}
    if service.get("installed"):
        parts.append(Text(f"service: {service['text']}"))
    if not status["running"]:
        return parts + (["", *account_parts(status["accounts"])] if status.get("accounts") else [])
    parts += [Text(f"alert: {subject}: {cause}", style="bold red") for subject, cause in alerts(status).items()]
    parts += [Text(f"alert: {problem}", style="bold red") for problem in keeping_problems(status)]
    parts += [Text(line) for line in (in_hand(status), *overlays(status)) if line]
    if status["processes"]:
        parts += process_parts(status["processes"])
    return parts + (["", *account_parts(status["accounts"])] if status.get("accounts") else [])


def _headline(status: dict[str, Any]) -> Text:
    supervisord = status.get("supervisord") or {}
    up = f"  up {duration(supervisord['uptime_seconds'])}" if supervisord.get("uptime_seconds") is not None else ""
    errors = f"  errors/min {status.get('error_rate', 0)}"
    return Text.assemble(f"NAE {status['mode']}  ", cell(status["overall_status"]), up, errors, _builds(status))


def _builds(status: dict[str, Any]) -> str:
    builds = status.get("builds") or {}
    return f"  build {next(iter(builds))[:12]}" if len(builds) == 1 else ""


def keeping(status: dict[str, Any]) -> str:
    """Who keeps whom: supervisord and the plug-in, the live account and its standby."""
    said = []
    if pid := (status.get("supervisord") or {}).get("pid"):
        said.append(f"supervisord {pid}")
    if (status.get("plug_in") or {}).get("working"):
        said.append(f"plug-in works ({status['plug_in'].get('spawn', '?')})")
    live = status.get("live") or {}
    if live.get("holder"):
        epoch = f", epoch {live['epoch']}" if live.get("epoch") is not None else ""
        said.append(f"live held by {live['holder']}{epoch}")
    if live.get("standby_ready"):
        said.append("standby ready")
    return " · ".join(said)


def in_hand(status: dict[str, Any]) -> str:
    """What healing has in hand, in one line; empty when that is nothing."""
    healing = status.get("healing") or {}
    said = [f"{healing['in_hand']} in hand"] if healing.get("in_hand") else []
    for key, words in (("waiting_for_approval", "waiting for approval"), ("escalated", "for a person to see to")):
        if names := healing.get(key):
            said.append(f"{words}: {', '.join(names)}")
    return f"healing: {' · '.join(said)} (nae heal list)" if said else ""


def overlays(status: dict[str, Any]) -> list[str]:
    """Who runs with code that healing has added to, and which of it doesn't fit, a sentence each."""
    said = []
    for name, row in status["processes"].items():
        overlay = (row.get("facts") or {}).get("overlay") or {}
        said += [f"{name} runs with a patch: {module} ({id})" for module, id in overlay.get("in_force", {}).items()]
        said += [f"{name} ignores a patch: {module}: {why}" for module, why in overlay.get("ignored", {}).items()]
    return said


def alerts(status: dict[str, Any]) -> dict[str, str]:
    """What the master holds to be wrong now: subject to cause."""
    facts = status["processes"].get(MASTER, {}).get("facts") or {}
    found: dict[str, str] = facts.get("alerts") or {}
    return found


def process_parts(processes: dict[str, dict[str, Any]]) -> list[RenderableType]:
    """One line per process, and below them the causes of whatever isn't healthy, whole."""
    rows = [
        [
            name,
            row["status"],
            _state(row),
            row.get("role") or (row.get("facts") or {}).get("role"),
            row["pid"],
            duration(row["uptime_seconds"]),
            _restarts(row),
            row["error_count"],
            row.get("rss_mib"),
        ]
        for name, row in processes.items()
    ]
    heads = ["process", "status", "state", "role", "pid", "up", "restarts", "errors", "MiB"]
    narrow = [row[:7] for row in rows]
    table = Fitted(grid_with(2, heads, rows), grid_with(1, heads, rows), grid_with(1, heads[:7], narrow))
    known = ((name, row["state"], "; ".join(row.get("causes", []))) for name, row in processes.items())
    return [table, *(Text(f"{name}: {cause}") for name, state, cause in known if cause not in ("", state))]


def _state(row: dict[str, Any]) -> str:
    if row.get("quarantined"):
        return f"quarantined{_back_in(row)}"
    return f"held{_back_in(row)}" if row.get("held_for_s") is not None else row["state"]


def _back_in(row: dict[str, Any]) -> str:
    return f" {duration(row['held_for_s'])}" if row.get("held_for_s") is not None else ""


def _restarts(row: dict[str, Any]) -> str:
    if "restarts_1h" in row:
        return f"{row['restarts_1h']}/h {row.get('restarts_24h', 0)}/d"
    return str(row.get("restarts", 0))


def account_parts(accounts: dict[str, dict[str, Any]]) -> list[RenderableType]:
    """One line per trading account, and what is to be said about it: why it is paused, whose word this is."""
    names = ["trade_mode", "trading_state", "venue", "equity", "fills", "open_orders", "unknown_orders", "reconciled"]
    rows = [[account, *[facts.get(name) for name in names]] for account, facts in accounts.items()]
    heads = ["account", "mode", "trading", "venue", "equity", "fills", "open", "unknown", "reconciled"]
    parts: list[RenderableType] = [grid(heads, rows)]
    for account, facts in accounts.items():
        reason = facts.get("trading_state_reason") or facts.get("reason")
        if reason and facts["trading_state"] != TradingState.ACTIVE:
            parts.append(Text(f"{account} is {facts['trading_state']}: {reason}"))
        if facts.get("reserve") not in (None, "0"):
            parts.append(Text(f"{account} has put {facts['reserve']} aside: part of its equity, not traded with"))
        if facts.get("note"):
            parts.append(Text(f"{account}: {facts['note']}"))
    return parts


def problems(status: dict[str, Any]) -> list[str]:
    """All that keeps the loops from turning for ever, a sentence each."""
    return [*keeping_problems(status), *overdue_tasks(status)]


def keeping_problems(status: dict[str, Any]) -> list[str]:
    """What is wrong with how the operation is kept, though every process may run."""
    return [*_plug_in_problems(status), *_live_problems(status), *_build_problems(status)]


def _plug_in_problems(status: dict[str, Any]) -> list[str]:
    plug_in = status.get("plug_in")
    if not plug_in or plug_in.get("working"):
        return []
    why = plug_in.get("problem") or "no reason given"
    return [f"the plug-in in supervisord isn't working ({why}): the dead come back after a second, not milliseconds"]


def _live_problems(status: dict[str, Any]) -> list[str]:
    live, processes = status.get("live"), status["processes"]
    twins = [name for name in processes if (known := BY_NAME.get(name)) and known.twin and known.twin in processes]
    if live is None or not any((known := BY_NAME.get(name)) and known.account == "live" for name in processes):
        return []
    if not live.get("holder"):
        return ["nobody holds the live account: it isn't managed"]
    if twins and not live.get("standby_ready"):
        idle = next((name for name in twins if name != live["holder"]), twins[-1])
        return [f"no standby is ready: should {live['holder']} fall, {idle} can't take over at once"]
    return []


def _build_problems(status: dict[str, Any]) -> list[str]:
    builds = status.get("builds") or {}
    if len(builds) < 2:
        return []
    told = "; ".join(f"{build[:12]}: {', '.join(names)}" for build, names in builds.items())
    return [f"builds differ ({told}): live takes no new entries until nae upgrade has finished"]


def overdue_tasks(status: dict[str, Any]) -> list[str]:
    """Every task of every process that is overdue, and every process that isn't running, in words."""
    found = []
    for name, row in status["processes"].items():
        if row.get("stopped_by_operator"):
            found.append(f"{name} was stopped by the operator: nae start {name}")
        elif row.get("quarantined"):
            found.append(f"{name} is in quarantine, it keeps crashing: {_because(row)}; nae start {name} tries it now")
        elif row.get("causes") == [row["state"]]:
            found.append(f"{name} is {row['state']}: not every task of it has finished a run yet")
        elif row["state"] != "running":
            found.append(f"{name} is {_state(row)}: {_because(row)}")
        elif row.get("status") == HealthStatus.CRITICAL:
            found.append(f"{name} is CRITICAL: {_because(row)}")
        found += [
            f"{name}: task {task['name']} is overdue (last finished {task['last_finished_age_s']} s ago)"
            for task in row.get("tasks", [])
            if task["overdue"]
        ]
    return found


def _because(row: dict[str, Any]) -> str:
    return "; ".join(row.get("causes", [])) or "no cause given"
