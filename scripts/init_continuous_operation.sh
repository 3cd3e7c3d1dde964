#!/usr/bin/env bash
# Starts the whole operation: ./scripts/init_continuous_operation.sh [dual|sandbox|live] [--foreground]
# Makes .venv and installs from the lock first, at once when nothing has changed.
# Ends with 0 when every process has made its first progress; 64, 69, 71, 75 or 78 say why not (nae up --help).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
NAE_STARTING=1 "$root/scripts/install.sh"
exec "$root/.venv/bin/python" -m execution.console.cli up "$@"
