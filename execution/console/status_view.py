"""The whole operation on one screen, from the status document. Pure but for printing."""

from typing import Any

from rich.text import Text

from execution.console.output import cell, duration, say, screen, table
from execution.vocabulary.lifecycle import TradingState
from execution.vocabulary.programs import MASTER


def show_status(status: dict[str, Any]) -> None:
    """Print the status document for a person."""
    if not status["running"]:
        say(status.get("note", "not running"))
        if status.get("accounts"):
            screen.print()
            show_accounts(status["accounts"])
        return
    share = status.get("error_rate", 0)
    screen.print(Text.assemble(f"NAE {status['mode']}  ", cell(status["overall_status"]), f"  errors/min {share}"))
    if status.get("note"):
        say(status["note"], style="yellow")
    for subject, cause in alerts(status).items():
        say(f"alert: {subject}: {cause}", style="bold red")
    if status["processes"]:
        show_processes(status["processes"])
    if status.get("accounts"):
        screen.print()
        show_accounts(status["accounts"])


def alerts(status: dict[str, Any]) -> dict[str, str]:
    """What the master holds to be wrong now: subject to cause."""
    facts = status["processes"].get(MASTER, {}).get("facts") or {}
    found: dict[str, str] = facts.get("alerts") or {}
    return found


def show_processes(processes: dict[str, dict[str, Any]]) -> None:
    """One line per process, with the causes of whatever isn't healthy."""
    rows = [
        [
            name,
            row["status"],
            row["state"],
            row["pid"],
            duration(row["uptime_seconds"]),
            row.get("restarts", 0),
            row["error_count"],
            row.get("rss_mib"),
            "; ".join(row.get("causes", []))[:60],
        ]
        for name, row in processes.items()
    ]
    table(["process", "status", "state", "pid", "up", "restarts", "errors", "MiB", "because"], rows, "no processes")


def show_accounts(accounts: dict[str, dict[str, Any]]) -> None:
    """One line per trading account, and what is to be said about it: why it is paused, whose word this is."""
    names = ["trade_mode", "trading_state", "venue", "equity", "fills", "open_orders", "unknown_orders", "reconciled"]
    rows = [[account, *[facts.get(name) for name in names]] for account, facts in accounts.items()]
    heads = ["account", "mode", "trading", "venue", "equity", "fills", "open", "unknown", "reconciled"]
    table(heads, rows, "no accounts")
    for account, facts in accounts.items():
        reason = facts.get("trading_state_reason") or facts.get("reason")
        if reason and facts["trading_state"] != TradingState.ACTIVE:
            say(f"{account} is {facts['trading_state']}: {reason}")
        if facts.get("note"):
            say(f"{account}: {facts['note']}")


def overdue_tasks(status: dict[str, Any]) -> list[str]:
    """Every task of every process that is overdue, and every process that isn't running, in words."""
    problems = []
    for name, row in status["processes"].items():
        if row["state"] != "running":
            problems.append(f"{name} is {row['state']}: {'; '.join(row.get('causes', [])) or 'no cause given'}")
        problems += [
            f"{name}: task {task['name']} is overdue (last finished {task['last_finished_age_s']} s ago)"
            for task in row.get("tasks", [])
            if task["overdue"]
        ]
    return problems
