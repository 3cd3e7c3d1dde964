"""API keys: read from a file that only its owner can read, or made up for the embedded venue.

Never taken from the environment or the command line; never printed (repr shows the key's fingerprint only).
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from execution.runtime.files import sync_folder
from execution.runtime.redaction import hide
from execution.vocabulary.exit_codes import ConfigError

_SHAPE = '{"key": "…", "secret": "…"}'


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One API key and its secret."""

    key: str
    secret: str

    @property
    def fingerprint(self) -> str:
        """Names the key without giving it away."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Credentials(fingerprint={self.fingerprint!r})"


def load_credentials(path: Path) -> Credentials:
    """Read a key file. ConfigError when it is missing, a link, somebody else's, readable by others, or not a key."""
    return decoded(read_private(path), path)


def read_private(path: Path, by_systemd: bool = False) -> bytes:
    """The content of a file that nobody else may read. ConfigError names the file and what would be right."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such key file; write {_SHAPE} there, mode 0600") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be opened ({error.strerror}); it must be a plain file of yours") from None
    try:
        if problem := refusal(path, os.fstat(descriptor), os.getuid(), by_systemd):
            raise ConfigError(problem)
        return os.read(descriptor, 65_536)
    finally:
        os.close(descriptor)


def decoded(content: bytes, path: Path) -> Credentials:
    """A key as it stands in a file; it is hidden in every log from now on. ConfigError, which never quotes it."""
    try:
        credentials = msgspec.json.decode(content, type=Credentials)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # the decoder's own words may quote the secret
        raise ConfigError(f"{path}: not a key file; it must be JSON: {_SHAPE}") from None
    if not credentials.key or not credentials.secret:
        raise ConfigError(f"{path}: key and secret must not be empty")
    hide(credentials.key, credentials.secret)
    return credentials


def refusal(path: Path, status: os.stat_result, uid: int, by_systemd: bool = False) -> str:
    """Why a file with this owner and mode must not hold a key; '' when it may. systemd gives root's group the right to
    read its credentials, which is how the mode shows that only our user may."""
    if not stat.S_ISREG(status.st_mode):
        return f"{path} must be a plain file"
    if status.st_uid not in (uid, 0):
        return f"{path} is owned by uid {status.st_uid}; it must be owned by you (uid {uid})"
    mode = stat.S_IMODE(status.st_mode)
    if mode & (0o037 if by_systemd and status.st_uid == status.st_gid == 0 else 0o077):
        return f"{path} has mode {mode:04o}; others can read your key: chmod 600 {path}"
    return ""


def _any_secret() -> str:
    return secrets.token_hex(32)


def create_embedded_credentials(path: Path, make_secret: Callable[[], str] = _any_secret) -> Credentials:
    """The key for the embedded venue at `path`: read when it is there, else made up and written 0600 first."""
    if path.exists() or path.is_symlink():
        return load_credentials(path)
    credentials = Credentials(key=secrets.token_hex(32), secret=make_secret())
    hide(credentials.key, credentials.secret)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(credentials))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # fails when another process was first: then its key is the key
    except FileExistsError:
        return load_credentials(path)
    finally:
        temporary.unlink()
    sync_folder(path.parent)
    return credentials
