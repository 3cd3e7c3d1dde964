"""The bugs that the proof plants, as lines of source: one for each kind of fault that comes from code, and one for what
an exchange says of its own accord. Data only.
"""

from benchmarks.healing_planting import Bug

SIGNALS = "execution/trading/assistants/signal_generation.py"
STEP = "step = STRATEGIES[self.strategy].step"
DOORS = "execution/venue/request_faults.py"
DOOR = "trades = request.startswith(TRADES) or TRADES_BY_SOCKET.match(request)"
AN_ORDER = 'request in ("POST /api/v3/order", "WS order.place")'
LEAKED = "30 * 2**20"  # bytes at each bar: some seconds until the ceiling is near
OPENED = 25  # files at each bar: slowly enough to be seen on their way
SAID = "said.json"  # in the home: what the venue answers to the next signed requests, while the bug `said` is on


def _in_strategy(name: str, strategy: str, line: str) -> Bug:
    return Bug(name, SIGNALS, STEP, (line,), when=f'self.strategy == "{strategy}"')


def _refusal(name: str, code: int, text: str) -> Bug:
    return Bug(name, DOORS, DOOR, (f"raise errors.ApiError({code}, {text})",), when=AN_ORDER)


BUGS = (
    Bug("import", SIGNALS, STEP, ("json.dumps(self.params)",)),
    _in_strategy("attribute", "trend", "series.newest_close_price"),
    _in_strategy("key", "micro_profit", '{"open": 1.0}["close_time"]'),
    _in_strategy("unknown", "mean_reversion", 'raise RuntimeError("bars older than what was learned of them")'),
    Bug("memory", SIGNALS, STEP, (f'globals().setdefault("kept", []).append(b"x" * ({LEAKED}))',)),
    Bug("files", SIGNALS, STEP, (f'globals().setdefault("left", []).extend(map(open, ["/dev/null"] * {OPENED}))',)),
    Bug(
        "line",
        "execution/exchange/client.py",
        "return await getattr(self, method)(parameters or {})",
        ('raise _with_failure(BaseError("broken"), Failure("NetworkError"))',),
        when='self.session and globals().setdefault("first_line", self.session) is self.session',
    ),
    Bug("syntax", "agents/accelerator.py", "class AcceleratorAgent:", ('compile("def step(:", "step.py", "exec")',)),
    _refusal("funds", -2010, '"Account has insufficient balance for requested action."'),
    _refusal("smallest", -1013, '"Filter failure: NOTIONAL"'),
    Bug(
        "said",
        DOORS,
        DOOR,
        (
            "import json, os, pathlib",
            f'said = pathlib.Path(os.environ["NAE_HOME"], "{SAID}")',
            "texts = json.loads(said.read_text())",
            "said.write_text(json.dumps(texts[1:]))",
            "if texts: raise errors.ApiError(-1099, texts[0])",
        ),
    ),
)
