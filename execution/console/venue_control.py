"""Talking to a venue's control port: one request, its answer, or a clear reason. The token is read and never shown.
Also which venue is meant."""

import http.client
import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError

CONTROL_NAME = "control.json"
FOLDER_NAME = "venue_alone"
ANSWER_WITHIN_S = 5.0
ANSWER_MAX_BYTES = 1_000_000
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where it keeps orders, keys and journal; data/venue_alone by itself.")
]


class NotServed(Exception):
    """No venue with a control port answers there."""


class _Control(msgspec.Struct, forbid_unknown_fields=True):
    port: int
    token: str


def venue_folder(folder: Path | None) -> Path:
    """Where a venue by itself lives."""
    return (folder or Home.find().data / FOLDER_NAME).expanduser().absolute()


def drilled_folder(folder: Path | None) -> Path:
    """The venue that is meant: the one by itself, else the operation's, when that may be drilled."""
    alone, operation = venue_folder(folder), Home.find().data / "venue"
    served = [place for place in (alone, operation) if (place / CONTROL_NAME).exists()]
    return served[0] if served and folder is None else alone


def ask_control(folder: Path, method: str, path: str, body: object = None) -> dict[str, Any]:
    """The control port's answer. Raises NotServed, and ConfigError with the venue's own words on a refusal."""
    file = folder / CONTROL_NAME
    try:
        control = msgspec.json.decode(file.read_bytes(), type=_Control)
    except FileNotFoundError:
        raise NotServed(
            f"no venue is served in {folder} that can be told; nae venue serve, or drills = true in nae.toml, would do"
        ) from None
    except msgspec.DecodeError:
        raise NotServed(f"{file}: not a control file; the venue writes one when it starts") from None
    connection = http.client.HTTPConnection("127.0.0.1", control.port, timeout=ANSWER_WITHIN_S)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Authorization": f"Bearer {control.token}"})
        answer = connection.getresponse()
        told = json.loads(answer.read(ANSWER_MAX_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotServed(f"the venue of {folder} doesn't answer on port {control.port}: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ConfigError(str(told.get("problem", answer.status)))
    return dict(told)
