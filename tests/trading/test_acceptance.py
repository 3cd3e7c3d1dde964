"""Money that nobody explains stops entries, says what it is, and is booked only by a person who has seen it; a venue
that asks for silence meanwhile changes nothing of that."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from agents.optimus_commands import carry_out
from execution.exchange.reconciliation import reconcile
from execution.runtime.bus import Refused
from execution.venue.faults import Fault, Faults, Rule
from tests.support import eventually_async
from tests.trading.test_protection import HOLDS_ON, buy
from tests.trading.venue import Trader, running_venue

DEPOSIT = Decimal("123.45")


def test_a_deposit_and_a_429_leave_entries_off_until_a_person_accepts_it(tmp_path: Path) -> None:
    async def run() -> None:
        faults = Faults(7)
        async with running_venue(tmp_path, faults=faults) as port:
            trader = Trader(tmp_path, port, config=HOLDS_ON)
            await trader.start()
            system = trader.system
            await eventually_async(
                lambda: system.recovery.reconciled and system.components()["user_stream"].status == "healthy"
            )
            faults.add(Rule(Fault.BALANCE, "sandbox/USDT", value=DEPOSIT))
            faults.add(Rule(Fault.TOO_MANY_REQUESTS, "GET /api/v3/account", value=Decimal(1), times=1))
            says = await eventually_async(lambda: system.recovery.differences, within_s=15)
            assert "a deposit of 123.45" in says[0]
            assert "isn't reconciled" in ((await buy(trader)).refusal or "")
            await eventually_async(lambda: not trader.gateway.quiet_for_s())

            with pytest.raises(Refused, match="something else differs by now"):
                await carry_out(system, "reconcile", {"accept": ["USDT: quite another thing"], "by": "ann"})
            told = await carry_out(system, "reconcile", {})
            assert not told["reconciled"], "looking alone books nothing"
            told = await carry_out(system, "reconcile", {"accept": told["differences"], "by": "ann"})
            assert told == {"reconciled": True, "differences": []}
            assert (await buy(trader)).fills
            assert (await reconcile(trader.gateway, trader.ledger)).reconciled
            await trader.stop()

    asyncio.run(run())
