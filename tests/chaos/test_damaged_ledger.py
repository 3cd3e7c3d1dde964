"""A trader's ledger is damaged under it, again and again: it comes back alone, and nothing is doubled or forgotten."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.chaos.checker import orders_sent
from tests.chaos.family import Family, family_in
from tests.chaos.test_kills import settle, traded_on
from tests.support import eventually, rounds

TRADERS = ("sandbox_optimus", "live_optimus", "live_optimus_standby")


def overwrite(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(20):
        at = chance.randrange(len(content))
        content[at : at + 200] = bytes(min(200, len(content) - at))
    path.write_bytes(content)


def cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def lose_its_log(path: Path, chance: random.Random) -> None:
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)


def remove(path: Path, chance: random.Random) -> None:
    path.unlink()


HARM: tuple[Callable[[Path, random.Random], None], ...] = (overwrite, lose_its_log, remove, cut)


def is_reconciled(family: Family, account: str) -> bool:
    report = family.report(account)
    return bool(report and report.reconciled)


def test_a_ledger_damaged_under_its_trader_is_built_again_and_the_account_goes_on(tmp_path: Path) -> None:
    chance = random.Random(5)
    with family_in(tmp_path / "home", seed=5, speed=2000) as family:
        family.start("venue", *TRADERS)
        for number in range(rounds(2)):
            sent = orders_sent(family.home.root) if number else 0
            eventually(partial(traded_on, family, sent + 3), within_s=30, every_s=0.01)
            for account in ("sandbox", "live"):
                eventually(partial(is_reconciled, family, account), within_s=30, every_s=0.05)
            family.kill(*TRADERS)
            for account in ("sandbox", "live"):
                HARM[number % len(HARM)](family.home.ledger(account), chance)
            family.start(*TRADERS)
        family.kill("live_optimus_standby")
        settle(family)
        family.is_sound()
        assert len(list(family.home.account("live").glob("replaced-*"))) >= 1
        assert "built again" in family.log("sandbox_optimus")
