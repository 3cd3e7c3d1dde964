"""docs/trading.md says what the code goes by: every key, exit, regime and reason, none forgotten."""

import msgspec

from benchmarks.trading_docs import PAGE, ROOT, SECTIONS, blocks, effects, main
from execution.vocabulary.reasons import ExitReason, NoTradeReason

TOML = (ROOT / "nae.toml").read_text()


def test_the_page_is_up_to_date() -> None:
    assert main(["--check"]) == 0, "python -m benchmarks.trading_docs writes it anew"


def test_every_key_has_an_effect_in_words() -> None:
    told = effects(TOML)
    keys = [f"{name}.{field.name}" for name, kind in SECTIONS.items() for field in msgspec.structs.fields(kind)]
    assert [key for key in keys if not told.get(key)] == [], "a comment behind the key in nae.toml says what it does"


def test_exits_stand_in_the_order_of_their_precedence_and_every_reason_is_there() -> None:
    made = blocks(TOML)
    rows = [line.split("`")[1] for line in made["exits"].splitlines() if "`" in line]
    assert rows == [str(reason) for reason in ExitReason]
    assert all(f"`{reason}`" in made["reasons not to trade"] for reason in NoTradeReason)
    assert all(block in PAGE.read_text() for block in made.values())
