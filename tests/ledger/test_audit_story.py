"""Whatever befalls a trail (restarts, kills in the middle of a line, full disks, full files), it stays one chain that
verifies, and tells every line that was acknowledged and not rotated away, in order."""

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from execution.ledger.audit_check import check, entries, verify
from execution.ledger.audit_log import AuditLogger
from execution.runtime.clock import ManualClock


class TrailStory(RuleBasedStateMachine):
    """One trail and the numbers that its writer was told are written."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "trail.jsonl"
        self.written: list[int] = []
        self.number = 0
        self.open()

    def open(self) -> None:
        self.trail = AuditLogger(self.path, ManualClock(), "p", max_bytes=1_500)

    @rule(words=st.text(max_size=40))
    def record(self, words: str) -> None:
        before = self.trail.get_health().error_count
        self.number += 1
        self.trail.record("cycle", number=self.number, words=words)
        if self.trail.get_health().error_count == before:
            self.written.append(self.number)

    @rule()
    def restart(self) -> None:
        self.trail.close()
        self.open()

    @rule(share=st.floats(0.01, 0.99))
    def killed_in_the_middle_of_a_line(self, share: float) -> None:
        self.trail.close()
        line = b'{"seq":9,"at":"2026","process":"p","kind":"cycle","prev":"0","hash":"1"}'
        with self.path.open("ab") as file:
            file.write(line[: max(1, int(len(line) * share))])
        self.open()

    @rule(lines=st.integers(1, 3))
    def the_disk_refuses_for_a_while(self, lines: int) -> None:
        sound, size = self.trail._descriptor, self.trail._size
        self.trail._descriptor, self.trail._size = os.open(self.path, os.O_RDONLY), 0
        for _ in range(lines):
            self.number += 1
            self.trail.record("cycle", number=self.number)
        os.close(self.trail._descriptor)
        self.trail._descriptor, self.trail._size = sound, size

    @rule(moved=st.integers(0, 3))
    def a_full_file_cant_be_put_away(self, moved: int) -> None:
        """No new one can be opened, or the disk refuses after so many files have been moved."""
        open_, replace, left = self.trail._open, Path.replace, moved

        def refuses(*_: object) -> Any:
            raise OSError(28, "No space left on device")

        def moves(file: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            return replace(file, target) if left >= 0 else refuses()

        self.trail._open = refuses if moved == 0 else open_  # type: ignore[method-assign,assignment]
        Path.replace = moves  # type: ignore[method-assign,assignment]
        self.trail._size = 1_500
        try:
            self.record("one line")
        finally:
            self.trail._open = open_  # type: ignore[method-assign]
            Path.replace = replace  # type: ignore[method-assign]

    @invariant()
    def it_verifies_and_tells_what_was_acknowledged(self) -> None:
        if not hasattr(self, "trail"):
            return
        assert verify(self.path) is None
        told = [entry["number"] for entry in entries(self.path) if entry["kind"] == "cycle"]
        assert told == self.written[len(self.written) - len(told) :]
        assert not self.written or told[-1] == self.written[-1]
        if check(self.path).first <= 1:
            assert told == self.written, "nothing was put away for good yet"

    def teardown(self) -> None:
        if hasattr(self, "trail"):
            self.trail.close()
            self.folder.cleanup()


TestTrailStory = TrailStory.TestCase
TestTrailStory.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
