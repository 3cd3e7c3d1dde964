"""What every supervisor has to bring back: one tiny compiled program whose first act is to write its pid into a named
pipe. Without a C compiler a shell script does the same, and that is said. A second payload is written in Python."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    char text[24], *path = getenv("PAYLOAD_PIPE");
    int pipe = open(path ? path : "", O_WRONLY);
    int length = snprintf(text, sizeof text, "%d\n", (int) getpid());
    if (pipe < 0 || write(pipe, text, length) != length) return 1;
    close(pipe);
    for (;;) pause();
}
"""
SHELL = '#!/bin/sh\necho $$ > "$PAYLOAD_PIPE"\nexec sleep 1000000\n'
PYTHON = """#!{python} -IS
import os, signal
pipe = os.open(os.environ["PAYLOAD_PIPE"], os.O_WRONLY)
os.write(pipe, b"%d\\n" % os.getpid())
os.close(pipe)
while True:
    signal.pause()
"""


@dataclass(frozen=True)
class Payload:
    """A program to be brought back. It finds its pipe in the environment, as PAYLOAD_PIPE."""

    name: str
    program: Path


def compiled(folder: Path) -> Payload:
    """The tiny one. The shell's when there is no compiler."""
    program, compiler = folder / "payload", shutil.which("cc")
    if compiler is None:
        program.write_text(SHELL)
        program.chmod(0o755)
        return Payload("a shell script, for want of a C compiler", program)
    source = folder / "payload.c"
    source.write_text(SOURCE)
    for options in (["-static"], []):  # without a loader's work, where the system can
        done = subprocess.run(
            [compiler, "-O2", *options, "-o", str(program), str(source)], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return Payload("compiled", program)
    raise SystemExit(f"{compiler} can't compile the payload: {done.stderr}")


def interpreted(folder: Path) -> Payload:
    """The same in Python, started without site-packages."""
    program = folder / "payload.py"
    program.write_text(PYTHON.format(python=os.path.realpath(sys.executable)))
    program.chmod(0o755)
    return Payload("Python", program)
