"""A real trader killed at each durable step of an order's life, under each answer that a venue may give or withhold.

NAE_CRASH_POINTS=all tries every step under every answer (a quarter of an hour); else a few of each.
"""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from execution.runtime.steps import STEPS
from tests.chaos.bad_line import BadLine, Fate
from tests.chaos.checker import orders_sent
from tests.chaos.family import Family, family_in
from tests.chaos.test_kills import SPEED, free_port, paused
from tests.support import eventually

TRADER = "sandbox_optimus"
ANSWERS = (
    Fate.DELIVERED,
    Fate.EXECUTED_504,
    Fate.SWALLOWED_504,
    Fate.UNANSWERED,
    Fate.LATE,
    Fate.TOO_LATE,
    Fate.LOST,
    Fate.REFUSED,
)
REQUEST_ARRIVES = "the request arrives"  # it has left us, and nobody has answered yet
NOT_IN_TRADING = ("cash_flows written", "cash_flows durable", "trading_state written", "trading_state durable")
ONCE = ("lot_steps written", "lot_steps durable", "opening written", "opening durable")  # of an account's first start
AFTER_A_REPLY = ("reply_read", "fills_recorded", "fills written", "fills durable")
EVERYWHERE = [step for step in (REQUEST_ARRIVES, *STEPS) if step not in (*NOT_IN_TRADING, *ONCE)]
FEW = {
    Fate.EXECUTED_504: ("order durable", "intent_durable"),
    Fate.UNANSWERED: (REQUEST_ARRIVES, "fills written"),
    Fate.DELIVERED: ("lot_steps durable", "opening written", "fills durable"),
}
ALL = os.environ.get("NAE_CRASH_POINTS") == "all"
PLAN = {answer: tuple(EVERYWHERE) for answer in ANSWERS} if ALL else FEW
if ALL:
    PLAN[Fate.DELIVERED] = (*ONCE, *EVERYWHERE)
REACHED_WITHIN_S = 30.0


def one_life(family: Family, line: BadLine, step: str) -> bool:
    """From its start, recovery from the last death included, to its end. False: it never came to that step."""
    if step == REQUEST_ARRIVES:
        family.start(TRADER)
        process = family.process(TRADER)
        line.on_order = process.kill
    else:
        family.start(TRADER, dies_at=step)
        process = family.process(TRADER)
    try:
        eventually(lambda: process.poll() is not None, within_s=REACHED_WITHIN_S)
    except AssertionError:
        family.kill(TRADER)
        return False
    finally:
        line.on_order = lambda: None
    assert process.returncode == -signal.SIGKILL, f"at {step} it ended with {process.returncode}: {family.log(TRADER)}"
    return True


def everything_agrees(family: Family, line: BadLine) -> None:
    """The line is sound again: every fate becomes known, and a program that asks nobody compares the files."""
    line.sound = True
    family.start(TRADER)
    eventually(partial(paused, family, TRADER), within_s=20)
    eventually(partial(family.is_quiet, "sandbox"), within_s=30, every_s=0.1)
    assert family.stop(TRADER) == 0
    assert family.stop("venue") == 0
    family.is_sound()


@pytest.mark.parametrize("answer", PLAN, ids=lambda answer: answer.value)
def test_killed_at_any_step_under_any_answer_it_buys_once_and_forgets_nothing(tmp_path: Path, answer: Fate) -> None:
    line = BadLine(free_port(), 1)
    line.always = answer
    with family_in(tmp_path / "home", speed=SPEED, line=line) as family:
        family.start("venue")
        missed = [step for step in PLAN[answer] if not one_life(family, line, step)]
        print(f"{answer}: {len(PLAN[answer]) - len(missed)} deaths, {orders_sent(family.home.root)} orders; "
              f"never reached: {missed}")  # fmt: skip
        everything_agrees(family, line)
        can_miss = () if answer is Fate.DELIVERED else AFTER_A_REPLY
        assert set(missed) <= set(can_miss)
