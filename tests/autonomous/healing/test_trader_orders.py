"""Each order to a trader against its real fault: a real venue that misbehaves, real traders over real sockets. The live
trader has the same fault and no remedy: what it goes on suffering shows that the remedy did it. What was put is taken
back, and the account's kept state is what it was, byte for byte."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from execution.autonomous.healing.remedies.restart import RESTART
from execution.autonomous.healing.remedies.trader_orders import TRADER_ORDERS, TraderOrder
from execution.autonomous.healing.remedy import CannotHeal
from execution.vocabulary.issues import IssueType
from tests.autonomous.healing.drilled_traders import BROKEN, BTC, DRILLS, LIVE, ORDERS, SANDBOX, SPEED, TRADERS, Scene
from tests.autonomous.healing.family_hands import issue_of
from tests.autonomous.healing.stalling_line import StallingLine
from tests.chaos.family import COMMANDS, SYMBOLS, family_in
from tests.chaos.test_kills import free_port
from tests.support import eventually_async


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    line = StallingLine(free_port())
    with family_in(tmp_path_factory.mktemp("operation"), speed=SPEED, config=DRILLS, line=line) as family:
        made = Scene(family, line)
        made.begin(*TRADERS)
        yield made


def test_streams_that_fell_silent_are_opened_anew_and_without_it_the_account_stays_deaf(scene: Scene) -> None:
    async def play() -> None:
        for name in TRADERS:
            await scene.hears(name)
        scene.line.stall(streams_only=True)
        deaf, before = await scene.events(LIVE), await scene.events(SANDBOX)
        undo = await scene.healed("reconnect", IssueType.CONNECTION)
        assert undo["told"]["reopened"] == ["feed", "user_stream"] and undo["left"] == "nothing to put back"
        await scene.hears(SANDBOX, before + 4)
        assert await scene.events(LIVE) <= deaf + 2, "who isn't healed hears nothing of its own account"
        await scene.reverted("reconnect", undo)
        await scene.healed("reconnect", IssueType.CONNECTION, LIVE)

    scene.played(play)


def test_new_connections_end_the_wait_for_answers_that_never_come(scene: Scene) -> None:
    """The live trader is healed here: it asks twice a second, so that the other one's lines are the quiet ones."""

    async def play() -> None:
        await scene.at_rest()
        made, unanswered = scene.line.made, False
        for _ in range(3):  # a comparison of its own may just have had the only line there was
            scene.line.stall()
            await scene.healed("new_client", IssueType.TIMEOUT, LIVE)
            assert (await scene.hands.ask(LIVE, "reconcile"))["reconciled"], "the very next question is answered"
            try:
                await scene.hands.ask(SANDBOX, "reconcile")
            except CannotHeal as problem:
                unanswered = "didn't answer" in str(problem)
                break
        assert unanswered and scene.line.made >= made + 3, "a line for requests, the market and the account each"
        await scene.asked(SANDBOX, "status")
        await scene.healed("new_client", IssueType.TIMEOUT)

    scene.played(play)


def test_a_clock_that_is_off_within_what_the_venue_takes_is_measured_anew(scene: Scene) -> None:
    async def play() -> None:
        for name in TRADERS:  # from now on nobody asks by itself for a while
            await scene.healed("resync_clock", IssueType.CLOCK, name)
        scene.fault("clock_offset", value="2")
        assert abs(await scene.offset_ms(SANDBOX)) < 1000, "it stays: orders are dated two seconds back"
        undo = await scene.healed("resync_clock", IssueType.CLOCK)
        assert undo["told"]["offset_ms"] > 1000
        assert await scene.offset_ms(SANDBOX) > 1000 > await scene.offset_ms(LIVE)
        scene.no_fault()
        for name in TRADERS:
            await scene.healed("resync_clock", IssueType.CLOCK, name)
        assert abs(await scene.offset_ms(SANDBOX)) < 1000

    scene.played(play)


def test_changed_rules_are_known_at_once(scene: Scene) -> None:
    async def play() -> None:
        await scene.at_rest()  # a refused order would have the rules loaded anew, too
        for name in TRADERS:
            await scene.healed("reload_markets", IssueType.MINIMUM_SIZE, name)
        known = len(scene.audited(LIVE, "venue_rules_changed"))
        scene.fault("tick_size", "BTCUSDT", value="0.1")

        async def changed() -> bool:
            undo = await scene.healed("reload_markets", IssueType.MINIMUM_SIZE)
            return undo["told"]["changed"] > 0 and BTC in str(undo["told"]["changes"])

        await eventually_async(changed, 10, every_s=0.2)  # the venue itself takes a moment
        assert len(scene.audited(LIVE, "venue_rules_changed")) == known
        scene.no_fault()
        await eventually_async(changed, 10, every_s=0.2)

    scene.played(play)


