"""A damaged environment of its own, with a lock and wheels of its own: exchanged for what the hashes vouch for, or left
as it is, byte for byte."""

import asyncio
import base64
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from execution.autonomous.healing.remedies.resync_lock import ResyncLock
from execution.autonomous.healing.remedy import CannotHeal, Issue
from execution.autonomous.packages import Environment, damage, package_of
from execution.runtime.home import Home
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.family_hands import issue_of
from tests.autonomous.healing.idle_hands import QuietHands
from tests.support import rounds

FRUIT = {
    "fruit/__init__.py": "from fruit.core import SWEET\n",
    "fruit/core.py": "SWEET = True\n",
    "fruit/data.txt": "apple\n",
    "fruit_tools.py": "def main() -> None: ...\n",
}
SHELF = {"shelf.py": "import fruit\n"}


def wheel(folder: Path, name: str, version: str, files: dict[str, str], script: str = "") -> str:
    """A package as an index has it; its line of a lock."""
    info = f"{name}-{version}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = fruit_tools:main\n"
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(exist_ok=True)
    target = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with two packages, as scripts/install.sh would make it; and a wheel that the lock doesn't name."""
    root = tmp_path_factory.mktemp("made")
    lock = wheel(root / "wheels", "fruit", "1.2", FRUIT, script="peel") + wheel(root / "wheels", "shelf", "3.0", SHELF)
    wheel(root / "wheels", "evil", "1.0", {"evil.py": "raise SystemExit\n"})
    (root / "requirements.lock").write_text(lock)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "venv")], check=True)
    options = ["--no-index", "--find-links", str(root / "wheels"), "--no-deps", "--ignore-installed", "--quiet"]
    words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    subprocess.run([*words, "--no-compile", "--prefix", str(root / "venv"), "fruit", "shelf"], check=True)
    return root


class Scene:
    """A copy of it that a test may spoil."""

    def __init__(self, made: Path, root: Path) -> None:
        shutil.copytree(made, root / "e", symlinks=True)
        prefix = root / "e" / "venv"
        site = prefix / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        self.environment = Environment(prefix, site, Path(sys.executable), root / "e" / "requirements.lock")
        self.wheels = root / "e" / "wheels"
        self.hands = QuietHands(Home(root / "home"))
        self.remedy = ResyncLock(self.environment, ("--no-index", "--find-links", str(self.wheels)))

    def file(self, name: str) -> Path:
        return self.environment.site / name

    def imports(self, module: str = "shelf") -> str:
        """What a worker in this environment says when it imports it: '' when all is well."""
        python = self.environment.prefix / "bin" / "python"
        done = subprocess.run([python, "-B", "-c", f"import {module}"], capture_output=True, text=True, check=False)
        return done.stderr

    def picture(self) -> dict[str, bytes]:
        whole = self.environment.prefix
        return {str(path.relative_to(whole)): path.read_bytes() for path in whole.rglob("*") if path.is_file()}

    def issue(self, name: str = "fruit.core", exception: str = "ModuleNotFoundError") -> Issue:
        return issue_of(IssueType.IMPORT, "ralph", exception=exception, context={"name": name})

    def obstacle(self, issue: Issue | None = None) -> str:
        return asyncio.run(self.remedy.obstacle(issue or self.issue(), self.hands))


@pytest.fixture
def scene(made: Path, tmp_path: Path) -> Scene:
    return Scene(made, tmp_path)


def delete_a_file(scene: Scene) -> None:
    scene.file("fruit/core.py").unlink()


def empty_a_file(scene: Scene) -> None:
    scene.file("fruit/core.py").write_text("")


def alter_a_byte(scene: Scene) -> None:
    scene.file("fruit/core.py").write_text("SWEAT = True\n")


def delete_the_package(scene: Scene) -> None:
    shutil.rmtree(scene.file("fruit"))
    shutil.rmtree(scene.file("fruit-1.2.dist-info"))


def delete_the_record(scene: Scene) -> None:
    scene.file("fruit-1.2.dist-info/RECORD").unlink()
    scene.file("fruit/core.py").unlink()


def install_another_version(scene: Scene) -> None:
    scene.file("fruit-1.2.dist-info").rename(scene.file("fruit-0.9.dist-info"))
    scene.file("fruit/core.py").write_text("")


