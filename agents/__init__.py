"""One module = one process. Of all our code this runs first: it pins the process to the build it was started from, so
that turning the link `current` (autonomous/builds.py) never mixes two builds in one process. Whoever can't even be
imported leaves its last word (runtime/last_word.py). A process of the operation then loads what healing has put in
force for it (runtime/overlay_finder.py); as a rule there is nothing."""

import os
import sys
from pathlib import Path
from types import TracebackType

_real = {str(Path(folder).parent): str(Path(folder).resolve().parent) for folder in __path__}
__path__ = [str(Path(folder).resolve()) for folder in __path__]
sys.path[:] = [_real.get(entry, entry) for entry in sys.path]


def _leave_last_word(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from execution.runtime.last_word import of_a_failed_import  # noqa: PLC0415 -- loaded only when it is needed

    of_a_failed_import(kind, error, trace)


if "SUPERVISOR_PROCESS_NAME" in os.environ:  # our own log takes the hook's place as soon as it is up
    sys.excepthook = _leave_last_word

_data = os.environ.get("NAE_HOME", "") + "/data"
if "SUPERVISOR_PROCESS_NAME" in os.environ and os.path.isdir(_data + "/healing/overlay"):  # noqa: PTH112 - of all starts
    from execution.runtime.overlay_finder import install

    install(Path(_data), Path(__path__[0]).parent, os.environ["SUPERVISOR_PROCESS_NAME"])
