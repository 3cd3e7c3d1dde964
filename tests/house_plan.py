"""Where everything in the house may stand: who imports whom, the one door of each dependency, and what has been agreed
as an exception, with its reason. The rules themselves are in house_rules.py."""

import re

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

_BASE = {"vocabulary"}
_GROUND = {"runtime", "vocabulary"}
_BOOKS = {"ledger", *_GROUND}
_TRADE = {"exchange", "research", "learning", *_BOOKS}
_ALL = {"trading", "autonomous", "console", "venue", "agents", *_TRADE}
MAY_IMPORT: dict[str, set[str]] = {
    "vocabulary": _BASE,
    "runtime": _GROUND,
    "venue": {"venue", *_GROUND},
    "ledger": _BOOKS,
    "exchange": {"exchange", *_BOOKS},
    "research": {"research", *_BOOKS},
    "learning": {"learning", "research", *_BOOKS},
    "autonomous": {"autonomous", *_GROUND},
    "trading": {"trading", *_TRADE},
    "console": {"console", "autonomous", "trading", "venue", *_TRADE},  # the venue: `nae venue serve`, by itself
    "agents": _ALL,
    "scripts": _ALL,
}

# a path that ends in .py is one module; one that ends in / is a room
DOORS: dict[str, tuple[str, ...]] = {
    "sqlite3": ("execution/runtime/sqlite.py",),
    "zmq": ("execution/runtime/bus.py",),
    "msgpack": ("execution/runtime/codec.py",),
    "fcntl": ("execution/runtime/locks.py", "execution/autonomous/plug_in/wake_pipe.py"),
    "ctypes": ("execution/runtime/platform.py",),
    "tomllib": ("execution/runtime/config.py",),
    "psutil": ("execution/autonomous/vitals.py", "execution/autonomous/family.py"),  # samples; kin
    "subprocess": (
        "execution/autonomous/launch.py",
        "execution/autonomous/service.py",
        "execution/autonomous/new_build.py",
    ),  # one starts supervisord; the others run launchctl, systemctl and caffeinate, or try and install a new build:
    # none of these starts a worker
    "watchdog": ("execution/autonomous/log_watch.py",),
    "xmlrpc": ("execution/autonomous/supervisor_door.py",),
    "supervisor": ("agents/operation.py", "execution/autonomous/plug_in/"),
    "ccxt": ("execution/exchange/",),
    "aiohttp": (
        "execution/venue/",
        "execution/exchange/",
    ),  # a server; what ccxt stands on
    "numba": ("execution/research/kernels.py",),
    "polars": ("execution/venue/table_file.py", "execution/console/audit_export.py"),  # reads; writes
    "numpy": ("execution/research/", "execution/learning/", "execution/venue/"),
    "libcst": ("execution/autonomous/healing/",),  # reads and edits source text; only the healer needs it
    "rich": ("execution/console/",),
    "typer": ("execution/console/",),
}
FORBIDDEN_IMPORTS = {
    "pickle": "it runs what it reads",
    "marshal": "it trusts what it reads",
    "shelve": "it is pickle in a file",
    "multiprocessing": "supervisord starts every process, nobody else",
}
SPAWNING = {"os.fork", "os.forkpty", "os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.spawnv"}
SPAWNERS: dict[str, str] = {"execution/autonomous/plug_in/spawner.py": "it runs inside supervisord, which starts all"}
PURE_ROOMS = {"research", "learning"}
IMPURE = {"asyncio", "http", "io", "logging", "os", "pathlib", "shutil", "signal", "socket", "sys", "threading", "time"}

CLOCK = "execution/runtime/clock.py"
CLOCK_CALLS = {
    "time.time",
    "time.time_ns",
    "time.sleep",
    "asyncio.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "date.today",
    "datetime.date.today",
}

# module -> how many handlers may catch everything there, and why
CATCH_ALL: dict[str, tuple[int, str]] = {
    "execution/runtime/bus.py": (1, "the boundary of a command: its sender gets the error"),
    "execution/runtime/tasks.py": (1, "the boundary of a task: counted, and the next run comes"),
    "execution/runtime/errors.py": (1, "an error whose own text raises is counted all the same"),
    "execution/runtime/sqlite.py": (1, "rolls back and raises again"),
    "execution/ledger/store.py": (1, "gives its lock back and raises again"),
    "execution/trading/system.py": (1, "the boundary of a start: counted, and recovery is tried again"),
    "execution/trading/manager.py": (1, "the boundary of half a cycle: counted, and the other half goes on"),
    "execution/trading/assistants/order_execution.py": (1, "the boundary of an entry: counted, and the others go on"),
    "execution/trading/assistants/signal_generation.py": (1, "the boundary of one strategy: counted, others go on"),
    "execution/autonomous/healing/boundary.py": (1, "the boundary of a remedy: it has failed, the next is tried"),
    "execution/exchange/client.py": (1, "the boundary of a callback: the task that listens gets the error"),
    "execution/venue/rest.py": (1, "the boundary of a request: counted, and its sender gets an answer"),
    "execution/venue/server.py": (1, "a start that gives everything back, then raises"),
    "execution/venue/web_sockets.py": (1, "the boundary of a message: counted, and its sender gets an answer"),
    "agents/ralph.py": (1, "the boundary of one symbol's study: the round's error in the end, and the others go on"),
    "agents/process.py": (1, "the boundary of the process"),
    "agents/context.py": (1, "the boundary of a process's background work"),
}

MONEY_ROOMS = {"vocabulary", "ledger", "exchange", "trading", "console", "agents"}
MONEY_WORDS = {
    "price", "quantity", "fee", "fees", "balance", "equity", "value", "cost", "notional", "pnl", "amount", "cash",
    "bid", "ask", "exposure",
}  # fmt: skip
RESEARCHED_IN_FLOATS: dict[str, str] = {
    "execution/trading/assistants/signal_generation.py": "runs the researched step functions, bit for bit",
    "execution/trading/sell_coordinator.py": "runs the researched exits, bit for bit",
    "execution/trading/exit_rules.py": "runs the researched exits, bit for bit",
    "execution/trading/proposals.py": "a cost there is a share of the price, as research counts it",
    "execution/trading/watches.py": "runs the researched exits, bit for bit",
}

BANNED_WORDS = {"enhanced", "legacy", "util", "utils", "helper", "helpers", "misc", "stuff", "manager2"}
BANNED_PARTS = re.compile(r"_v\d+(_|$)|unified_new|_COMPLETE\b")
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(work|root)/")