DAMAGE = [
    delete_a_file,
    alter_a_byte,
    delete_the_package,
    install_another_version,
    empty_a_file,
    delete_the_record,
][: max(4, rounds())]


@pytest.mark.parametrize("spoil", DAMAGE)
def test_a_damaged_package_works_again_and_the_revert_brings_the_damage_back_byte_for_byte(
    scene: Scene, spoil: object
) -> None:
    whole = scene.picture()
    assert scene.obstacle().startswith("every locked package is there")
    assert callable(spoil)
    spoil(scene)
    assert "Error" in scene.imports()
    assert list(damage(scene.environment)) == ["fruit"]
    damaged = scene.picture()
    assert not scene.obstacle()
    undo = asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert scene.imports() == ""
    assert scene.picture() == whole
    assert scene.hands.renewed == ["ralph"]
    assert scene.hands.kept == [undo]
    assert not list(scene.hands.home.data.rglob("staged"))
    asyncio.run(scene.remedy.revert(undo, scene.hands))
    assert scene.picture() == damaged
    asyncio.run(scene.remedy.revert(undo, scene.hands))
    assert scene.picture() == damaged, "a second revert does nothing"
    assert not list(scene.hands.home.data.rglob("aside"))


def test_a_package_that_isnt_what_the_lock_vouches_for_changes_nothing(scene: Scene) -> None:
    delete_a_file(scene)
    wheel(scene.wheels, "fruit", "1.2", FRUIT | {"fruit/core.py": "SWEET = 'poison'\n"}, script="peel")
    damaged = scene.picture()
    with pytest.raises(CannotHeal, match="DO NOT MATCH THE HASHES"):
        asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert scene.picture() == damaged
    assert not scene.hands.kept
    assert not scene.hands.renewed


def test_without_the_packages_at_hand_the_environment_stays_as_it_was(scene: Scene) -> None:
    delete_a_file(scene)
    shutil.rmtree(scene.wheels)
    damaged = scene.picture()
    with pytest.raises(CannotHeal, match="the environment is as it was"):
        asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert scene.picture() == damaged


def test_nothing_is_exchanged_under_a_live_account_that_holds_something(scene: Scene) -> None:
    delete_a_file(scene)
    damaged = scene.picture()
    scene.hands.exposed = {"live"}
    assert "the live account holds something" in scene.obstacle()
    with pytest.raises(CannotHeal, match="nothing was exchanged"):
        asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert scene.picture() == damaged


@pytest.mark.parametrize("name", ["evil", "ccxt-mexc-futures", "fruit; pip install evil", "../evil", "os", "-r evil"])
def test_what_isnt_in_the_lock_is_never_installed_whatever_it_is_called(scene: Scene, name: str) -> None:
    delete_a_file(scene)
    assert "nothing is ever installed by name" in scene.obstacle(scene.issue(name))
    assert package_of(scene.environment, name) == ""


def test_an_exchange_that_is_cut_off_can_be_reverted_with_what_was_kept_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.file("fruit/core.py").write_text("SWEAT = True\n")
    scene.file("fruit/data.txt").unlink()
    damaged = scene.picture()

    def cut_off(path: Path, target: Path) -> None:
        if target.name == "data.txt":
            raise KeyboardInterrupt
        path.rename(target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert scene.file("fruit/core.py").read_text() == "SWEET = True\n"
    assert not scene.file("fruit/data.txt").exists()
    asyncio.run(scene.remedy.revert(scene.hands.kept[0], scene.hands))
    assert scene.picture() == damaged


def test_a_record_that_names_files_of_others_moves_none_of_them(scene: Scene) -> None:
    stranger = scene.environment.prefix.parent / "stranger"
    stranger.write_text("mine")
    record = scene.file("fruit-1.2.dist-info/RECORD")
    record.write_text(record.read_text() + "../../../../stranger,,\n/etc/hostname,,\n")
    delete_a_file(scene)
    undo = asyncio.run(scene.remedy.apply(scene.issue(), scene.hands))
    assert not [name for name in undo["replaced"] if "stranger" in name or "hostname" in name]
    assert stranger.read_text() == "mine"


def test_our_own_environment_is_as_its_lock_says() -> None:
    ours = Environment.ours()
    assert ours.site == Path(sysconfig.get_paths()["purelib"])
    assert damage(replace(ours, lock=ours.lock), deep=False) == {}
