"""The bus over real ZeroMQ sockets: facts repeat, commands are carried out once, garbage is counted and dropped."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from execution.runtime.bus import ANSWERS_KEPT, Bus, NoAnswer, Refused, ask, ask_async
from execution.runtime.clock import SystemClock
from execution.runtime.codec import decode, encode
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.limits import COMMAND_MAX_BYTES
from execution.vocabulary.messages import Command, Fact, OperationHealth, Reply
from tests.support import child, eventually_async, line_of

CLOCK = SystemClock()


@pytest.fixture
def run() -> Iterator[Path]:
    """A run folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nae-") as folder:
        yield Path(folder)


def fact(overall: str = "HEALTHY") -> OperationHealth:
    return OperationHealth(process="worker", sent_ms=CLOCK.now_ms(), mode="dual", overall=overall, processes={})


def command(**changes: Any) -> Command:
    plain = Command(process="test", sent_ms=CLOCK.now_ms(), id="c1", verb="count", deadline_ms=CLOCK.now_ms() + 5000)
    return msgspec.structs.replace(plain, **changes)


class Counter:
    """Answers commands and counts how often it carried one out."""

    def __init__(self) -> None:
        self.carried_out = 0

    async def __call__(self, command: Command) -> dict[str, Any]:
        self.carried_out += 1
        if command.verb == "refuse":
            raise Refused("not today")
        if command.verb == "fail":
            raise KeyError("broken")
        if command.verb == "unsendable":
            return {"object": object()}
        if command.verb == "huge":
            return {"text": "x" * 2_000_000}
        return {"count": self.carried_out, "arguments": command.arguments}


Scene = Callable[[Bus, Counter], Awaitable[None]]


def with_service(run: Path, scene: Scene) -> None:
    """Run `scene` beside a bus named `worker` that serves commands."""

    async def play() -> None:
        bus, counter = Bus(run, "worker", CLOCK), Counter()
        bus.open("worker pid 1")
        serving = asyncio.create_task(bus.serve(counter))
        try:
            await asyncio.wait_for(scene(bus, counter), 20)
            assert not serving.done(), "the service ended"
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            bus.close()

    asyncio.run(play())


class Sender:
    """A client's bare socket, to send what ask() never would."""

    def __init__(self, run: Path, name: str = "worker") -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(f"ipc://{run / name}.cmd")

    async def send(self, *frames: bytes) -> None:
        await asyncio.to_thread(self._socket.send_multipart, list(frames))

    async def answer(self) -> Reply:
        assert await asyncio.to_thread(self._socket.poll, 5000), "no answer"
        reply = decode(self._socket.recv())
        assert isinstance(reply, Reply)
        return reply

    def close(self) -> None:
        self._context.destroy(linger=0)


def test_a_fact_reaches_a_subscriber_that_came_late(run: Path) -> None:
    async def play() -> None:
        bus, listener = Bus(run, "worker", CLOCK), Bus(run, "listener", CLOCK)
        bus.open("worker")
        await bus.publish(fact("CRITICAL"))  # nobody listens: lost, and that is fine
        heard: list[Fact] = []
        listening = asyncio.create_task(listener.listen(["worker"], heard.append))

        async def published_and_heard() -> bool:
            await bus.publish(fact())
            return bool(heard)

        await eventually_async(published_and_heard)
        assert isinstance(heard[0], OperationHealth)
        assert heard[0].overall == "HEALTHY"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        listener.close()
        bus.close()

    asyncio.run(play())


def test_a_subscriber_hears_a_publisher_again_that_came_back(run: Path) -> None:
    async def play() -> None:
        listener = Bus(run, "listener", CLOCK)
        heard: list[Fact] = []
        listening = asyncio.create_task(listener.listen(["worker"], heard.append))
        for life in ("first", "second"):
            bus = Bus(run, "worker", CLOCK)
            bus.open(life)

            async def heard_of_this_life(bus: Bus = bus, life: str = life) -> bool:
                await bus.publish(fact(life))
                return any(isinstance(one, OperationHealth) and one.overall == life for one in heard)

            await eventually_async(heard_of_this_life)
            bus.close()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        listener.close()

    asyncio.run(play())


