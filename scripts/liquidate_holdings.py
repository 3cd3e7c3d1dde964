#!/usr/bin/env python3
"""Turn what an account holds into its quote currency; the same as `scripts/nae liquidate`. Dry unless --execute.

Examples: scripts/liquidate_holdings.py --account live · scripts/liquidate_holdings.py ETH SOL --execute
"""

import sys

from project_python import use_project_python

use_project_python()

from execution.console.cli import run  # noqa: E402 - only the project's own Python has it

if __name__ == "__main__":
    sys.exit(run(["liquidate", *sys.argv[1:]]))
