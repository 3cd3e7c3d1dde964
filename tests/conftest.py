"""One short temporary folder for all the run folders of a test run, gone at its end; a guard of the ledgers' files."""

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests import ledger_guard

ledger_guard.watch()


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home with a long path keeps its sockets in the temporary folder: here, not in the machine's."""
    tmp_path_factory.getbasetemp()  # the tests' own folders stay where pytest keeps them
    before = os.environ.get("TMPDIR")
    folder = tempfile.mkdtemp(prefix="nae-t-", dir="/tmp")  # short: a socket's path has a hundred bytes
    os.environ["TMPDIR"], tempfile.tempdir = folder, None
    try:
        yield
    finally:
        tempfile.tempdir = None
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
