#!/usr/bin/env python3
"""The live operation in the foreground: the same as `init_continuous_operation.sh live --foreground`."""

import sys

from project_python import use_project_python

use_project_python()

from execution.console.cli import run  # noqa: E402 - only the project's own Python has it

if __name__ == "__main__":
    sys.exit(run(["up", "live", "--foreground", *sys.argv[1:]]))