def test_a_listener_drops_and_counts_what_isnt_a_fact(run: Path) -> None:
    async def play() -> None:
        context = zmq.Context()
        publisher = context.socket(zmq.PUB)
        publisher.bind(f"ipc://{run / 'worker.pub'}")
        listener = Bus(run, "listener", CLOCK)
        heard: list[Fact] = []
        listening = asyncio.create_task(listener.listen(["worker"], heard.append))

        def sent_and_dropped() -> bool:
            publisher.send(b"\xc1 garbage")
            publisher.send_multipart([b"two", b"frames"])
            publisher.send(encode(command()))
            publisher.send(encode(fact()))
            return listener.garbage >= 3 and bool(heard)

        await eventually_async(sent_and_dropped)
        assert all(isinstance(one, OperationHealth) for one in heard)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        listener.close()
        context.destroy(linger=0)

    asyncio.run(play())


def test_beside_a_flood_a_neighbour_is_heard_and_the_listeners_loop_turns(run: Path) -> None:
    async def play() -> None:
        context = zmq.Context()
        flooder = context.socket(zmq.PUB)
        flooder.setsockopt(zmq.SNDHWM, 100_000)
        flooder.bind(f"ipc://{run / 'flooder.pub'}")
        neighbour, listener = Bus(run, "worker", CLOCK), Bus(run, "listener", CLOCK)
        neighbour.open("worker")
        heard: dict[str, int] = {"flooder": 0, "worker": 0}

        def hear(one: Fact) -> None:
            heard[one.process] += 1

        listening = asyncio.create_task(listener.listen(["flooder", "worker"], hear))
        flood = encode(msgspec.structs.replace(fact(), process="flooder"))

        async def flooded() -> bool:
            flooder.send(flood)
            return heard["flooder"] > 0

        await eventually_async(flooded)
        for _ in range(20_000):
            flooder.send(flood)
        before = heard["flooder"]

        async def neighbour_heard() -> bool:
            await neighbour.publish(fact())
            return heard["worker"] >= 5

        await eventually_async(neighbour_heard)
        assert heard["flooder"] - before < 10_000, "of a flood only a part is taken"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        listener.close()
        neighbour.close()
        context.destroy(linger=0)

    asyncio.run(play())


