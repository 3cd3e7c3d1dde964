"""The processes of an operation: their names, what starts them, and in which modes they run."""

from dataclasses import dataclass

from execution.vocabulary.modes import OperationMode

SANDBOX, LIVE, DUAL = OperationMode.SANDBOX, OperationMode.LIVE, OperationMode.DUAL
MANAGER = "continuous_operation"
MASTER = "master_controller"
_LIVE_STANDBY = "live_optimus_standby"


@dataclass(frozen=True)
class Program:
    """One supervisord program. `group` decides the order of stopping: watch, then trade, then market.

    `twin`: the program that takes the account over when this one falls. `nice`: how far it steps back (0 to 19) for
    those that the live account needs.
    """

    name: str
    group: str
    module: str
    arguments: tuple[str, ...] = ()
    modes: frozenset[OperationMode] = frozenset(OperationMode)
    account: str | None = None
    twin: str | None = None
    nice: int = 0

    @property
    def guards(self) -> bool:
        """Is the live account unmanaged without it? Its traders, and the exchange that they trade on."""
        return self.account == "live" or self.group == "market"


PROGRAMS: tuple[Program, ...] = (
    Program("venue", "market", "agents.venue"),
    Program(
        "sandbox_optimus", "trade", "agents.optimus", ("--sandbox",), frozenset({SANDBOX, DUAL}), "sandbox", nice=5
    ),
    Program("live_optimus", "trade", "agents.optimus", ("--live",), frozenset({LIVE, DUAL}), "live", _LIVE_STANDBY),
    Program(
        _LIVE_STANDBY,
        "trade",
        "agents.optimus",
        ("--live", "--standby"),
        frozenset({LIVE, DUAL}),
        "live",
        "live_optimus",
    ),
    Program("ralph", "trade", "agents.ralph", nice=10),
    Program("accelerator_controller", "trade", "agents.accelerator", nice=10),
    Program(MASTER, "watch", "agents.master", nice=5),
    Program(MANAGER, "watch", "agents.manager"),
)
BY_NAME = {program.name: program for program in PROGRAMS}


def is_standby(program: Program) -> bool:
    """Is it the second of a pair of twins?"""
    return program.twin is not None and program.name.endswith("_standby")


def programs_of(mode: OperationMode, standby: bool = True) -> tuple[Program, ...]:
    """The programs that run in `mode`, in the order in which they start; `standby`: the second of a pair too."""
    return tuple(program for program in PROGRAMS if mode in program.modes and (standby or not is_standby(program)))


def optimus_of(account: str) -> str:
    """The name of the process that trades `account`; of twins, the first."""
    return next(program.name for program in PROGRAMS if program.account == account)


def standby_of(account: str) -> str | None:
    """The name of the second of the twins that guard `account`; None where there is no pair."""
    return next((program.name for program in PROGRAMS if program.account == account and is_standby(program)), None)
