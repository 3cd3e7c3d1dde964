#!/usr/bin/env bash
# Resolves the two lock files anew: what runs, and what tests. Needs uv (https://docs.astral.sh/uv); users need only pip.
# Releases younger than a week are held back: a bad or hijacked upload is usually found by then.
set -euo pipefail
cd "$(dirname "$0")/.."
week_ago=$(python3 -c 'import datetime as d; print((d.date.today() - d.timedelta(days=7)).isoformat())')
options=(--universal --python-version 3.11 --generate-hashes --exclude-newer "$week_ago"
         --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command scripts/lock.sh --quiet)
uv pip compile setup.cfg --extra build "${options[@]}" "$@" -o requirements.lock
uv pip compile setup.cfg --extra build --extra test --constraint requirements.lock "${options[@]}" "$@" -o requirements-test.lock
