"""One module = one process. Of all our code this runs first: it pins the process to the build it was started from, so
that turning the link `current` (autonomous/builds.py) never mixes two builds in one process."""

import sys
from pathlib import Path

_real = {str(Path(folder).parent): str(Path(folder).resolve().parent) for folder in __path__}
__path__ = [str(Path(folder).resolve()) for folder in __path__]
sys.path[:] = [_real.get(entry, entry) for entry in sys.path]
