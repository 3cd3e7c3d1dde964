"""What launchd and systemd are told about the operation: one description, the text of either file, and the commands
that put it in place or take it away. Pure: nothing is written and nothing runs here (service.py does).

No secret is ever in these files: anybody may read them, and both managers show their environment to whoever asks.
"""

import plistlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from execution.vocabulary.exit_codes import ConfigError
from execution.vocabulary.limits import STOP_ALL_WITHIN_S
from execution.vocabulary.modes import OperationMode

LABEL = "com.nae.continuous"
UNIT = "nae.service"
START_SCRIPT = "scripts/init_continuous_operation.sh"
STOP_WITHIN_S = 2 * round(STOP_ALL_WITHIN_S)
WATCHDOG_S = 10  # fed from supervisord's loop; it matters where supervisord and the manager both hang
START_WITHIN_S = 90
RETRY_S = 2
MADE_BY = "Made by `scripts/nae service print`; `scripts/nae service install` puts it in place. Never run it as root."


class Kind(StrEnum):
    """Who keeps the operation: launchd, systemd, or one user's own systemd."""

    LAUNCHD = "launchd"
    SYSTEMD = "systemd"
    SYSTEMD_USER = "systemd-user"


@dataclass(frozen=True)
class ServicePlan:
    """The service of one operation. `temp`: the temp folder its sockets are in, when the home's path is too long;
    `state`: the user's folder with the locks of real accounts, which all homes share."""

    kind: Kind
    user: str
    project: Path
    home: Path
    mode: OperationMode = OperationMode.DUAL
    temp: Path | None = None
    state: Path | None = None

    def __post_init__(self) -> None:
        for path in (self.project, self.home):
            if not str(path).isprintable() or str(path).endswith(("\\", " ")) or not path.is_absolute():
                raise ConfigError(f"a service can't name {str(path)!r}; an absolute path of plain characters would do")

    @property
    def command(self) -> tuple[str, ...]:
        """Ends in supervisord by exec, so that supervisord is the service's main process."""
        return str(self.project / START_SCRIPT), str(self.mode), "--foreground"

    @property
    def environment(self) -> dict[str, str]:
        """NAE_SERVICE: the service starts what has died; our own watchers leave that to it. XDG_STATE_HOME: the locks
        of real accounts are where the same user's other operations look for them."""
        known = {"NAE_HOME": str(self.home), "NAE_SERVICE": "1"}
        known |= {"XDG_STATE_HOME": str(self.state.parent)} if self.state else {}
        return known | ({"TMPDIR": str(self.temp)} if self.temp else {})

    @property
    def log(self) -> Path:
        return self.home / "logs" / "continuous_service.log"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that the operation writes in."""
        return self.home / "data", self.home / "logs", *([self.state] if self.state else [])


def text_of(plan: ServicePlan) -> str:
    """The file as its manager reads it."""
    return plist(plan) if plan.kind is Kind.LAUNCHD else unit(plan)


def plist(plan: ServicePlan) -> str:
    """The LaunchDaemon. An end with status 0 (`nae down`) is wanted and stays; any other is undone."""
    says: dict[str, Any] = {
        "Label": LABEL,
        "UserName": plan.user,
        "ProgramArguments": list(plan.command),
        "EnvironmentVariables": plan.environment,
        "WorkingDirectory": str(plan.home),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RETRY_S,
        "ExitTimeOut": STOP_WITHIN_S,
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "SoftResourceLimits": {"Core": 0},
        "HardResourceLimits": {"Core": 0},
        "StandardOutPath": str(plan.log),
        "StandardErrorPath": str(plan.log),
    }
    text = plistlib.dumps(says, sort_keys=False).decode()
    return text.replace("<plist ", f"<!-- {MADE_BY} -->\n<plist ", 1)


def word(text: str) -> str:
    """One word of a list in a unit file, quoted; % would be a specifier."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if set(escaped) & set(" \t'\"\\;#") else escaped


def argument(text: str) -> str:
    """One word of a command: there, $ would be a variable."""
    return word(text.replace("$", "$$"))


def _whole(text: str) -> str:
    """A value that takes its whole line."""
    return text.replace("%", "%%")


