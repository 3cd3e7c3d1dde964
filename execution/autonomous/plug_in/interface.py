"""The plug-in's door: the factory that supervisord calls by its documented `[rpcinterface:...]` hook, and the namespace
`nae` of its XML-RPC. It wires; what it wires stands in the modules beside it.

SIGHUP, which would restart every program, is ignored. Missing seams are said loudly, and only what needs them is off.
"""

import os
import signal
from pathlib import Path
from typing import Any

from supervisor import events
from supervisor.states import ProcessStates, SupervisorStates, getProcessStateDescription

from execution.autonomous.plug_in.news import News
from execution.autonomous.plug_in.seams import TRIED_WITH, missing_for_starting, missing_for_waking
from execution.autonomous.plug_in.service_watchdog import ServiceWatchdog
from execution.autonomous.plug_in.settings import read_settings
from execution.autonomous.plug_in.spawner import Spawner, seal_descriptors
from execution.autonomous.plug_in.steward import Steward
from execution.autonomous.plug_in.swift_process import adopt, is_down
from execution.autonomous.plug_in.wake_pipe import WakePipe
from execution.autonomous.stop_marker import request_stop
from execution.runtime.clock import SystemClock

UP = (ProcessStates.STARTING, ProcessStates.RUNNING)


class PlugIn:
    """One for the life of supervisord: a reload makes a new supervisord object, not a new process."""

    def __init__(self, steward: Steward, news: News, service: ServiceWatchdog, manager: str) -> None:
        self.pipe = WakePipe()
        self.pipe.plug_in = self
        self.steward, self.news, self.service = steward, news, service
        self.supervisord: Any = None
        self.problem = ""
        self.starts = False  # are the processes ours to start?
        self._manager = manager
        self._logger: Any = None
        self._said = {""}  # problems
        self._hung_up = False

    def attach(self, supervisord: Any) -> None:
        """Take hold of this supervisord, as far as it has the seams."""
        self.supervisord, self._logger = supervisord, supervisord.options.logger
        supervisord.options.get_socket_map()[self.pipe.read_end] = self.pipe
        signal.set_wakeup_fd(self.pipe.write_end, warn_on_full_buffer=False)
        self.pipe.at_each_pass(self._passed)
        events.subscribe(events.ProcessStateEvent, self._changed)
        events.subscribe(events.SupervisorRunningEvent, self._running)
        events.subscribe(events.SupervisorStoppingEvent, self._stopping)
        missing = missing_for_starting(supervisord)
        self.starts = not missing
        if missing:
            self.problem = _loudly(self._logger, missing, "programs are started by supervisord's own rules")
            return
        seal_descriptors()
        supervisord.options.fork = Spawner(supervisord.options.fork)
        self._adopt()
        events.subscribe(events.ProcessGroupAddedEvent, self._adopt)

    def processes(self) -> list[Any]:
        """Every process object of supervisord's."""
        groups = self.supervisord.process_groups.values() if self.supervisord else ()
        return [process for group in groups for process in group.processes.values()]

    def _adopt(self, *_: Any) -> None:
        for process in self.processes():
            adopt(process, self.steward)

    def _changed(self, event: Any) -> None:
        process = event.process
        self.news.add(process.config.name, getProcessStateDescription(process.state), process.pid)
        self.pipe.nudge()

    def _running(self, _: Any) -> None:
        # supervisord has set its signals only just now. A handler, unlike SIG_IGN, isn't inherited
        signal.signal(signal.SIGHUP, self._hangup)
        self.pipe.nudge()  # the first starts come now, not at the first second
        self.service.say("READY=1")

    def _stopping(self, _: Any) -> None:
        if self.supervisord.options.mood < SupervisorStates.RESTARTING:
            if "NAE_RUN" in os.environ:
                request_stop(Path(os.environ["NAE_RUN"]), f"supervisord (pid {os.getpid()})", SystemClock())
            self.service.say("STOPPING=1")

    def _hangup(self, *_: Any) -> None:
        self._hung_up = True  # said later: a signal's handler may stand in the middle of another line of the log

    def _passed(self) -> None:
        if self._hung_up:
            self._hung_up = False
            self._logger.warn("SIGHUP ignored: it would restart every program")
        self.service.feed(self.steward.monotonic())
        self.news.flush()
        for problem in {self.news.problem, self.service.problem} - self._said:
            self._said.add(problem)
            self._logger.warn(problem)
        manager = next((process for process in self.processes() if process.config.name == self._manager), None)
        watched = self.starts and manager is not None and manager.state in UP
        watched = watched and self.supervisord.options.mood > SupervisorStates.RESTARTING
        if self.steward.manager_hangs(manager.pid if watched and manager else 0) and manager:
            self._logger.critical(f"{self._manager} ({manager.pid}) hangs: it has been silent too long; SIGKILL")
            manager.signal(signal.SIGKILL)


class Interface:
    """The namespace `nae`. Names as supervisord writes its own."""

    def __init__(self, plug_in: PlugIn | None, problem: str = "") -> None:
        self._plug_in = plug_in
        self._problem = problem

    def getPlugIn(self) -> dict[str, Any]:  # noqa: N802 - XML-RPC methods of supervisord are written so
        """What works, who is held back now, and every program's exits."""
        if self._plug_in is None:
            return {"working": False, "problem": self._problem, "spawn": "fork", "wakes": 0, "held": [], "exits": {}}
        plug_in, steward = self._plug_in, self._plug_in.steward
        down = [process.config.name for process in plug_in.processes() if is_down(process)]
        exits = {
            name: {"count": record.count, "planned": record.planned, "last_status": record.last_status}
            for name, record in steward.records.items()
        }
        return {
            "working": plug_in.starts and plug_in.pipe.asked,
            "problem": plug_in.problem,
            "spawn": "posix_spawn" if plug_in.starts else "fork",
            "wakes": plug_in.pipe.wakes,
            "held": [name for name in down if not steward.may_start(name)],
            "exits": exits,
        }

    def holdBack(self, names: list[str]) -> bool:  # noqa: N802
        """The manager's whole list, said at least once a second: who stays down. All others that are down start."""
        if self._plug_in is not None:
            self._plug_in.steward.hold_back([str(name) for name in names], self._plug_in.processes())
        return True


def make_interface(supervisord: Any, **settings: str) -> Interface:
    """supervisord calls this once per HTTP server, and again after a reload. `settings`: settings.py."""
    chosen = read_settings(settings, os.environ)
    missing = missing_for_waking(supervisord)
    if missing:
        return Interface(None, _loudly(supervisord.options.logger, missing, "a crash is seen within a second instead"))
    pipes = [entry for entry in supervisord.options.get_socket_map().values() if isinstance(entry, WakePipe)]
    plug_in = pipes[0].plug_in if pipes else None
    if plug_in is None:
        steward = Steward(SystemClock(), chosen.limit, chosen.patience, chosen.manager)
        plug_in = PlugIn(steward, News(chosen.news), ServiceWatchdog(os.environ), chosen.manager)
    if plug_in.supervisord is not supervisord:
        plug_in.attach(supervisord)
    return Interface(plug_in)


def _loudly(logger: Any, missing: list[str], instead: str) -> str:
    problem = f"the plug-in lacks {', '.join(missing)} in this supervisord (tried with {TRIED_WITH}); {instead}"
    logger.critical(problem)
    return problem
