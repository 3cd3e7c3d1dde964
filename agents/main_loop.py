"""One Optimus by hand, in this very process: for a look, for one cycle, for debugging. Used by scripts/main_loop.py.

It takes the account's name and lock like the process of that name. The venue and Ralph are brought along when no
operation runs them; with one running, its own are used.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import msgspec

from agents.optimus import OptimusAgent
from agents.process import Agent, Context
from agents.ralph import RalphAgent
from agents.venue import VenueAgent
from execution.runtime.bus import Bus
from execution.runtime.clock import Clock, SystemClock
from execution.runtime.config import load
from execution.runtime.errors import ErrorBook
from execution.runtime.home import Home
from execution.runtime.locks import is_held
from execution.runtime.logs import log_to_terminal
from execution.runtime.settings import Config
from execution.trading.system import TradingSystem
from execution.vocabulary.exit_codes import BusyError, ConfigError, ExitCode
from execution.vocabulary.modes import Account
from execution.vocabulary.programs import optimus_of

COMPANIONS: dict[str, Callable[[Context], Agent]] = {"venue": VenueAgent, "ralph": RalphAgent}
CONDITIONS_WITHIN_S = 20.0


def main(arguments: list[str]) -> int:
    """Parse the words, run, and give the exit code: 0, 64, 71 (disk or rights), 75 (the account is held), 78."""
    parser = argparse.ArgumentParser(
        prog="main_loop.py",
        description="One Optimus by hand. Brings the venue and research along when no operation runs.",
        epilog="examples: main_loop.py --once · main_loop.py --interval 5 · main_loop.py --live --once",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="one cycle, then end")
    how.add_argument("--interval", type=_interval, default=5.0, metavar="SECONDS", help="a cycle at least this often")
    parser.add_argument("--live", action="store_true", help="the live account instead of the sandbox")
    try:
        words = parser.parse_args(arguments)
    except SystemExit as end:
        return ExitCode.USAGE if end.code else ExitCode.OK
    account = Account.LIVE if words.live else Account.SANDBOX
    try:
        home = Home.find()
        home.prepare()
        return asyncio.run(_run(home, _with_interval(load(home.config_file), words.interval), account, words.once))
    except ConfigError as error:
        print(f"main_loop: {error}", file=sys.stderr)
        return ExitCode.CONFIG
    except BusyError as error:
        print(f"main_loop: {error}; scripts/nae status shows what runs", file=sys.stderr)
        return ExitCode.BUSY
    except OSError as error:
        print(f"main_loop: {error}; make room or rights there and start again", file=sys.stderr)
        return ExitCode.OS_ERROR


def _interval(word: str) -> float:
    problem = f"{word!r} isn't a number of seconds from 0.1 to 3600"
    try:
        seconds = float(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(problem) from error
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(problem)
    return seconds


def _with_interval(config: Config, seconds: float) -> Config:
    return msgspec.structs.replace(config, trading=msgspec.structs.replace(config.trading, interval_s=seconds))


async def _run(home: Home, config: Config, account: Account, once: bool) -> int:
    log_to_terminal()
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        name = optimus_of(account)
        context = await stack.enter_async_context(place_on_the_bus(name, home, config, clock))
        for companion, make in COMPANIONS.items():
            if not is_held(home.run / f"{companion}.lock"):
                await stack.enter_async_context(_companion(companion, make, home, config, clock))
        agent = OptimusAgent(context, account, by_hand=True)
        stack.push_async_callback(agent.stop)
        await agent.start()
        if once:
            await _one_cycle(agent.system, clock)
        else:
            await _until_told(agent.system, context)
    return ExitCode.OK


@contextlib.asynccontextmanager
async def place_on_the_bus(
    name: str, home: Home, config: Config, clock: Clock, how: str = "by hand"
) -> AsyncIterator[Context]:
    """What a process's agent needs, without supervisord; gone again at the end."""
    context = Context(name, home, config, clock, Bus(home.run, name, clock), ErrorBook(clock))
    context.bus.open(f"{name} pid {os.getpid()} ({how})")
    try:
        yield context
    finally:
        for task in context.background:
            task.cancel()
        await asyncio.gather(*context.background, return_exceptions=True)
        context.bus.close()


@contextlib.asynccontextmanager
async def _companion(
    name: str, make: Callable[[Context], Agent], home: Home, config: Config, clock: Clock
) -> AsyncIterator[None]:
    """A process's agent, run within ours under its own name."""
    async with place_on_the_bus(name, home, config, clock) as context:
        agent = make(context)
        await agent.start()
        runner = context.runner
        work = asyncio.create_task(runner.run(agent.tasks()))
        try:
            yield
        finally:
            runner.stop()
            await work
            await agent.stop()


async def _one_cycle(system: TradingSystem, clock: Clock) -> None:
    """Wait for research to arm something, then decide once and say what was decided."""
    deadline = clock.monotonic() + CONDITIONS_WITHIN_S
    while not system.sniper.held and clock.monotonic() < deadline:
        await clock.sleep(0.1)
    await system.manager.run_cycle()
    _say(system)


async def _until_told(system: TradingSystem, context: Context) -> None:
    runner = context.runner
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runner.stop)
    tasks = system.tasks()
    cycle = next(task for task in tasks if task.name == "cycle")
    decide = cycle.run

    async def decide_and_say() -> None:
        await decide()
        _say(system)

    cycle.run = decide_and_say
    await runner.run(tasks)


def _say(system: TradingSystem) -> None:
    facts = system.facts()
    held = ", ".join(f"{row['quantity']} {symbol}" for symbol, row in facts["positions"].items()) or "nothing"
    words = [f"{name}={facts[name]}" for name in ("equity", "fills", "reconciled")]
    print(f"cycle {facts['cycles']}: {facts['last_reason'] or 'traded'} · {' '.join(words)} · holds {held}", flush=True)
