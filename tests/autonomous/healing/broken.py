"""`python -m tests.autonomous.healing.broken (step STRATEGY | entry everywhere) MODULE ARGUMENTS…`: a real process in
which the step of one strategy, or every entry, raises KeyError."""

import dataclasses
import runpy
import sys

from execution.research.bars import Vector
from execution.research.strategies import STRATEGIES
from execution.trading.order_feedback import OrderFeedback
from execution.vocabulary.orders import OrderRequest


def known(name: str) -> float:
    return {"known": 0.0}[name]


def break_step(strategy: str) -> None:
    def step(state: Vector, bar: Vector, params: Vector) -> float:
        return known("never heard of")

    STRATEGIES[strategy] = dataclasses.replace(STRATEGIES[strategy], step=step)


def break_entry(_: str) -> None:
    def shaped(self: OrderFeedback, request: OrderRequest) -> OrderRequest:
        known(request.symbol)
        return request

    OrderFeedback.shaped = shaped  # type: ignore[method-assign]


def main() -> None:
    what, name, module = sys.argv[1:4]
    {"step": break_step, "entry": break_entry}[what](name)
    sys.argv = sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
