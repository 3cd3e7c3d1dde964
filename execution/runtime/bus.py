"""The one door to ZeroMQ. Every process owns one PUB (its facts) and one ROUTER (commands to it); no broker.

Sockets are `ipc` in the home's private run folder. A lock on the name comes before the bind, because a second
bind of the same path would steal it without a word. Garbage is counted and dropped.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import zmq
import zmq.asyncio

from execution.runtime.clock import Clock
from execution.runtime.codec import Garbage, decode, encode
from execution.runtime.locks import FileLock
from execution.vocabulary.exit_codes import BusyError
from execution.vocabulary.limits import (
    BUS_QUEUE_MAX,
    COMMAND_DEADLINE_S,
    COMMAND_MAX_BYTES,
    FACTS_AT_ONCE_MAX,
    MESSAGE_MAX_BYTES,
    NAME_FREE_WITHIN_S,
)
from execution.vocabulary.messages import Command, Fact, Reply

log = logging.getLogger("nae.bus")
ANSWERS_KEPT = 256
RECONNECT_MS = 100
NAME_POLL_S = 0.02
PROBLEM_MAX = 2_000  # characters of an error's text that travel back
FACTS_PAUSE_S = 0.05

AnySocket = TypeVar("AnySocket", bound="zmq.Socket[Any]")
Answer = Callable[[Command], Awaitable[dict[str, Any]]]


class NoAnswer(Exception):
    """Nobody answered in time: whether the command was carried out is unknown."""


class Refused(Exception):
    """The process answered, and the answer is no; the text says why."""


def _address(run: Path, process: str, kind: str) -> str:
    return f"ipc://{run / f'{process}.{kind}'}"


class Bus:
    """One process's place on the bus."""

    def __init__(self, run: Path, process: str, clock: Clock) -> None:
        self._run = run
        self._process = process
        self._clock = clock
        self._lock = FileLock(run / f"{process}.lock")
        self._context: zmq.asyncio.Context = zmq.asyncio.Context()
        self._publisher: zmq.asyncio.Socket | None = None
        self._router: zmq.asyncio.Socket | None = None
        self._ears: list[zmq.Socket[bytes]] = []
        self._answered: OrderedDict[str, bytes] = OrderedDict()
        self.garbage = 0

    def open(self, holder: str) -> None:
        """Take the name and bind. Raises BusyError naming the process that has it."""
        self._lock.acquire(holder)
        self._publisher = self._socket(zmq.PUB, MESSAGE_MAX_BYTES)
        self._publisher.bind(_address(self._run, self._process, "pub"))
        self._router = self._socket(zmq.ROUTER, COMMAND_MAX_BYTES)
        self._router.bind(_address(self._run, self._process, "cmd"))

    async def open_when_free(self, holder: str, within_s: float = NAME_FREE_WITHIN_S) -> None:
        """The same, with patience for one of our name that is just dying."""
        deadline = self._clock.monotonic() + within_s
        while True:
            try:
                return self.open(holder)
            except BusyError:
                if self._clock.monotonic() >= deadline:
                    raise
            await self._clock.sleep(NAME_POLL_S)

    def close(self) -> None:
        """Give up the name. Messages still queued are dropped: facts repeat, commands have deadlines."""
        for ear in self._ears:  # the context knows only the sockets that it made itself, and waits for all
            ear.close(linger=0)
        self._context.destroy(linger=0)
        if self._lock.held:  # else the sockets of that name are another process's
            for kind in ("pub", "cmd"):
                (self._run / f"{self._process}.{kind}").unlink(missing_ok=True)
            self._lock.release()

    def _socket(self, kind: int, largest: int) -> zmq.asyncio.Socket:
        return self._limited(self._context.socket(kind), largest)

    @staticmethod
    def _limited(socket: AnySocket, largest: int) -> AnySocket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, largest)
        socket.setsockopt(zmq.SNDHWM, BUS_QUEUE_MAX)
        socket.setsockopt(zmq.RCVHWM, BUS_QUEUE_MAX)
        return socket

    async def publish(self, fact: Fact) -> None:
        """Tell everybody who listens; nobody is waited for."""
        assert self._publisher is not None, "publish() before open()"
        await self._publisher.send(encode(fact))

    async def listen(self, processes: Iterable[str], heard: Callable[[Fact], None]) -> None:
        """Call `heard` for every fact of `processes`, until cancelled. Of a flood only so much is read."""
        ear = self.ear(processes)
        try:
            while True:
                if self.hear(ear, heard):
                    await self._clock.sleep(FACTS_PAUSE_S)
                else:
                    await _readable(ear.fileno())
        finally:
            ear.close()

    def ear(self, processes: Iterable[str]) -> "zmq.Socket[bytes]":
        """A subscription to `processes`, which may come up later, or again."""
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(self._context.underlying)
        socket = self._limited(context.socket(zmq.SUB), MESSAGE_MAX_BYTES)  # a plain one: futures cost more than facts
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        for process in processes:
            socket.connect(_address(self._run, process, "pub"))
        self._ears.append(socket)
        return socket

    def hear(self, ear: "zmq.Socket[bytes]", heard: Callable[[Fact], None]) -> bool:
        """Take what has come, up to FACTS_AT_ONCE_MAX; is there perhaps more? Each process has its turn, and what is
        too much is lost at its sender."""
        for _ in range(FACTS_AT_ONCE_MAX):
            try:
                frames = ear.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            try:
                message = decode(frames[0]) if len(frames) == 1 else _refuse(f"{len(frames)} frames")
                if isinstance(message, Command | Reply):
                    _refuse(f"a {type(message).__name__} among facts")
                else:
                    heard(message)
            except Garbage as problem:
                self._drop(problem)
        return True

    async def serve(self, answer: Answer) -> None:
        """Answer commands to this process until cancelled: each once, before its deadline, with one final reply."""
        assert self._router is not None, "serve() before open()"
        while True:
            frames = await self._router.recv_multipart()
            try:
                if len(frames) != 2:
                    _refuse(f"{len(frames)} frames")
                command = decode(frames[1])
                if not isinstance(command, Command):
                    _refuse(f"a {type(command).__name__} is no command")
                    continue
            except Garbage as problem:
                self._drop(problem)
                continue
            reply = self._answered.get(command.id) or await self._carry_out(command, answer)
            await self._router.send_multipart([frames[0], reply])

    async def _carry_out(self, command: Command, answer: Answer) -> bytes:
        late_ms = self._clock.now_ms() - command.deadline_ms
        try:
            if late_ms > 0:
                raise Refused(f"too late: the deadline passed {late_ms} ms ago")
            reply = self._reply(command, result=await answer(command))
        except Refused as refusal:
            reply = self._reply(command, problem=str(refusal))
        except Exception as error:  # the boundary of a command: its sender gets the error, we go on
            log.exception("command failed", extra={"fields": {"verb": command.verb, "id": command.id}})
            reply = self._reply(command, problem=f"{type(error).__name__}: {error}"[:PROBLEM_MAX])
        self._answered[command.id] = reply
        while len(self._answered) > ANSWERS_KEPT:
            self._answered.popitem(last=False)
        return reply

    def _reply(self, command: Command, result: dict[str, Any] | None = None, problem: str = "") -> bytes:
        return encode(
            Reply(
                process=self._process,
                sent_ms=self._clock.now_ms(),
                id=command.id,
                ok=result is not None,
                result=result or {},
                error=problem,
            )
        )

    def _drop(self, problem: Garbage) -> None:
        self.garbage += 1
        if self.garbage & (self.garbage - 1) == 0:  # said at 1, 2, 4, 8, ...: a flood must not fill the log
            log.warning("garbage dropped", extra={"fields": {"problem": problem, "so_far": self.garbage}})


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    come = asyncio.Event()
    loop.add_reader(descriptor, come.set)
    try:
        await come.wait()
    finally:
        loop.remove_reader(descriptor)


