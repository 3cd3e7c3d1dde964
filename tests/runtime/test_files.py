"""Files are replaced whole or not at all."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.runtime import files
from execution.runtime.files import tail_lines, write_atomically
from tests.support import child, line_of


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_new_content_replaces_the_old_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    write_atomically(path, "old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == {"file.json"}


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write_atomically(path, "secret")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_write_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == {"file.json"}


OVERWRITE = """
import sys
from pathlib import Path
from execution.runtime.files import write_atomically
path, size = Path(sys.argv[1]), 200_000
print("begun", flush=True)
while True:
    for letter in "ab":
        write_atomically(path, letter * size)
"""


def test_a_writer_killed_at_any_moment_leaves_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, "a" * 200_000)
    for reads in range(1, 4):
        with child(OVERWRITE, str(path)) as writer:
            assert line_of(writer) == "begun"
            for _ in range(reads * 20):
                text = path.read_text()
                assert len(text) == 200_000
                assert len(set(text)) == 1
            writer.kill()
            writer.wait()
        assert len(set(path.read_text())) == 1
        assert len(path.read_text()) == 200_000


def test_the_tail_of_a_missing_file_is_empty(tmp_path: Path) -> None:
    assert tail_lines(tmp_path / "none.log", 5) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(alphabet="abc é", max_size=10), max_size=30), st.integers(1, 12))
def test_the_tail_is_the_last_lines_in_order(tmp_path: Path, lines: list[str], count: int) -> None:
    path = tmp_path / "some.log"
    path.write_text("".join(line + "\n" for line in lines))
    assert tail_lines(path, count) == lines[-count:]


def test_no_lines_are_shown_when_none_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_text("one\ntwo\n")
    assert tail_lines(path, 0) == []


def test_the_tail_of_a_huge_file_reads_only_its_end(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_bytes(b"x" * 1_000_000 + b"\nlast\n")
    assert tail_lines(path, 1, most_bytes=100) == ["last"]


def test_content_is_on_disk_before_its_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        told.append("folder" if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) else "content")
        fsync(descriptor)

    def renamed(file: Path, target: Path) -> Path:
        told.append("name")
        return replace(file, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_atomically(tmp_path / "state.json", "new")
    assert told == ["content", "name", "folder"]


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"\r")), max_size=12), st.binary(max_size=9)
)
def test_a_files_lines_from_its_end_are_its_lines(lines: list[bytes], torn: bytes) -> None:
    torn = torn.replace(b"\n", b"")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "_BLOCK_BYTES", 7)
        path = Path(folder) / "lines"
        path.write_bytes(b"".join(line + b"\n" for line in lines) + torn)
        expected = [line + b"\n" for line in lines] + ([torn] if torn else [])
        assert list(files.lines_backwards(path)) == expected[::-1]