def test_after_too_many_questions_the_venue_is_asked_less(scene: Scene) -> None:
    async def play() -> None:
        await scene.at_rest()
        scene.fault("too_many_requests", "GET /api/v3/account", value="0.5", for_s=10.0)

        async def told_so() -> bool:
            return "VenueError: rate_limited" in scene.family.log(SANDBOX)

        await eventually_async(told_so, 20, every_s=0.1)
        scene.no_fault()
        undo = await scene.healed("back_off", IssueType.RATE_LIMIT)
        seen, others = {await scene.compared(SANDBOX)}, {await scene.compared(LIVE)}

        async def twice_more() -> bool:
            seen.add(await scene.compared(SANDBOX))
            others.add(await scene.compared(LIVE))
            return len(others) >= 3

        await eventually_async(twice_more, 30, every_s=0.2)
        assert len(seen) <= 2, "it compares every 20 s now, the other one every 5 s"
        await scene.reverted("back_off", undo)

    scene.played(play)


def test_a_refused_key_ends_entries_and_nothing_else_until_it_is_taken_back(scene: Scene) -> None:
    async def play() -> None:
        before = scene.kept()
        for account in ("sandbox", "live"):
            scene.fault("read_only_key", account)

        async def refused() -> bool:
            return any("-2015" in row["message"] for row in await scene.errors(SANDBOX))

        await eventually_async(refused, 20, every_s=0.2)
        undo = await scene.healed("pause", IssueType.AUTH)
        bought, others = len(scene.entries(SANDBOX)), len(scene.entries(LIVE))
        await eventually_async(lambda: len(scene.entries(LIVE)) > others, 20, every_s=0.2)
        assert len(scene.entries(SANDBOX)) == bought, "who isn't healed goes on trying"
        assert scene.kept() != before and len(scene.hands.kept) == 1
        await scene.reverted("pause", undo)
        assert scene.kept() == before
        assert (await scene.asked(SANDBOX, "status"))["trading_state"] == "active"

    scene.played(play)


def test_a_persons_pause_is_an_obstacle_and_outlives_the_revert(scene: Scene) -> None:
    async def play() -> None:
        undo = await scene.healed("pause", IssueType.CLOCK)
        await scene.asked(SANDBOX, "pause", reason="by ann")
        await scene.reverted("pause", undo)
        assert (await scene.asked(SANDBOX, "status"))["trading_state_reason"] == "by ann"
        issue = issue_of(IssueType.CLOCK, SANDBOX)
        assert "the account is paused already: by ann" in await ORDERS["pause"].obstacle(issue, scene.hands)
        with pytest.raises(CannotHeal, match="by ann"):
            await ORDERS["pause"].apply(issue, scene.hands)
        await scene.asked(SANDBOX, "resume")

    scene.played(play)


def test_a_venue_that_refuses_for_lack_of_funds_gets_orders_of_half_the_size(scene: Scene) -> None:
    async def play() -> None:
        before = scene.kept()
        await scene.refused_for_funds()
        undo = await scene.healed("reduce_size", IssueType.INSUFFICIENT_FUNDS)
        assert undo["told"]["share"] == "0.5"
        again = issue_of(IssueType.INSUFFICIENT_FUNDS, SANDBOX)
        assert "entries are smaller for" in await ORDERS["reduce_size"].obstacle(again, scene.hands)
        asked = len(scene.entries(SANDBOX))
        await eventually_async(lambda: len(scene.entries(SANDBOX)) > asked, 20, every_s=0.2)
        sized = scene.entries(SANDBOX)[-1]["sized"]
        assert sized["shares"]["healing"] == "0.5" and float(sized["share"]) <= 0.5
        await scene.reverted("reduce_size", undo)
        assert scene.kept() == before

    scene.played(play)


@contextmanager
def broken(scene: Scene, what: str, name: str) -> Iterator[Callable[[str], int]]:
    """The sandbox's trader with a bug in it; how often it has raised, in a strategy or symbol."""
    as_it_is = COMMANDS[SANDBOX]
    scene.family.stop(SANDBOX)
    begun = len(scene.family.log(SANDBOX).splitlines())
    COMMANDS[SANDBOX] = ["tests.autonomous.healing.broken", what, name, *as_it_is]
    try:
        scene.begin(SANDBOX)
        yield lambda where: sum(
            "failed symbol=" in row and where in row for row in scene.family.log(SANDBOX).splitlines()[begun:]
        )
    finally:
        COMMANDS[SANDBOX] = as_it_is
        scene.family.stop(SANDBOX)
        scene.begin(SANDBOX)