def _refuse(problem: str) -> Any:
    raise Garbage(problem)


def ask(
    run: Path, process: str, verb: str, clock: Clock, deadline_s: float = COMMAND_DEADLINE_S, **arguments: Any
) -> dict[str, Any]:
    """Send one command to `process` and wait for its answer, from any program.

    Raises NoAnswer (outcome unknown; nobody listens, or it is too slow), Refused (it said no).
    """
    command = Command(
        process=f"client-{uuid.uuid4().hex[:8]}",
        sent_ms=clock.now_ms(),
        id=uuid.uuid4().hex,
        verb=verb,
        deadline_ms=clock.now_ms() + round(deadline_s * 1000),
        arguments=arguments,
    )
    if not (run / f"{process}.cmd").exists():
        raise NoAnswer(f"{process} isn't running (no socket in {run})")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX_BYTES)
        socket.connect(_address(run, process, "cmd"))
        socket.send(encode(command))
        if not socket.poll(round(deadline_s * 1000)):
            raise NoAnswer(f"{process} didn't answer {verb} within {deadline_s:g} s")
        try:
            reply = decode(socket.recv())
        except Garbage as problem:
            raise NoAnswer(f"{process} answered {verb} with garbage: {problem}") from problem
    if not isinstance(reply, Reply) or reply.id != command.id:
        raise NoAnswer(f"{process} answered something else")
    if not reply.ok:
        raise Refused(reply.error)
    return reply.result


async def ask_async(run: Path, process: str, verb: str, clock: Clock, **arguments: Any) -> dict[str, Any]:
    """ask() for use inside a worker's loop."""
    return await asyncio.to_thread(ask, run, process, verb, clock, **arguments)
