"""Is a planted bug switched on for this process? Copied into the scratch copy of a proof, as a module of its runtime;
the project itself has nothing of it.
"""

import os
import time
from pathlib import Path

FOLDER = Path(os.environ.get("NAE_HOME", "")) / "planted"
PROCESS = os.environ.get("SUPERVISOR_PROCESS_NAME", "")


def planted(bug: str) -> bool:
    """Whether the bug is on here; each time it is, the moment is written down beside the switch."""
    switch = FOLDER / f"{bug}.on"
    if not switch.exists() or PROCESS not in switch.read_text().split():
        return False
    with (FOLDER / f"{bug}.seen").open("a") as seen:
        seen.write(f"{time.time_ns() // 1_000_000} {PROCESS}\n")
    return True
