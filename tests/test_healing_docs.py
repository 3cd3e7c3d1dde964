"""docs/healing.md says what the code goes by: every kind of trouble, every remedy and its terms."""

from benchmarks.healing_docs import blocks, main
from execution.autonomous.healing.catalogue import REMEDIES
from execution.vocabulary.issues import IssueType


def test_the_page_is_up_to_date() -> None:
    assert main(["--check"]) == 0, "python -m benchmarks.healing_docs writes it anew"


def test_every_kind_and_every_remedy_is_there() -> None:
    made = blocks()
    assert all(f"`{kind}`" in made["kinds of trouble"] for kind in IssueType)
    assert all(f"`{one.name}`" in made["remedies"] for one in REMEDIES)
