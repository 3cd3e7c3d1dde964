"""What a start does before it starts: packages only where nothing runs on them, nobody else's environment touched."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from execution.runtime.home import PROJECT_ROOT
from execution.vocabulary.exit_codes import ExitCode

PYTHON = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/../../told"
case "$*" in *operation_pid*) exit {running} ;; *version_info*) exit {unfit} ;; esac
"""


def project(folder: Path, *, running: bool, unfit: bool = False) -> Path:
    """A project whose environment was made from another lock, with a Python that only writes down what it is told."""
    (folder / "scripts").mkdir()
    for name in ("install.sh", "nae"):
        shutil.copy(PROJECT_ROOT / "scripts" / name, folder / "scripts" / name)
    for name in ("requirements.lock", "setup.cfg", "pyproject.toml"):
        (folder / name).write_text("")
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(running=0 if running else 1, unfit=int(unfit)))
    python.chmod(0o755)
    (folder / ".venv" / "installed-requirements.lock").write_text("another lock")
    return folder


def up(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(folder / "scripts" / "nae"), "up"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("running", [True, False])
def test_a_start_beside_a_running_operation_leaves_its_packages_alone_and_goes_on_to_say_so(
    tmp_path: Path, running: bool
) -> None:
    home = project(tmp_path, running=running)
    up(home)
    told = (home / "told").read_text()
    assert ("pip install" in told) is not running
    assert "-m execution.console.cli up" in told


def test_an_environment_of_somebody_elses_is_never_taken_away(tmp_path: Path) -> None:
    home = project(tmp_path, running=False, unfit=True)
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(home / ".venv", 65534, 65534)
    done = up(home)
    assert done.returncode == ExitCode.OS_ERROR
    assert "another user's" in done.stderr
    assert (home / ".venv" / "bin" / "python").exists()
