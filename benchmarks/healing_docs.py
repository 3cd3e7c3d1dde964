"""The tables of docs/healing.md, made from what the code goes by: kinds of trouble, remedies with their terms, the
settings that may be tuned, the states of a case.

python -m benchmarks.healing_docs [--check]: writes them between their marks; with --check it only says whether they are
up to date (exit code 1 when not). A test does the same.
"""

import sys
from collections.abc import Sequence

from benchmarks.trading_docs import ROOT, renewed, table
from execution.autonomous.healing.cases import diagram
from execution.autonomous.healing.catalogue import REMEDIES
from execution.autonomous.healing.remedy import Remedy, Terms
from execution.autonomous.healing.seeing.classification import cause_of
from execution.runtime.adjustments import TUNABLE
from execution.runtime.settings import Config
from execution.vocabulary.issues import IssueType

PAGE = ROOT / "docs" / "healing.md"
COMMAND = "benchmarks.healing_docs"
HOUR_S = 3600.0


def types_table() -> str:
    """Every kind of trouble, what it most likely comes from, what is tried."""
    rows = [
        (f"`{kind}`", cause_of(kind), ", ".join(one.name for one in REMEDIES if kind in one.fits) or "a person is told")
        for kind in IssueType
    ]
    return table(("kind", "most likely", "tried, the gentlest first"), rows)


def remedies_table() -> str:
    """Every remedy and its terms."""
    return table(
        ("remedy", "what it does", "at most, per process", "counts as having helped after", "a person is asked"),
        [(f"`{one.name}`", one.what, *_terms(one)) for one in REMEDIES],
    )


def _terms(remedy: Remedy) -> tuple[str, str, str]:
    terms = list(remedy.fits.values())
    budgets = dict.fromkeys(_budget(one) for one in terms)
    quiet = dict.fromkeys(f"{one.quiet_for_s:g} s" for one in terms)
    return " or ".join(budgets), " or ".join(quiet), "before live" if any(one.approval for one in terms) else ""


def _budget(terms: Terms) -> str:
    hours = terms.window_s / HOUR_S
    times = "once" if terms.budget == 1 else f"{terms.budget} times"
    return f"{times} in {hours:g} h" if hours >= 1 else f"{times} in {terms.window_s / 60:g} min"


def tunable_table() -> str:
    """The settings that may change by themselves; there are no others."""
    return table(("setting", "nae.toml's", "may become"), [(f"`{key}`", *_reach(key)) for key in TUNABLE])


def _reach(key: str) -> tuple[str, str]:
    section, name = key.split(".")
    base, one = getattr(getattr(Config(), section), name), TUNABLE[key]
    if one.words:
        return str(base), f"{' or '.join(one.words)}, of one process"
    least, most = one.bounds(key, base)
    return f"{base:g}", f"{least:g} to {most:g}"


def blocks() -> dict[str, str]:
    """All tables by the name of their mark."""
    return {
        "kinds of trouble": types_table(),
        "remedies": remedies_table(),
        "settings that may be tuned": tunable_table(),
        "states of a case": f"```mermaid\n{diagram()}\n```",
    }


def main(arguments: Sequence[str]) -> int:
    """The command."""
    page = PAGE.read_text()
    fresh = renewed(page, blocks(), COMMAND)
    if "--check" in arguments:
        print("up to date" if fresh == page else f"docs/healing.md is old: python -m {COMMAND}")
        return int(fresh != page)
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