def test_a_command_gets_one_answer(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        answer = await ask_async(run, "worker", "count", CLOCK, symbol="BTC/USDT")
        assert answer == {"count": 1, "arguments": {"symbol": "BTC/USDT"}}
        assert counter.carried_out == 1

    with_service(run, scene)


def test_a_repeated_command_is_answered_again_but_not_carried_out_again(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        sender = Sender(run)
        for _ in range(3):
            await sender.send(encode(command(id="same")))
            assert (await sender.answer()).result["count"] == 1
        assert counter.carried_out == 1
        sender.close()

    with_service(run, scene)


def test_the_memory_of_answers_is_bounded(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        sender = Sender(run)
        for number in range(ANSWERS_KEPT + 10):
            await sender.send(encode(command(id=f"c{number}")))
            await sender.answer()
        assert len(bus._answered) == ANSWERS_KEPT
        sender.close()

    with_service(run, scene)


def test_a_command_past_its_deadline_is_refused_and_not_carried_out(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        sender = Sender(run)
        await sender.send(encode(command(deadline_ms=CLOCK.now_ms() - 1500)))
        answer = await sender.answer()
        assert not answer.ok
        assert answer.error.startswith("too late: the deadline passed 15")
        assert counter.carried_out == 0
        sender.close()

    with_service(run, scene)


@pytest.mark.parametrize(
    ("verb", "said"),
    [("refuse", "not today"), ("fail", "KeyError: 'broken'"), ("unsendable", "TypeError"), ("huge", "over the limit")],
)
def test_a_command_that_fails_says_why_and_the_service_goes_on(run: Path, verb: str, said: str) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        with pytest.raises(Refused, match=said):
            await ask_async(run, "worker", verb, CLOCK)
        assert (await ask_async(run, "worker", "count", CLOCK))["count"] == 2

    with_service(run, scene)


def test_garbage_is_counted_and_dropped_and_the_service_goes_on(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        sender = Sender(run)
        await sender.send(b"\xff\xff\xff")
        await sender.send(b"")
        await sender.send(encode(fact()))
        await sender.send(b"one", b"two", b"three")
        await eventually_async(lambda: bus.garbage == 4)
        await sender.send(encode(command()))
        assert (await sender.answer()).ok
        assert counter.carried_out == 1
        sender.close()

    with_service(run, scene)


def test_a_command_over_the_limit_never_arrives(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        sender = Sender(run)
        await sender.send(b"x" * (COMMAND_MAX_BYTES + 1))
        assert (await ask_async(run, "worker", "count", CLOCK))["count"] == 1
        assert bus.garbage == 0
        sender.close()

    with_service(run, scene)


def test_a_second_bus_of_the_same_name_is_refused_with_the_holders_name(run: Path) -> None:
    async def scene(bus: Bus, counter: Counter) -> None:
        second = Bus(run, "worker", CLOCK)
        with pytest.raises(BusyError, match="is held by worker pid 1"):
            second.open("worker pid 2")
        second.close()
        assert (await ask_async(run, "worker", "count", CLOCK))["count"] == 1, "the holder lost its socket"

    with_service(run, scene)


def test_a_name_is_waited_for_until_its_dying_holder_has_gone_and_no_longer(run: Path) -> None:
    async def scene() -> None:
        first, second = Bus(run, "worker", CLOCK), Bus(run, "worker", CLOCK)
        first.open("worker pid 1")
        with pytest.raises(BusyError, match="is held by worker pid 1"):
            await second.open_when_free("worker pid 2", within_s=0.05)
        waiting = asyncio.create_task(second.open_when_free("worker pid 2"))
        await CLOCK.sleep(0.05)
        assert not waiting.done()
        first.close()
        await asyncio.wait_for(waiting, 2)
        second.close()

    asyncio.run(scene())


def test_a_closed_bus_leaves_its_name_free_and_no_socket_behind(run: Path) -> None:
    for life in ("first", "second"):
        bus = Bus(run, "worker", CLOCK)
        bus.open(life)
        bus.close()
    assert {path.name for path in run.iterdir()} == {"worker.lock"}


def test_a_bus_that_still_listens_closes_at_once(run: Path) -> None:
    async def scene() -> None:
        bus = Bus(run, "listener", SystemClock())
        listening = asyncio.create_task(bus.listen(["somebody"], lambda fact: None))
        await asyncio.sleep(0)  # it has begun, and waits
        listening.cancel()
        await asyncio.wait_for(asyncio.to_thread(bus.close), 10)

    asyncio.run(scene())


def test_a_process_that_never_ran_gives_no_answer_at_once(run: Path) -> None:
    with pytest.raises(NoAnswer, match="worker isn't running"):
        ask(run, "worker", "count", CLOCK, deadline_s=30)


KILLED = """
import asyncio, os, sys
from pathlib import Path
from execution.runtime.bus import Bus
from execution.runtime.clock import SystemClock
async def main():
    bus = Bus(Path(sys.argv[1]), "worker", SystemClock())
    bus.open("worker")
    print("open", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_killed_process_gives_no_answer_and_its_heir_takes_the_name(run: Path) -> None:
    with child(KILLED, str(run)) as process:
        assert line_of(process) == "open"
        process.kill()
        process.wait()
        assert (run / "worker.cmd").exists(), "kill -9 leaves the socket's file"
        with pytest.raises(NoAnswer, match=r"didn't answer count within 0\.2 s"):
            ask(run, "worker", "count", CLOCK, deadline_s=0.2)

    async def scene(bus: Bus, counter: Counter) -> None:
        assert (await ask_async(run, "worker", "count", CLOCK))["count"] == 1

    with_service(run, scene)


def test_an_answer_that_is_garbage_is_no_answer(run: Path) -> None:
    async def play() -> None:
        context = zmq.Context()
        router = context.socket(zmq.ROUTER)
        router.bind(f"ipc://{run / 'worker.cmd'}")
        asking = asyncio.create_task(ask_async(run, "worker", "count", CLOCK))
        assert await asyncio.to_thread(router.poll, 5000)
        router.send_multipart([router.recv_multipart()[0], b"\xc1"])
        with pytest.raises(NoAnswer, match="garbage"):
            await asking
        context.destroy(linger=0)

    asyncio.run(play())
