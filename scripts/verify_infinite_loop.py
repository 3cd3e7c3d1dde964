#!/usr/bin/env python3
"""Is every loop of every process turning? Fails when a process isn't running or a task is overdue.

Exit codes: 0 all turn, 1 something doesn't, 69 not running. --json prints what was found.
"""

import sys

from project_python import use_project_python

use_project_python()

from execution.console.cli import run  # noqa: E402 - only the project's own Python has it

if __name__ == "__main__":
    sys.exit(run(["verify", *sys.argv[1:]]))
