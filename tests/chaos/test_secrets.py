"""No key, no secret and no signature anywhere but in the key files, whatever breaks in the middle of a request."""

import asyncio
import re
import threading
from functools import partial
from pathlib import Path

import psutil

from agents.embedded import key_file
from execution.exchange.credentials import Credentials, load_credentials
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
from execution.runtime.codec import encode
from execution.vocabulary.messages import Fact
from execution.vocabulary.modes import Account
from tests.chaos.checker import orders_sent
from tests.chaos.family import CONFIG, Family, family_in
from tests.support import eventually

TALKATIVE = CONFIG + '[operation]\nlog_level = "DEBUG"\n'
EVERYBODY = ("venue", "sandbox_optimus", "live_optimus")
SIGNATURE = re.compile(rb"signature['\"]?[=:]\s*['\"]?[0-9a-f]{16}", re.IGNORECASE)


async def _overhear(family: Family, over: threading.Event, heard: list[bytes]) -> None:
    bus = Bus(family.home.run, "eavesdropper", SystemClock())

    def keep(fact: Fact) -> None:
        heard.append(encode(fact))

    listening = asyncio.create_task(bus.listen(EVERYBODY, keep))
    while not over.is_set():
        await SystemClock().sleep(0.1)
    listening.cancel()
    bus.close()


def canaries(family: Family) -> list[bytes]:
    keys: list[Credentials] = [load_credentials(key_file(family.home, account)) for account in Account]
    return [word.encode() for pair in keys for word in (pair.key, pair.secret)]


def told_in(text: bytes, words: list[bytes]) -> bool:
    return any(word in text for word in words) or SIGNATURE.search(text) is not None


def has_connected(family: Family, before: int) -> bool:
    return orders_sent(family.home.root) > before


def test_no_secret_is_written_said_or_passed_on_while_requests_break(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with family_in(tmp_path / "home", config=TALKATIVE) as family:
        over = threading.Event()
        ear = threading.Thread(target=asyncio.run, args=(_overhear(family, over, heard),))
        ear.start()
        family.start(*EVERYBODY)
        for _ in range(2):
            eventually(partial(has_connected, family, orders_sent(family.home.root)), within_s=20)
            family.kill("venue")
            family.start("venue")
        eventually(partial(has_connected, family, orders_sent(family.home.root)), within_s=20)
        words = canaries(family)
        for name in EVERYBODY:
            process = psutil.Process(family.process(name).pid)
            assert not told_in(repr((process.environ(), process.cmdline())).encode(), words), name
        over.set()
        ear.join()
        for name in EVERYBODY[1:]:
            assert family.stop(name) == 0
        assert family.stop("venue") == 0
        files = [path for path in family.home.root.rglob("*") if path.is_file()]
        secret_files = {key_file(family.home, account) for account in Account}
        assert {path for path in files if told_in(path.read_bytes(), words)} == secret_files
        assert heard and not any(told_in(message, words) for message in heard)
        assert "waiting for the venue" in family.log("live_optimus") or "feed:" in family.log("live_optimus")
