#!/usr/bin/env python3
"""The running operation on one screen; the same as `scripts/nae status`. Exit codes: 0 running, 69 not running."""

import sys

from project_python import use_project_python

use_project_python()

from execution.console.cli import run  # noqa: E402 - only the project's own Python has it

if __name__ == "__main__":
    sys.exit(run(["status", *sys.argv[1:]]))
