#!/usr/bin/env bash
# Everything that must hold: lint, types, unit, property and whole-operation tests, in the project's own .venv.
# Usage: scripts/run_tests.sh [arguments of pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install.sh requirements-test.lock
python=.venv/bin/python
echo "== lint"
$python -m ruff check .
$python -m ruff format --check .
echo "== types"
$python -m mypy
echo "== tests"
(($# == 0)) || exec $python -m pytest "$@"
# nearly all of a test's time is waiting: some files side by side, and then what needs the machine to itself
$python -m pytest -m "not alone" -n logical --maxprocesses 3 --dist loadfile
exec $python -m pytest -m alone
