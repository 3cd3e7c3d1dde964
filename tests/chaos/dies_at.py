"""`python -m tests.chaos.dies_at STEP MODULE ARGUMENTS…`: a real process that is killed as it reaches a durable step.

By the kernel, with nothing said and nothing tidied up. Steps: execution/runtime/steps.py.
"""

import os
import runpy
import signal
import sys

from execution.runtime import steps


def main() -> None:
    last, module = sys.argv[1:3]
    if last not in steps.STEPS:
        raise SystemExit(f"there is no step {last!r}; there are: {', '.join(steps.STEPS)}")

    def heard(step: str) -> None:
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    steps.listen(heard)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
