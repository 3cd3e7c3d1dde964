"""get_status() in the words that DESIGN promises, made of what the manager knows. Says; decides nothing."""

from collections.abc import Mapping
from typing import Any

from execution.autonomous.judgement import overdue
from execution.autonomous.supervisor_door import PlugInState, ProgramState
from execution.autonomous.watched import Watched
from execution.vocabulary.messages import Heartbeat
from execution.vocabulary.programs import BY_NAME


def process_row(name: str, watched: Watched, now: float) -> dict[str, Any]:
    """One process."""
    beat, program, vitals = watched.heartbeat, watched.program, watched.vitals
    return {
        "status": watched.verdict.status,
        "state": beat.state if beat else _state_of(program),
        "pid": program.pid if program and program.pid else None,
        "uptime_seconds": beat.uptime_s if beat else (program.since_s if program else 0.0),
        "error_count": sum(error.count for error in beat.errors) if beat else 0,
        "causes": list(watched.verdict.causes),
        "restarts": watched.restarts,
        "restarts_1h": watched.restarts_in(3600, now),
        "restarts_24h": watched.restarts_in(86_400, now),
        "role": watched.role,
        "held_for_s": None if watched.free_in_s is None else round(watched.free_in_s, 1),
        "quarantined": watched.history.quarantined,
        "stopped_by_operator": watched.stopped_by_operator,
        "build": beat.build if beat else None,
        "rss_mib": vitals.rss_bytes // 2**20 if vitals and program and vitals.pid == program.pid else None,
        "account": BY_NAME[name].account,
        "tasks": _tasks(beat),
        "components": {key: part.status for key, part in beat.components.items()} if beat else {},
        "facts": beat.facts if beat else {},
    }


def plug_in_row(plug_in: PlugInState) -> dict[str, Any]:
    """Our part inside supervisord."""
    return {
        "working": plug_in.working,
        "problem": plug_in.problem,
        "spawn": plug_in.spawn,
        "wakes": plug_in.wakes,
        "held": list(plug_in.held),
    }


def live_row(watched: Mapping[str, Watched]) -> dict[str, Any]:
    """Who has the live account, by what its traders say of themselves."""
    traders = {name: row for name, row in watched.items() if BY_NAME[name].account == "live"}
    holder = next((name for name, row in traders.items() if row.role == "active"), None)
    ready = [bool(row.heartbeat.facts.get("standby_ready")) for row in traders.values() if row.heartbeat and row.pid]
    beat = traders[holder].heartbeat if holder else None
    return {"holder": holder, "epoch": beat.facts.get("epoch") if beat else None, "standby_ready": any(ready)}


def _tasks(beat: Heartbeat | None) -> list[dict[str, Any]]:
    if beat is None:
        return []
    return [
        {
            "name": task.name,
            "period_s": task.period_s,
            "runs": task.runs,
            "failures": task.failures,
            "last_finished_age_s": task.last_finished_age_s,
            "overdue": overdue(task, beat.uptime_s),
        }
        for task in beat.tasks
    ]


def _state_of(program: ProgramState | None) -> str:
    words = {"STOPPED": "stopped", "EXITED": "failed", "FATAL": "failed", "BACKOFF": "failed", "STOPPING": "stopping"}
    return words.get(program.state, "starting") if program else "starting"
