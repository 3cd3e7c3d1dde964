"""A locked package is missing or damaged: the whole lock is installed into a folder beside, hashes required, and what
is damaged in the environment is exchanged for what stands there, file by file. Never a package by name, nothing that
isn't in the lock, never while the live account holds anything. Until the exchange nothing is touched.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Terms, Undo, folder_of
from execution.autonomous.healing.worker_thread import finished
from execution.autonomous.new_build import stage
from execution.autonomous.packages import Environment, damage, installed, is_damaged, package_of, wrong_file
from execution.runtime.files import sync_folder
from execution.vocabulary.issues import IssueType
from execution.vocabulary.modes import Account

IMPORT_ERRORS = ("ModuleNotFoundError", "ImportError", "SyntaxError")


class ResyncLock:
    """`environment`: our own unless another is given; `options` are for the installer (where packages come from)."""

    name = "resync_lock"
    what = "exchanges missing or damaged files of locked packages for those that the lock's hashes vouch for"

    def __init__(self, environment: Environment | None = None, options: Sequence[str] = ()) -> None:
        self._given = environment
        self._options = options
        terms = Terms(budget=2, window_s=86_400.0, cool_down_s=300.0, deadline_s=1200.0, reverted_when_useless=True)
        self.fits = {IssueType.IMPORT: terms, IssueType.SYNTAX: terms}

    @property
    def _environment(self) -> Environment:
        return self._given or Environment.ours()

    async def obstacle(self, issue: Issue, hands: Hands) -> str:
        environment = self._environment
        if issue.exception not in IMPORT_ERRORS:
            return "nothing failed to be imported"
        try:
            if why := await finished(lambda: _not_ours(environment, issue.context.get("name", ""))):
                return why
        except OSError as error:
            return f"the lock can't be read: {error}"
        if not os.access(environment.site, os.W_OK):
            return f"{environment.site} can't be written from here: run scripts/install.sh as its owner"
        if hands.is_exposed(Account.LIVE):
            return "the live account holds something: packages aren't exchanged under it"
        return ""

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        environment = self._environment
        place = folder_of(hands.home) / "resync" / str(hands.clock.now_ms())
        staged, aside = place / "staged", place / "aside"
        staged.mkdir(parents=True)
        try:
            wrong = await finished(lambda: damage(environment))
            options = tuple(self._options)
            if problem := await finished(lambda: stage(environment.lock, staged, environment.python, options)):
                raise CannotHeal(f"{problem}\nthe environment is as it was; scripts/install.sh tells more")
            fresh = _staged_environment(environment, staged)
            undo = await finished(lambda: _plan(environment, fresh, wrong, aside))
            if hands.is_exposed(Account.LIVE):
                raise CannotHeal("the live account has come to hold something meanwhile: nothing was exchanged")
            await finished(lambda: _keep_aside(environment, undo))
            hands.keep(undo)
            try:
                await finished(lambda: _exchange(environment, fresh, undo))
                if left := await finished(lambda: damage(environment)):
                    raise CannotHeal(f"still not as locked: {', '.join(left)}")
            except (OSError, CannotHeal):
                await finished(lambda: _put_back(environment, undo))
                raise
        except OSError as error:
            raise CannotHeal(
                f"the packages couldn't be exchanged: {error}; scripts/install.sh installs them"
            ) from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        await hands.renew(issue.process, "a damaged package of the lock was exchanged")
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        kept = Path(undo["aside"])
        if hands.is_exposed(Account.LIVE) and await finished(kept.exists):
            why = "the live account holds something, or nobody runs who could say: packages aren't exchanged under it"
            raise CannotHeal(f"{why}; nae up, and revert it when the account is flat")
        try:
            await finished(lambda: _put_back(self._environment, undo))
        except OSError as error:
            raise CannotHeal(f"the files couldn't be put back: {error}; scripts/install.sh installs anew") from error


def _not_ours(environment: Environment, module: str) -> str:
    """Why this module's failing isn't for the lock to mend; '' when it is. Cheap: only its own package is read."""
    package = package_of(environment, module) if module else ""
    if module and not package:
        return "the module that is missing belongs to no package of the lock: nothing is ever installed by name"
    if (package and is_damaged(environment, package)) or damage(environment, deep=False):
        return ""
    return "every locked package is there, as it was installed"


def _staged_environment(environment: Environment, staged: Path) -> Environment:
    site = staged / environment.site.relative_to(environment.prefix)
    return Environment(staged, site, environment.python, environment.lock)


def _plan(environment: Environment, fresh: Environment, wrong: dict[str, str], aside: Path) -> Undo:
    """Which files are exchanged, named from the environment's folder. Raises CannotHeal."""
    if not wrong:
        raise CannotHeal("every file of every locked package is as it was installed")
    here, there = installed(environment), installed(fresh)
    old: set[str] = set()
    new: set[str] = set()
    for name in wrong:
        package = there.get(name)
        if package is None or (problem := wrong_file(package)):
            raise CannotHeal(f"{name} came damaged too: {'missing' if package is None else problem}")
        new |= {str(file.path.relative_to(fresh.prefix)) for file in package.files if file.path.exists()}
        if before := here.get(name):
            files = {file.path for file in before.files} | set(before.folder.rglob("*"))
            old |= {str(path.relative_to(environment.prefix)) for path in files if path.is_file()}
    standing = {name for name in new if (environment.prefix / name).is_file()}
    return {
        "aside": str(aside),
        "replaced": sorted(old | standing),
        "added": sorted(new - old - standing),
        "why": wrong,
    }


def _keep_aside(environment: Environment, undo: Undo) -> None:
    for name in undo["replaced"]:
        target = Path(undo["aside"]) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(environment.prefix / name, target)


def _exchange(environment: Environment, fresh: Environment, undo: Undo) -> None:
    """Each file whole, the old or the new; records last, so that a cut off exchange still looks damaged."""
    names = {str(path.relative_to(fresh.prefix)) for path in fresh.prefix.rglob("*") if path.is_file()}
    for name in sorted({*undo["replaced"], *undo["added"]}, key=lambda name: (name.endswith("RECORD"), name)):
        if name in names:
            _put(fresh.prefix / name, environment.prefix / name)
        else:
            (environment.prefix / name).unlink(missing_ok=True)
            _remove_if_empty((environment.prefix / name).parent, environment.site)


def _put_back(environment: Environment, undo: Undo) -> None:
    for name in undo["replaced"]:
        kept, place = Path(undo["aside"]) / name, environment.prefix / name
        if kept.exists() and not (place.exists() and place.read_bytes() == kept.read_bytes()):
            _put(kept, place)
        elif kept.exists():
            shutil.copystat(kept, place)
    for name in undo["added"]:
        place = environment.prefix / name
        place.unlink(missing_ok=True)
        _remove_if_empty(place.parent, environment.site)
    shutil.rmtree(Path(undo["aside"]).parent, ignore_errors=True)


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copy2(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)


def _remove_if_empty(folder: Path, site: Path) -> None:
    """A folder that came with the files goes with them, compiled code in it too."""
    while folder != site and folder.is_relative_to(site):
        left = [path for path in folder.iterdir() if path.name != "__pycache__"] if folder.exists() else []
        if left:
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder = folder.parent


RESYNC_LOCK = ResyncLock()
