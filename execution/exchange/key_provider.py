"""Where a real account's key comes from, first hit first: systemd's credentials, a file of ours, the keyring. Never the
environment or the command line. A place that has a key but isn't fit is an error, not a reason to look elsewhere.
"""

import importlib
import importlib.util
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from execution.exchange.credentials import Credentials, decoded, load_credentials, read_private
from execution.runtime.files import sync_folder
from execution.runtime.home import Home
from execution.vocabulary.exit_codes import ConfigError

KEYRING_SERVICE = "nae"


class Found(msgspec.Struct, frozen=True):
    """A key, and where it was found."""

    credentials: Credentials
    source: str


def keys_folder(home: Home) -> Path:
    """The folder of key files; nobody else may look into it."""
    return home.data / "keys"


def own_file(home: Home, account: str) -> Path:
    """The key file of a real account."""
    return keys_folder(home) / f"{account}.json"


def fingerprint_file(home: Home, account: str) -> Path:
    """The key's name, not the key: for whoever must not use it, and may not read it."""
    return keys_folder(home) / f"{account}.fingerprint"


def find_credentials(home: Home, account: str, environment: Mapping[str, str]) -> Found:
    """The key of a real account. ConfigError names the places that were looked at, or what is wrong with one."""
    systemd = environment.get("CREDENTIALS_DIRECTORY")
    if systemd and (given := Path(systemd) / f"nae-{account}").exists():
        return Found(decoded(read_private(given, by_systemd=True), given), f"systemd's credential {given.name}")
    own = own_file(home, account)
    if own.exists() or own.is_symlink():
        check_folder(own.parent)
        return Found(load_credentials(own), str(own))
    if (kept := _from_keyring(account)) is not None:
        return Found(kept, f"the keyring ({KEYRING_SERVICE}, {account})")
    raise ConfigError(
        f"no key for the {account} account: not among systemd's credentials (nae-{account}), not in {own}, not in the "
        f"keyring; nae keys set {account} asks for one"
    )


def check_folder(folder: Path) -> None:
    """ConfigError when others may look into it, or it isn't ours."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (os.getuid(), 0):
        raise ConfigError(f"{folder} must be a folder owned by you (uid {os.getuid()})")
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(f"{folder} is open to others ({mode:03o} too much): chmod 700 {folder}")


def keep(home: Home, account: str, credentials: Credentials, replace: bool) -> Path:
    """Write the key into its own file, closed to others from the first moment. ConfigError when one is there."""
    path = own_file(home, account)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    if (path.exists() or path.is_symlink()) and not replace:
        raise ConfigError(f"{path}: there is a key already; nae keys set {account} --replace puts another in its place")
    _write(path, msgspec.json.encode(credentials))
    _write(fingerprint_file(home, account), f"{credentials.fingerprint}\n".encode())
    sync_folder(path.parent)
    return path


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def refuse_key_of(home: Home, other: str, credentials: Credentials) -> None:
    """ConfigError when this is the key of the `other` account: whoever has it by mistake must not even try it."""
    try:
        forbidden = fingerprint_file(home, other).read_text().strip()
    except FileNotFoundError:
        return
    if credentials.fingerprint == forbidden:
        raise ConfigError(f"this is the {other} account's key; this account needs one of its own")


def _from_keyring(account: str) -> Credentials | None:
    """The key as JSON in the user's keyring, where the package `keyring` is installed."""
    if importlib.util.find_spec("keyring") is None:
        return None
    keyring = importlib.import_module("keyring")
    try:
        kept = keyring.get_password(KEYRING_SERVICE, account)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"the keyring can't be read ({type(error).__name__}); a key file is the other way") from None
    return None if kept is None else decoded(str(kept).encode(), Path(f"keyring:{KEYRING_SERVICE}/{account}"))
