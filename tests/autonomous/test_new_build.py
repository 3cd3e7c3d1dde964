"""A new build on trial, with real Pythons; installing is tried with a stand-in for the installer."""

import shutil
from pathlib import Path

import pytest

from execution.autonomous.builds import Builds
from execution.autonomous.new_build import install, packages_differ, takes_a_full_start, trial
from execution.runtime.home import CODE_ROOT, Home


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of this very project."""
    builds = Builds(Home(tmp_path_factory.mktemp("home")))
    return builds.path(builds.snapshot())


@pytest.fixture
def build(project: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(project, tmp_path / "build"))


def test_the_project_itself_stands_its_trial(build: Path) -> None:
    assert trial(build) == ""


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        ("def f(:\n", "doesn't compile"),
        ("raise RuntimeError('no good')\n", "no good"),
        ("import no_such_package\n", "No module named 'no_such_package'"),
    ],
)
def test_what_cannot_run_is_named_with_the_reason(build: Path, spoiled: str, told: str) -> None:
    (build / "agents" / "accelerator.py").write_text(spoiled)
    problem = trial(build)
    assert told in problem and "accelerator.py" in problem


def test_what_runs_inside_supervisord_is_told_apart_from_the_rest(build: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    shutil.copytree(build, new)
    (new / "execution" / "runtime" / "clock.py").write_text("")
    assert takes_a_full_start(build, new) == []
    (new / "supervisor" / "program.conf").write_text("")
    (new / "execution" / "autonomous" / "plug_in" / "another.py").write_text("")
    assert takes_a_full_start(build, new) == ["execution/autonomous/plug_in/another.py", "supervisor/program.conf"]


def test_another_lock_means_other_packages(build: Path) -> None:
    assert not packages_differ(build, CODE_ROOT)
    (build / "requirements.lock").write_text("zmq==1\n")
    assert packages_differ(build, CODE_ROOT)


def test_an_installer_that_fails_is_quoted(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "install.sh"
    script.parent.mkdir()
    for text, told in (("exit 0", ""), ("echo 'hashes differ' >&2; exit 1", "hashes differ")):
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        problem = install(tmp_path)
        assert (told in problem) and bool(problem) == bool(told)
