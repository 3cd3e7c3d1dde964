"""A real venue that misbehaves and two real traders on it, over real sockets: the sandbox's is healed, the live one has
the same fault and no remedy."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from agents.embedded import read_port
from execution.autonomous.healing.remedies.trader_orders import TRADER_ORDERS
from execution.autonomous.healing.remedy import CannotHeal, Undo
from execution.console.venue_control import NotServed, ask_control
from execution.ledger.queries import runtime_state
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.family_hands import FamilyHands, issue_of
from tests.autonomous.healing.stalling_line import StallingLine
from tests.chaos.family import CONFIG, Family
from tests.support import eventually, eventually_async

SANDBOX, LIVE = "sandbox_optimus", "live_optimus"
TRADERS = (SANDBOX, LIVE)
REFUSED = "-2010"
LEFT = 20  # of the money: less than any order
SPEED = 600  # ten bars a second
DRILLS = CONFIG.replace("[venue]\n", "[venue]\ndrills = true\n")
ORDERS = {order.name: order for order in TRADER_ORDERS}
BROKEN, BTC = "momentum_breakout", "BTC/USDT"
MOVING = ("errors", "reflections", "breakers", "emergencies", "conditions")  # not healing's: what goes on meanwhile


class Scene:
    """The processes, and whoever heals them."""

    def __init__(self, family: Family, line: StallingLine) -> None:
        self.family = family
        self.line = line
        self.hands = FamilyHands(family)

    def fault(self, kind: str, on: str = "*", **more: Any) -> None:
        """The venue misbehaves from now on."""
        ask_control(self.family.home.data / "venue", "POST", "/faults", {"fault": kind, "on": on} | more)

    def no_fault(self) -> None:
        ask_control(self.family.home.data / "venue", "DELETE", "/faults")

    async def asked(self, process: str, verb: str, **arguments: Any) -> dict[str, Any]:
        """The answer, though the trader may be busy for a moment."""
        answers: list[dict[str, Any]] = []

        async def answered() -> bool:
            try:
                answers.append(await self.hands.ask(process, verb, **arguments))
            except CannotHeal as problem:
                if not any(word in str(problem) for word in ("answer", "too late", "starting")):
                    raise
            return bool(answers)

        await eventually_async(answered, 20, every_s=0.1)
        return answers[0]

    async def errors(self, process: str) -> list[dict[str, Any]]:
        """What went wrong there of late."""
        found: list[dict[str, Any]] = (await self.asked(process, "errors"))["errors"]
        return found

    async def metrics(self, process: str, component: str) -> dict[str, Any]:
        told = await self.asked(process, "status")
        found: dict[str, Any] = told["components"][component]["metrics"]
        return found

    async def healed(self, name: str, kind: IssueType, process: str = SANDBOX, **context: str) -> Undo:
        """Ask whether it could be done, then have it done; what a revert needs."""
        order, issue = ORDERS[name], issue_of(kind, process, exception="SomeError", context=context)
        assert kind in order.fits and await order.obstacle(issue, self.hands) == ""
        return await order.apply(issue, self.hands)

    async def reverted(self, name: str, undo: Undo) -> None:
        """Taken back, and once more, which changes nothing."""
        for _ in range(2):
            await ORDERS[name].revert(undo, self.hands)

    def kept(self) -> bytes:
        """What healing may change of what the sandbox's trader keeps in its ledger, as it stands on the disk."""
        state = runtime_state(self.family.home.ledger("sandbox"))
        return json.dumps({key: value for key, value in state.items() if key not in MOVING}).encode()

    def audited(self, process: str, kind: str) -> list[dict[str, Any]]:
        """The lines of a kind in its audit trail."""
        whole, _, _ = self.family.home.audit_trail(process).read_text().rpartition("\n")
        found = [json.loads(line) for line in whole.splitlines() if f'"kind":"{kind}"' in line]
        return [row for row in found if row["kind"] == kind]

    def entries(self, process: str) -> list[dict[str, Any]]:
        """What it has decided to buy."""
        return [row for row in self.audited(process, "decision") if row.get("side") == "buy"]

    async def events(self, process: str) -> int:
        """What its user stream has heard."""
        return int((await self.metrics(process, "user_stream"))["events"])

    async def hears(self, process: str, more_than: int = 0) -> None:
        """Wait until its user stream has heard more events than that."""

        async def heard() -> bool:
            return await self.events(process) > more_than

        await eventually_async(heard, 20)

    async def offset_ms(self, process: str) -> int:
        """How far it believes the venue's clock to be from ours."""
        return int((await self.metrics(process, "gateway"))["clock_offset_ms"])

    async def compared(self, process: str) -> str:
        """When its books were last compared with the venue's."""
        return str((await self.asked(process, "status"))["components"]["reconciliation"]["last_activity"])

    async def refused_for_funds(self) -> None:
        """Money is away that its books still have, and its next purchase is refused; unless it has compared just before
        and buys nothing at all: then it is tried again. In the end the money is back."""
        self.fault("drop_event", "sandbox balanceUpdate", for_s=3600.0)
        for _ in range(4):
            await self.at_rest()
            money = int(float((await self.asked(SANDBOX, "status"))["equity"])) - LEFT
            self.fault("balance", "sandbox/USDT", value=str(-money))
            await self.asked(SANDBOX, "resume")
            refused = await eventually_async(self._refused_or_aware, 30) == REFUSED
            self.fault("balance", "sandbox/USDT", value=str(money))
            if refused:
                return
        raise AssertionError("each time it was aware of it before it bought")

    async def _refused_or_aware(self) -> str:
        if any(REFUSED in row["message"] for row in await self.errors(SANDBOX)):
            return REFUSED
        return "" if (await self.asked(SANDBOX, "status"))["reconciled"] else "aware"

    async def at_rest(self) -> None:
        """A person pauses both; what is under way comes to its end."""
        for name in TRADERS:
            await self.asked(name, "pause", reason="by ann")
        await eventually_async(lambda: all(map(self.family.is_quiet, ("sandbox", "live"))), 20, every_s=0.1)

    async def at_work(self) -> None:
        for name in TRADERS:
            await self.asked(name, "resume")

    def played(self, play: Callable[[], Awaitable[None]]) -> None:
        """Play it; no fault and no pause outlasts it."""
        self.hands.kept.clear()
        try:
            asyncio.run(play())  # type: ignore[arg-type]
        finally:
            self.no_fault()
            asyncio.run(self.at_work())

    def begin(self, *traders: str) -> None:
        """Have them running, reconciled."""
        self.family.start("venue")
        eventually(lambda: read_port(self.family.home) == self.line.port, 20)  # nobody connects past the line
        eventually(self._served, 20)
        self.family.start(*traders)
        eventually(lambda: all(self._at_work(name) for name in TRADERS), 30)

    def _served(self) -> bool:
        """Does the venue answer, and not only the file of an earlier one say where it was?"""
        try:
            self.no_fault()
        except NotServed:
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.line.venue_port)) == 0

    def _at_work(self, trader: str) -> bool:
        try:
            return bool(asyncio.run(self.hands.ask(trader, "status"))["reconciled"])
        except CannotHeal:
            return False