def test_a_strategy_that_raises_at_every_bar_is_left_alone_and_raises_no_more(scene: Scene) -> None:
    async def play() -> None:
        await eventually_async(lambda: raised(BROKEN) > 2, 30, every_s=0.1)
        kept = scene.kept()
        undo = await scene.healed("quarantine_strategy", IssueType.KEY, operation="step", strategy=BROKEN)
        silent, cycles = raised(BROKEN), (await scene.asked(SANDBOX, "status"))["cycles"]

        async def went_on() -> bool:
            return bool((await scene.asked(SANDBOX, "status"))["cycles"] > cycles + 8)

        await eventually_async(went_on, 20, every_s=0.1)
        assert raised(BROKEN) == silent, "it isn't stepped any more"
        assert BROKEN in (await scene.asked(SANDBOX, "status"))["note"]
        await scene.reverted("quarantine_strategy", undo)
        assert scene.kept() == kept
        await eventually_async(lambda: raised(BROKEN) > silent + 2, 30, every_s=0.1)

    with broken(scene, "step", BROKEN) as raised:
        scene.played(play)


def test_a_symbol_whose_entries_raise_is_left_alone_and_the_others_go_on(scene: Scene) -> None:
    async def play() -> None:
        def most() -> tuple[int, str]:
            return max((raised(symbol), symbol) for symbol in SYMBOLS)

        await eventually_async(lambda: most()[0] > 0, 30, every_s=0.1)
        kept, symbol = scene.kept(), most()[1]
        undo = await scene.healed("quarantine_symbol", IssueType.KEY, operation="entry", symbol=symbol)
        alone, everywhere = raised(symbol), raised("")
        await eventually_async(lambda: raised("") > everywhere, 60, every_s=0.1)
        assert raised(symbol) == alone
        assert f"no entries in {symbol}" in (await scene.asked(SANDBOX, "status"))["note"]
        await scene.reverted("quarantine_symbol", undo)
        assert scene.kept() == kept

    with broken(scene, "entry", "everywhere") as raised:
        scene.played(play)


def test_while_nobody_reaches_the_venue_no_line_is_to_blame_and_nobody_is_restarted_for_it(scene: Scene) -> None:
    lost = issue_of(IssueType.CONNECTION, SANDBOX)

    async def play() -> None:
        hands = scene.hands
        waits = issue_of(IssueType.HANG, "ralph")
        scene.family.kill("venue")
        for name in ("reconnect", "new_client"):
            assert "the venue or the network is away" in await ORDERS[name].obstacle(lost, hands)
            with pytest.raises(CannotHeal, match="away"):
                await ORDERS[name].apply(lost, hands)
        for issue in (lost, waits):
            assert "the venue or the network is away" in await RESTART.obstacle(issue, hands)
        assert await RESTART.obstacle(issue_of(IssueType.MEMORY, SANDBOX), hands) == "", "a leak doesn't wait for it"

    try:
        asyncio.run(play())
    finally:
        scene.begin(*TRADERS)

    async def back() -> None:
        async def reached() -> bool:
            return await RESTART.obstacle(lost, scene.hands) == ""

        await eventually_async(reached, 20, every_s=0.2)

    scene.played(back)


@pytest.mark.parametrize("order", TRADER_ORDERS, ids=lambda order: order.name)
def test_no_order_concerns_a_process_that_trades_nothing(order: TraderOrder, scene: Scene) -> None:
    async def play() -> None:
        for process in ("ralph", "venue", "nobody"):
            issue = issue_of(next(iter(order.fits)), process, context={"symbol": BTC, "strategy": BROKEN})
            assert await order.obstacle(issue, scene.hands) == f"{process} is no trader"

    scene.played(play)


def test_what_isnt_known_is_an_obstacle_and_never_guessed(scene: Scene) -> None:
    async def play() -> None:
        for name, operation in (("quarantine_symbol", "entry"), ("quarantine_strategy", "step")):
            issue = issue_of(IssueType.KEY, SANDBOX, template=f"in {BTC} by {BROKEN}", context={"operation": operation})
            assert "it isn't known in which" in await ORDERS[name].obstacle(issue, scene.hands)
        unlisted = issue_of(IssueType.KEY, SANDBOX, context={"symbol": "NO/SUCH", "operation": "entry"})
        assert "the venue doesn't list NO/SUCH" in await ORDERS["quarantine_symbol"].obstacle(unlisted, scene.hands)

    scene.played(play)