def unit(plan: ServicePlan) -> str:
    """The systemd unit: of the machine, with User=, or of one user's own manager.

    supervisord says READY=1 and WATCHDOG=1 itself, by the plug-in. One worker out of memory must not stop the others
    (OOMPolicy). Never MemoryDenyWriteExecute: numba writes machine code.
    """
    machine = plan.kind is Kind.SYSTEMD
    lines = [
        f"# {MADE_BY}",
        "[Unit]",
        "Description=NAE, an autonomous trading operation",
        "After=network.target",
        f"RequiresMountsFor={word(str(plan.home))} {word(str(plan.project))}",
        "# it never gives up for ever",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        *([f"User={plan.user}"] if machine else []),
        f"WorkingDirectory={_whole(str(plan.home))}",
        f"ExecStart={' '.join(argument(part) for part in plan.command)}",
        *[f"Environment={word(f'{name}={value}')}" for name, value in plan.environment.items()],
        f"StandardOutput=append:{_whole(str(plan.log))}",
        "StandardError=inherit",
        f"TimeoutStartSec={START_WITHIN_S}",
        f"WatchdogSec={WATCHDOG_S}",
        "# a requested stop ends with 0 and stays; a crash, a kill or a hang doesn't",
        "Restart=on-failure",
        f"RestartSec={RETRY_S}",
        "KillMode=mixed",
        f"TimeoutStopSec={STOP_WITHIN_S}",
        "OOMPolicy=continue",
        "UMask=0077",
        "LimitCORE=0",
        "",
        *(_hardened(plan) if machine else _hardened_without_rights()),
        "",
        "[Install]",
        f"WantedBy={'multi-user.target' if machine else 'default.target'}",
    ]
    return "\n".join(lines) + "\n"


def _hardened_without_rights() -> list[str]:
    """What a user's own manager can enforce too."""
    return [
        "NoNewPrivileges=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged",
        "SystemCallErrorNumber=EPERM",
    ]


def _hardened(plan: ServicePlan) -> list[str]:
    writable = [str(path) for path in (*plan.folders, plan.temp) if path and path != plan.state]
    if plan.state:
        writable.append(f"-{plan.state}")  # - : it may not be there
    return [
        *_hardened_without_rights(),
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "# the code and nae.toml are read, never written",
        f"ReadWritePaths={' '.join(map(word, writable))}",
        *([] if plan.temp else ["PrivateTmp=yes"]),
        "PrivateDevices=yes",
        "DevicePolicy=closed",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectProc=invisible",
        "KeyringMode=private",
        "RemoveIPC=yes",
    ]


def home_in(text: str, kind: Kind) -> Path | None:
    """Whose home an installed file is for; None when it isn't one of ours."""
    if kind is Kind.LAUNCHD:
        try:
            folder = plistlib.loads(text.encode()).get("WorkingDirectory")
        except (plistlib.InvalidFileException, ValueError):
            return None
        return Path(folder) if isinstance(folder, str) else None
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "WorkingDirectory":
            return Path(value.replace("%%", "%"))
    return None


def systemctl(kind: Kind) -> tuple[str, ...]:
    """The command that talks to this systemd."""
    return ("systemctl", "--user") if kind is Kind.SYSTEMD_USER else ("systemctl",)


def install_steps(kind: Kind, staged: Path, target: Path, loaded: bool) -> list[tuple[str, ...]]:
    """The commands, in order, that put the staged file in place and start the service, or start it anew."""
    if kind is Kind.LAUNCHD:
        return [
            *([("launchctl", "bootout", f"system/{LABEL}")] if loaded else []),
            ("install", "-m", "644", "-o", "root", "-g", "wheel", str(staged), str(target)),
            ("launchctl", "enable", f"system/{LABEL}"),
            ("launchctl", "bootstrap", "system", str(target)),
        ]
    control = systemctl(kind)
    return [
        *([("mkdir", "-p", str(target.parent))] if kind is Kind.SYSTEMD_USER else []),
        ("install", "-m", "644", str(staged), str(target)),
        (*control, "daemon-reload"),
        (*control, "enable", UNIT),
        (*control, "restart", UNIT),
    ]


def uninstall_steps(kind: Kind, target: Path, loaded: bool) -> list[tuple[str, ...]]:
    """The commands, in order, that stop the service and take its file away."""
    if kind is Kind.LAUNCHD:
        bootout = [("launchctl", "bootout", f"system/{LABEL}")] if loaded else []
        return [*bootout, ("rm", "-f", str(target))]
    control = systemctl(kind)
    return [(*control, "disable", "--now", UNIT), ("rm", "-f", str(target)), (*control, "daemon-reload")]


def start_command(kind: Kind) -> tuple[str, ...]:
    """What brings the service back after `nae down`."""
    if kind is Kind.LAUNCHD:
        return "launchctl", "kickstart", "-k", f"system/{LABEL}"
    return *systemctl(kind), "start", UNIT
