#!/usr/bin/env python3
"""One Optimus by hand: python scripts/main_loop.py [--once | --interval SECONDS] [--live].

Trades the sandbox account (--live: the live one) until it is told to stop, or for one cycle. It takes the account's
lock, or ends with 75 naming the holder. When no operation runs it brings the embedded venue along.
"""

import sys

from project_python import use_project_python

use_project_python()

from agents.main_loop import main  # noqa: E402 - only the project's own Python has it

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
