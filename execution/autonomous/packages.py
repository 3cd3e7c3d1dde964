"""What the lock says, and whether it is what's installed: every locked package, every file of it by its recorded hash.

Looks only; packages are installed by scripts/install.sh, and exchanged by the remedy resync_lock.
"""

import base64
import csv
import hashlib
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from execution.runtime.home import CODE_ROOT

BLOCK_BYTES = 2**20
LOCKED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)([ \t]*;)?")
INSTALLED = re.compile(r"(?P<name>[A-Za-z0-9._]+)-(?P<version>[^-]+)\.dist-info")


@dataclass(frozen=True)
class Environment:
    """A Python environment, and the lock it was made from."""

    prefix: Path
    site: Path  # where packages are, below the prefix
    python: Path
    lock: Path

    @classmethod
    def ours(cls) -> "Environment":
        """The one that this process runs in, with the lock of the build that it runs."""
        site = Path(sysconfig.get_paths()["purelib"])
        return cls(Path(sys.prefix), site, Path(sys.executable), CODE_ROOT / "requirements.lock")


@dataclass(frozen=True)
class Recorded:
    """A file of a package, as its RECORD has it. `digest` is empty for what isn't hashed (compiled code, RECORD)."""

    path: Path
    digest: str
    size: int | None


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    version: str
    files: list[Recorded]
    folder: Path  # its metadata


def plain_name(name: str) -> str:
    """One spelling for all: Foo_Bar is foo-bar."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> dict[str, tuple[str, bool]]:
    """By name: the version, and whether it must be there on every machine. Raises OSError."""
    found: dict[str, tuple[str, bool]] = {}
    for line in lock.read_text().splitlines():
        if row := LOCKED.match(line):
            name, everywhere = plain_name(row[1]), not row[3]
            if everywhere or name not in found:
                found[name] = (row[2] if everywhere else "", everywhere)
    return found


def installed(environment: Environment) -> dict[str, Package]:
    """By name. A package whose record is lost has no files here."""
    found = {}
    for folder in environment.site.glob("*.dist-info"):
        if named := INSTALLED.fullmatch(folder.name):
            name = plain_name(named["name"])
            found[name] = Package(name, named["version"], _record(folder / "RECORD", environment), folder)
    return found


def _record(path: Path, environment: Environment) -> list[Recorded]:
    try:
        rows = list(csv.reader(path.read_text().splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    found = []
    for row in rows:
        if len(row) != 3:
            continue
        file = Path(_normal(environment.site / row[0]))
        if file.is_relative_to(environment.prefix):  # never a file of somebody else
            found.append(Recorded(file, row[1], int(row[2]) if row[2].isdecimal() else None))
    return found


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return str(Path(*parts))


def damage(environment: Environment, deep: bool = True) -> dict[str, str]:
    """What isn't as locked, by package; without `deep` files are looked at by their size only. Raises OSError for a
    lock that can't be read."""
    here, found = installed(environment), {}
    for name, (version, everywhere) in locked(environment.lock).items():
        package = here.get(name)
        if package is None:
            if everywhere:
                found[name] = "isn't installed"
        elif version and package.version != version:
            found[name] = f"{package.version} is installed, {version} is locked"
        elif wrong := wrong_file(package, deep):
            found[name] = wrong
    return found


def wrong_file(package: Package, deep: bool = True) -> str:
    """The first file that isn't as recorded, and how; '' when all are."""
    if not package.files:
        return "its record is lost"
    for file in package.files:
        if not file.digest:
            continue
        try:
            if file.size is not None and file.path.stat().st_size != file.size:
                return f"{file.path} has another size"
            if deep and digest_of(file.path, file.digest) != file.digest:
                return f"{file.path} has other content"
        except OSError as error:
            return f"{file.path}: {error.strerror}"
    return ""


def digest_of(path: Path, like: str) -> str:
    """The file's hash, written as `like` is: sha256=... Raises OSError."""
    kind = like.partition("=")[0]
    if kind not in hashlib.algorithms_guaranteed or kind.startswith("shake"):
        return ""
    found = hashlib.new(kind)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            found.update(block)
    return f"{kind}={base64.urlsafe_b64encode(found.digest()).rstrip(b'=').decode()}"


def package_of(environment: Environment, module: str) -> str:
    """Which package of the lock brings the top-level module of this name: by the packages' own records, or by the
    lock's list of names where the record is lost too; '' when none does. Raises OSError."""
    top, names, here = module.partition(".")[0], locked(environment.lock), installed(environment)
    for name in names:
        for file in here[name].files if name in here else ():
            if file.path.is_relative_to(environment.site):
                first = file.path.relative_to(environment.site).parts[0]
                if top in (first, first.partition(".")[0]):
                    return name
    return plain_name(top) if plain_name(top) in names else ""


def is_damaged(environment: Environment, package: str) -> bool:
    """Is a file of this package missing, or other than it was installed? Raises OSError."""
    found = installed(environment).get(package)
    return found is None or bool(wrong_file(found))
