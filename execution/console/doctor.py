"""nae doctor: looks at the ground and changes nothing."""

import importlib.metadata
import sys
from collections.abc import Callable

from execution.autonomous.ground import (
    UnfitError,
    check_config_fits,
    check_disk,
    check_folders,
    check_writable,
    nearest_folder,
)
from execution.runtime.config import load
from execution.runtime.home import PROJECT_ROOT, Home
from execution.runtime.locks import is_held, read_holder
from execution.vocabulary.exit_codes import ConfigError

Finding = tuple[str, bool, str]


def examine(home: Home) -> list[Finding]:
    """Every check as (name, is it well, what was found)."""
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: sys.version.split()[0],
        "packages": _packages,
        "folders": lambda: _folders(home),
        "disk": lambda: "; ".join(check_disk(home)) or "enough room",
        "nae.toml": lambda: _config(home),
        "operation": lambda: _operation(home),
    }
    return [_run(name, check) for name, check in checks.items()]


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return name, True, check()
    except (ConfigError, UnfitError, OSError) as error:
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


def _folders(home: Home) -> str:
    if not home.root.exists():
        check_writable(nearest_folder(home.root))
        return f"{home.root} doesn't exist yet; the first start makes it"
    check_folders(home)
    return str(home.root)


def _config(home: Home) -> str:
    config = load(home.config_file)
    if not is_held(home.operation_lock):
        check_config_fits(config, home)
    return f"market {config.venue.market} at {config.venue.speed:g}x"


def _operation(home: Home) -> str:
    lock = home.operation_lock
    if is_held(lock):
        return f"running, {read_holder(lock)}"
    return f"not running; stale pid file {home.pid_file}" if home.pid_file.exists() else "not running"
