"""What a patched module may be: one of a few that hold no money, with exactly one import more than its original.

Pure. Healing asks before it writes, and every process asks again before it loads: whoever writes into the overlay's
folder can't make a process run more than that. Nothing here finds or makes a patch.
"""

import ast
import builtins
import hashlib
import re
import sys

SOURCE_MAX_BYTES = 100_000
# whose code may be patched, and the folder that its patches are in; twins share one
SCOPES = {
    "sandbox_optimus": "sandbox",
    "live_optimus": "live",
    "live_optimus_standby": "live",
    "ralph": "ralph",
    "accelerator_controller": "accelerator",
}
_STRATEGIES = ("mean_reversion", "micro_profit", "momentum_breakout", "registry", "trend")
_RESEARCH = ("backtest", "bars", "candles", "loop", "regime", "regime_rules", "statistics", "sweep", "windows")
_LEARNING = ("comparison", "conditions", "execution_quality", "knowledge", "order_choice", "order_failures")
_TRADING = ("bars", "decisions", "error_log", "regimes", "report", "universe")
_ASSISTANTS = ("data_analysis", "performance_tracking", "signal_generation")
# what computes, measures, proposes or tells. Nothing that sizes, sends, sells, protects, counts money, keeps a record,
# holds a secret, or heals is in it, and a new module isn't in it until a person puts it here
PATCHABLE = frozenset(
    [f"execution/research/strategies/{name}.py" for name in _STRATEGIES]
    + [f"execution/research/{name}.py" for name in _RESEARCH]
    + [f"execution/learning/{name}.py" for name in _LEARNING]
    + [f"execution/trading/{name}.py" for name in _TRADING]
    + [f"execution/trading/assistants/{name}.py" for name in _ASSISTANTS]
    + ["agents/accelerator.py", "agents/ralph.py"]
)
# what only computes: no file, no process, no line to anywhere, no code from text, no wall clock
PLAIN = {
    "bisect", "collections", "collections.abc", "contextlib", "dataclasses", "decimal", "enum", "fractions",
    "functools", "heapq", "itertools", "json", "math", "msgspec", "operator", "re", "statistics", "string", "textwrap",
    "typing",
}  # fmt: skip
SPEAKING = ("execution/trading/", "agents/")  # the pure rooms say nothing, and know no time
NUMPY_IN = frozenset(
    [f"execution/research/{name}.py" for name in ("backtest", "candles", "statistics")]
    + ["execution/learning/conditions.py"]
)
# of our own code: only from rooms below, so that no circle can come of it
BELOW = {
    "execution/research/": ("execution.vocabulary.",),
    "execution/learning/": ("execution.vocabulary.", "execution.research."),
    "execution/trading/": ("execution.vocabulary.", "execution.research.", "execution.learning."),
    "agents/": ("execution.vocabulary.", "execution.research.", "execution.learning."),
}
TIME = ("from execution.runtime.clock import Clock", "from execution.runtime.clock import iso")
HEAVY = "execution.research.kernels"  # a trader must never pay for it
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=]")
_WORD = r"[A-Za-z][A-Za-z0-9_]*"
_LINE = re.compile(
    rf"import (?P<whole>{_WORD})(?: as (?P<alias>{_WORD}))?"
    rf"|from (?P<module>{_WORD}(?:\.{_WORD})*) import (?P<name>{_WORD})",
    re.ASCII,
)


def digest(data: bytes) -> str:
    """How a source is known."""
    return hashlib.sha256(data).hexdigest()


def path_refusal(path: str) -> str:
    """Why the module in `path`, as seen from the code's root, is never patched; '' when it may be."""
    if path in PATCHABLE:
        return ""
    return f"{path[:200]!r} isn't among the modules that may be patched"


