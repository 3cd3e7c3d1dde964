"""nae doctor: looks at the ground and changes nothing."""

import configparser
import importlib.metadata
import os
import pwd
import sys
from collections.abc import Callable

from execution.autonomous.folders import cloud_of
from execution.autonomous.ground import (
    UnfitError,
    check_config_fits,
    check_disk,
    check_folders,
    check_writable,
    nearest_folder,
)
from execution.autonomous.packages import Environment, damage
from execution.autonomous.service import ASKED_WITHIN_S, Runner, ServiceKeeper, run_command
from execution.autonomous.service_state import in_words
from execution.autonomous.supervisor_door import SupervisorDoor, SupervisorUnavailable
from execution.autonomous.supervisord_config import render
from execution.ledger.account_lock import holder_of
from execution.runtime.adjustments import file_in, read, stands
from execution.runtime.bus import NoAnswer, Refused, ask
from execution.runtime.clock import SystemClock
from execution.runtime.config import as_written, load
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import is_held, read_holder
from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.modes import Account, OperationMode

OLDEST_SUPERVISOR = (4, 3, 0)
Finding = tuple[str, bool, str]


def examine(home: Home, deep: bool = False) -> list[Finding]:
    """Every check as (name, is it well, what was found). `deep`: every file of every locked package too."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: sys.version.split()[0],
        "packages": _every_file if deep else _packages,
        "folders": lambda: _folders(home),
        "disk": lambda: "; ".join(check_disk(home)) or "enough room",
        "nae.toml": lambda: _config(home),
        "adjustments": lambda: _adjustments(home),
        "supervisord": lambda: _supervisord(home),
        "user": _user,
        "sleep": lambda: sleep_finding(sys.platform, run_command),
        "service": lambda: in_words(ServiceKeeper(home).found()),
        "operation": lambda: _operation(home),
        "orders": lambda: _orders(home),
    }
    return [_run(name, check) for name, check in checks.items()]


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return name, True, check()
    except (ConfigError, UnfitError, SupervisorUnavailable, OSError) as error:
        return name, False, str(error)


def _packages() -> str:
    """Every locked package that belongs here is installed in the locked version."""
    wrong = []
    for line in (PROJECT_ROOT / "requirements.lock").read_text().splitlines():
        name, equals, rest = line.partition("==")
        if not equals or line.startswith((" ", "#")) or ";" in line:
            continue
        locked = rest.split()[0]
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "nothing"
        if installed != locked:
            wrong.append(f"{name} {installed} (locked: {locked})")
    if wrong:
        raise ConfigError(f"{', '.join(wrong[:5])}; remove .venv and start again to install from the lock")
    return "as locked"


def _every_file() -> str:
    """Every file of every locked package is as its record says."""
    if wrong := damage(Environment.ours()):
        told = "; ".join(f"{name}: {what}" for name, what in list(wrong.items())[:5])
        raise ConfigError(f"{told}; remove .venv and start again to install from the lock")
    return "as locked, every file of them"


def _adjustments(home: Home) -> str:
    """What the operation has changed of its settings by itself, and what nae.toml says there."""
    rows, problem = read(file_in(home.data))
    if problem:
        raise ConfigError(f"{problem}; the last good ones hold, and the next start sets the file aside")
    config = as_written(home.config_file)
    told = [
        f"{row.key.partition('.')[2]} = {row.value} instead of {row.base}"
        + (f" for {row.process}" if row.process else "")
        + f" ({row.id}: {row.cause})"
        for row in rows
        if stands(row, config)
    ]
    return "; ".join(told) or "none: all settings are nae.toml's"


def _folders(home: Home) -> str:
    if not home.root.exists():
        check_writable(nearest_folder(home.root))
        return f"{home.root} doesn't exist yet; the first start makes it"
    check_folders(home)
    if cloud := cloud_of(home.root):
        raise UnfitError(
            f"{home.root} is in {cloud}: it breaks locks and databases; use a folder that isn't synchronised"
        )
    return str(home.root)


def _config(home: Home) -> str:
    config = load(home.config_file)
    if not is_held(home.operation_lock):
        check_config_fits(config, home)
    pace = "as it happens" if config.venue.market.startswith("mirror:") else f"at {config.venue.speed:g}x"
    return f"market {config.venue.market} {pace}"


def _supervisord(home: Home) -> str:
    """New enough, asked for nothing but a private socket, and with our plug-in in it where it runs."""
    version = importlib.metadata.version("supervisor")
    if not new_enough(version):
        raise ConfigError(f"supervisor {version}; {'.'.join(map(str, OLDEST_SUPERVISOR))} or newer would be right")
    if found := open_doors(render(OperationMode.DUAL)):
        raise ConfigError(f"supervisor/supervisord.conf: {found}")
    if not is_held(home.operation_lock):
        return version
    plug_in = SupervisorDoor(home.socket("supervisor.sock")).plug_in()
    if not plug_in.working:
        raise ConfigError(f"{version}, and our plug-in isn't working in it: {plug_in.problem}")
    return f"{version}, our plug-in works"


def new_enough(version: str) -> bool:
    """Is this a supervisor that the plug-in was made for?"""
    numbers = [int(part) for part in version.split(".") if part.isdecimal()]
    return tuple(numbers) >= OLDEST_SUPERVISOR


def open_doors(text: str) -> str:
    """What in a supervisord.conf would let others in; '' when nothing does."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read_string(text)
    if parser.has_section("inet_http_server"):
        return "[inet_http_server] opens supervisord to the network; without that section would be right"
    mode = parser.get("unix_http_server", "chmod", fallback="0700")
    return "" if int(mode, 8) & 0o077 == 0 else f"unix_http_server.chmod = {mode} lets others in; 0600 would be right"


def _user() -> str:
    warning = "; a user of its own would be safer" if os.geteuid() == 0 else ""
    return f"{pwd.getpwuid(os.geteuid()).pw_name}{warning}"


def sleep_finding(platform: str, run: Runner) -> str:
    """On a Mac: will it fall asleep, and come back by itself after a power cut? Advice, never a failure."""
    if platform != "darwin":
        return "not looked at: only a Mac puts services to sleep"
    said = run(("pmset", "-g", "custom"), ASKED_WITHIN_S).text
    settings = dict(line.split()[:2] for line in said.splitlines() if len(line.split()) >= 2)
    advice = []
    if settings.get("sleep", "0") != "0":
        advice.append(f"sleeps after {settings['sleep']} min unless the service holds it off (sudo pmset -a sleep 0)")
    if settings.get("autorestart", "1") == "0":
        advice.append("stays off after a power cut (sudo pmset -a autorestart 1)")
    return "; ".join(advice) or "never sleeps, and comes back after a power cut"


def _orders(home: Home) -> str:
    """Could any order pass all limits, filters and balances? As the traders know it, who see the market."""
    told = {}
    for account in Account:
        holder = holder_of(home, account)
        if holder:
            try:
                told[account] = str(ask(home.run, holder, "status", SystemClock()).get("infeasible") or "")
            except (NoAnswer, Refused) as error:
                return f"not known: {error}"
    if wrong := "; ".join(f"{account}: {why}" for account, why in told.items() if why):
        raise UnfitError(wrong)
    return f"some order can pass on {' and '.join(told)}" if told else "not looked at: no trader runs"


def _operation(home: Home) -> str:
    lock = home.operation_lock
    if is_held(lock):
        return f"running, {read_holder(lock)}"
    return f"not running; stale pid file {home.pid_file}" if home.pid_file.exists() else "not running"
