"""Which build a process runs: a digest over the source it could import. Equal ids mean equal code."""

import hashlib
from pathlib import Path

from execution.runtime.home import PROJECT_ROOT

ROOMS = ("execution", "agents")


def build_id(root: Path = PROJECT_ROOT) -> str:
    """Twelve hex digits over every Python file of the rooms and the lock file, by name and content."""
    digest = hashlib.sha256()
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    for path in [*files, root / "requirements.lock"]:
        if path.exists():
            digest.update(str(path.relative_to(root)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