def import_refusal(path: str, line: str) -> str:
    """Why `line` isn't an import that the module in `path` may be given; '' when it is one."""
    found = _LINE.fullmatch(line)
    if found is None:
        return f"{line[:200]!r} isn't one plain import of one thing"
    whole, alias, module, name = found["whole"], found["alias"], found["module"], found["name"]
    if whole == "numpy" and alias == "np" and path in NUMPY_IN:
        return ""
    if alias is not None:
        return f"{line!r} gives a thing another name"
    if name is not None and name in sys.stdlib_module_names:
        return f"{line!r} takes a module out of another one"
    if not _may_import(path, whole or module, line):
        return f"{line!r} imports something that {path} may not be given"
    if bound_by(line) in dir(builtins):
        return f"{line!r} hides a name that Python itself has"
    return ""


def _may_import(path: str, module: str, line: str) -> bool:
    if module in PLAIN:
        return True
    if line == "import logging" or line in TIME:
        return path.startswith(SPEAKING)
    below = next((rooms for room, rooms in BELOW.items() if path.startswith(room)), ())
    return line.startswith("from ") and bool(below) and module.startswith(below) and module != HEAVY


def bound_by(line: str) -> str:
    """The name that an import line makes known; '' when it is no such line."""
    found = _LINE.fullmatch(line)
    return (found["alias"] or found["name"] or found["whole"]) if found else ""


def patch_refusal(path: str, original: bytes, patched: bytes) -> str:
    """Why `patched` may not stand for `original`, the module in `path`; '' when it may."""
    if refused := path_refusal(path):
        return refused
    if max(len(original), len(patched)) > SOURCE_MAX_BYTES:
        return f"a source over {SOURCE_MAX_BYTES} bytes"
    if b"\r" in patched or b"\0" in patched or any(map(_CODING.match, original.split(b"\n")[:2])):
        return "carriage returns, zeros, or an encoding of its own"
    line, refused = _added_line(original, patched)
    refused = refused or import_refusal(path, line)
    if refused:
        return refused
    try:
        return _tree_refusal(ast.parse(original), ast.parse(patched), bound_by(line))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it doesn't parse: {type(error).__name__}"


def _added_line(original: bytes, patched: bytes) -> tuple[str, str]:
    """The one line more; or, second, why it isn't one line more."""
    before, after = original.split(b"\n"), patched.split(b"\n")
    at = next((row for row, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(before))
    if after[:at] + after[at + 1 :] != before or len(after) != len(before) + 1:
        return "", "it differs by more than one added line"
    try:
        return after[at].decode("ascii"), ""
    except UnicodeDecodeError:
        return "", "the added line isn't plain ASCII"


def _tree_refusal(before: ast.Module, after: ast.Module, name: str) -> str:
    old, new = [ast.dump(statement) for statement in before.body], [ast.dump(statement) for statement in after.body]
    at = next((row for row, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    if new[:at] + new[at + 1 :] != old or len(new) != len(old) + 1:
        return "it changes more than the list of imports"
    if ast.get_docstring(before) != ast.get_docstring(after):
        return "it changes the docstring"
    if not all(_opens(statement) for statement in after.body[:at]):
        return "the import stands below other code"
    if any(isinstance(below, ast.ImportFrom) and below.module == "__future__" for below in after.body[at + 1 :]):
        return "the import stands before one from __future__"
    if name in bound_names(before):
        return f"{name!r} is already bound somewhere in it"
    if name not in loaded_names(before):
        return f"nothing in it uses {name!r}"
    return ""


def _opens(statement: ast.stmt) -> bool:
    """Is it what a module opens with: its docstring, or an import?"""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, ast.Import | ast.ImportFrom)


def loaded_names(tree: ast.AST) -> set[str]:
    """Every plain name that is read anywhere in it."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return {node.id for node in nodes}


def bound_names(tree: ast.AST) -> set[str]:
    """Every name that is bound anywhere in it, in whatever scope: too many rather than too few."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            found.update(node.names)
        elif isinstance(node, ast.MatchMapping):
            found.add(node.rest or "")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            found.add(node.name or "")
    return found
