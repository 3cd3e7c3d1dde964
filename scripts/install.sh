#!/usr/bin/env bash
# Makes .venv and installs what the lock says, hashes required; at once when nothing has changed.
# Usage: scripts/install.sh [requirements.lock | requirements-test.lock]
# Any Python 3.11, 3.12 or 3.13 will do; NAE_BASE_PYTHON names one when several are installed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
lock="${1:-requirements.lock}"
python="$root/.venv/bin/python"

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

find_python() {
    local name
    for name in ${NAE_BASE_PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if fits "$name"; then echo "$name"; return; fi
    done
    echo "nae: no Python 3.11, 3.12 or 3.13 found (python3 is $(python3 --version 2>&1)); install one, or name it in NAE_BASE_PYTHON" >&2
    exit 69
}

# Two commands at once (two terminals after an upgrade) must not install into one folder: the second waits, then
# finds all done. A kernel lock on the lock file itself, kept by this shell: it ends with it, whatever ends it.
hold() {
    local base
    base="$(find_python)"
    NAE_INSTALL_HELD="$$" exec "$base" -c '
import fcntl, os, sys
held = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(held, fcntl.LOCK_EX)
os.set_inheritable(held, True)
os.execvp("bash", ["bash", *sys.argv[2:]])' "$root/requirements.lock" "${BASH_SOURCE[0]}" "$lock"
}

stamp() { # what the environment was made from: the lock, the metadata, the place
    { cat "$root/$lock" "$root/setup.cfg" "$root/pyproject.toml"; echo "$root"; } | cksum
}

done_with="$root/.venv/installed-$lock"
done_with_tests="$root/.venv/installed-requirements-test.lock"
now="$(stamp)"
if [ -x "$python" ] && [ "$(cat "$done_with" 2>/dev/null || true)" = "$now" ]; then exit 0; fi
if [ "$lock" = requirements.lock ] && [ -x "$python" ] && [ -f "$done_with_tests" ]; then
    lock=requirements-test.lock # the tests' environment has all of it: keep that one up to date
    done_with="$done_with_tests"
    now="$(stamp)"
    if [ "$(cat "$done_with")" = "$now" ]; then exit 0; fi
fi

# Beside a running operation a start changes no package: it goes on to be told what runs. `nae upgrade` exchanges them.
operation_runs() {
    "$python" -P -c 'import sys
from execution.autonomous.launch import operation_pid
from execution.runtime.home import Home
sys.exit(operation_pid(Home.find()) is None)' 2>/dev/null
}
if [ "${NAE_STARTING:-}" = 1 ] && [ -x "$python" ] && operation_runs; then exit 0; fi

if [ "${NAE_INSTALL_HELD:-}" != "$$" ]; then hold; fi

if [ "$(uname -sm)" = "Darwin x86_64" ]; then
    echo "nae: Intel Macs have no numba wheels: research runs uncompiled, slower, with the same results" >&2
fi
whole() { fits "$python" && "$python" -m pip --version >/dev/null 2>&1; } # an interrupted start leaves one without pip
if ! whole; then
    if [ -e "$root/.venv" ] && ! [ -O "$root/.venv" ]; then
        echo "nae: $root/.venv is another user's, and the user $(id -un) can't use it; its owner runs scripts/install.sh, or work in a copy of your own" >&2
        exit 71
    fi
    rm -rf "$root/.venv"
fi
echo "nae: installing into $root/.venv from $lock (a minute, once)" >&2
[ -x "$python" ] || "$(find_python)" -m venv "$root/.venv"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$root/$lock" >&2
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e "$root" >&2
echo "$now" >"$done_with"
