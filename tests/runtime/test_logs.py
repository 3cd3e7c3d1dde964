"""One readable line per record; rotation that a `tail -f` survives; nothing from outside forges a line."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.runtime.logs import CopyTruncateHandler, LineFormatter, TerminalFormatter
from execution.runtime.redaction import hide
from tests.support import ROOT, eventually


def record(message: str, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("nae.venue", level, __file__, 1, message, (), None)
    made.created = 1_795_248_900.123
    if fields:
        made.fields = fields
    return made


def formatted(message: str, level: int = logging.INFO, **fields: Any) -> str:
    return LineFormatter().format(record(message, level, **fields))


def test_a_line_has_time_level_logger_message_and_fields() -> None:
    line = formatted("listening", port=8123, market="replay:a b.csv", empty="")
    assert line == "2026-11-21T08:15:00.123Z INFO    nae.venue: listening port=8123 market='replay:a b.csv' empty="


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
def test_every_level_stands_between_spaces_so_that_it_can_be_searched(level: int) -> None:
    assert f" {logging.getLevelName(level)} " in formatted("x", level)[:40]


@given(st.text(max_size=60), st.text(max_size=30))
def test_whatever_the_text_one_record_is_one_line_without_control_characters(message: str, value: str) -> None:
    line = formatted("%s", field=value).replace("%s", "") + LineFormatter().format(record(message.replace("%", "")))
    assert len(line.splitlines()) == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line)


def test_a_traceback_follows_indented_so_that_no_line_of_it_looks_like_a_record() -> None:
    try:
        raise KeyError("first\n2026-11-21T08:15:00.123Z ERROR   nae.venue: forged")
    except KeyError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    first, *rest = LineFormatter().format(made).splitlines()
    assert first.endswith("failed")
    assert any("KeyError" in line for line in rest)
    assert all(line.startswith("  ") for line in rest)


def test_a_terminal_is_told_the_fields_too_and_no_secret() -> None:
    hide("a-secret-of-the-terminal")
    line = TerminalFormatter().format(
        record("a fault can't happen", logging.WARNING, error="\x1b[2Ja-secret-of-the-terminal")
    )
    assert line.startswith("WARNING a fault can't happen error=")
    assert "a-secret" not in line
    assert "\x1b" not in line


def handler(path: Path, **limits: int) -> CopyTruncateHandler:
    made = CopyTruncateHandler(path, **limits)
    made.setFormatter(logging.Formatter("%(message)s"))
    return made


def say(to: CopyTruncateHandler, message: str) -> None:
    to.emit(logging.LogRecord("nae", logging.INFO, __file__, 1, message, (), None))


def test_rotation_keeps_the_newest_copies_and_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "venue.log"
    log = handler(path, max_bytes=50, keep=3)
    inode = path.stat().st_ino
    for number in range(40):
        say(log, f"line {number:04}")
    assert {file.name for file in path.parent.iterdir()} == {"venue.log", "venue.log.1", "venue.log.2", "venue.log.3"}
    assert path.stat().st_ino == inode, "a tail -f would follow a file that nobody writes"
    kept = [*reversed(range(1, 4))]
    text = "".join(path.with_name(f"venue.log.{number}").read_text() for number in kept) + path.read_text()
    lines = text.splitlines()
    assert lines == [f"line {number:04}" for number in range(40 - len(lines), 40)], (
        "lines lost, doubled or out of order"
    )


def test_a_tail_goes_on_through_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "venue.log"
    log = handler(path, max_bytes=200, keep=1)
    say(log, "before" * 30)
    with subprocess.Popen(["tail", "-n", "+1", "-f", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
        try:
            assert tail.stdout is not None
            os.set_blocking(tail.stdout.fileno(), False)
            heard = b""

            def hears(word: bytes) -> bool:
                nonlocal heard
                assert tail.stdout is not None
                heard += tail.stdout.read() or b""
                return word in heard

            eventually(lambda: hears(b"before\n"))
            say(log, "this is the one line that is too many")
            assert path.stat().st_size == 0, "no rotation happened"
            say(log, "after the rotation")  # shorter than what the tail has seen: so it knows
            eventually(lambda: hears(b"after the rotation"))
        finally:
            tail.kill()


def test_a_full_disk_loses_the_line_counts_it_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = handler(tmp_path / "venue.log")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        say(log, "lost")
    say(log, "kept")
    assert log.lost == 1
    assert log.path.read_text() == "kept\n"


def test_a_log_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert handler(tmp_path / "venue.log").path.stat().st_mode & 0o777 == 0o600


WHOLE = """
import logging, os, subprocess, sys
from pathlib import Path
from execution.runtime.logs import log_to_file
log_to_file(Path(sys.argv[1]), "INFO")
logging.getLogger("nae.venue").info("ours")
logging.getLogger("nae.venue").debug("too fine")
logging.getLogger("some.library").info("a library's chatter")
logging.getLogger("some.library").warning("a library's warning")
print("printed", flush=True)
os.write(2, b"from below\\n")
subprocess.run(["sh", "-c", "echo from a child"], check=True)
"""


def test_everything_a_process_says_lands_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "venue.log"
    done = subprocess.run([sys.executable, "-c", WHOLE, str(path)], cwd=ROOT, capture_output=True, check=True)
    text = path.read_text()
    assert all(word in text for word in ("ours", "a library's warning", "printed", "from below", "from a child"))
    assert "too fine" not in text
    assert "chatter" not in text
    assert done.stdout + done.stderr == b""
