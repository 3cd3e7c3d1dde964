"""Which build a process runs: a digest over the source it could import. Equal ids mean equal code."""

import hashlib
from pathlib import Path

from execution.runtime.home import CODE_ROOT

ROOMS = ("execution", "agents")
CONFIGURATION = "supervisor"


def build_id(root: Path = CODE_ROOT) -> str:
    """Twelve hex digits over every Python file of the rooms, supervisord's configuration and the lock file, by name
    and content."""
    digest = hashlib.sha256()
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    for path in [*files, *sorted((root / CONFIGURATION).glob("*.conf")), root / "requirements.lock"]:
        if path.exists():
            digest.update(str(path.relative_to(root)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
