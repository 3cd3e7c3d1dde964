"""Settings changed on trial: each with its evidence and a metric, judged after a window, and always back at what
nae.toml says when all is calm. Pure: `step(state, signals, now)` says what is to be done, tuner.py does it.

Three of them: the health report comes closer while errors come; a silent process gets more patience while the machine
is overloaded and healthy ones are killed for it; a process with an error of a new kind says more for a while.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from execution.autonomous.tuning import Interval, tune

INTERVAL, PATIENCE, LOG_LEVEL = "operation.health_interval_s", "operation.hang_after_s", "operation.log_level"
BUDGET = 4  # so often is a setting of a process moved away from its base ...
BUDGET_WINDOW_S = 3600.0  # ... in so long
OVERLOADED = 1.5  # load per core: more than that, and a process may be silent for want of a core
CALM_LOAD = 0.8
KILLS_LEAST = 2  # for silence, in the window: one may be a hang
JUDGED_AFTER_S = 300.0
CALM_FOR_S = 300.0
MORE_PATIENCE = 1.5
TALKS_FOR_S = 120.0
KNOWN_MAX = 1000
TALKING_MAX = 2  # processes at a time
Setting = tuple[str, str]  # key, process ("" for all)


class Verdict(StrEnum):
    """What became of a trial."""

    KEPT = "kept"
    REVERTED = "reverted"


@dataclass(frozen=True)
class Signals:
    """What is seen now. `kills`: of sleepers, since the manager began; `errors`: how often, by process and
    fingerprint."""

    errors_per_minute: float = 0.0
    load_per_core: float = 0.0
    kills: int = 0
    errors: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A setting that isn't at its base. Times are monotonic."""

    value: float | str
    metric: str
    before: float  # the metric, when it began
    began: float
    calm_since: float
    judged: bool = False
    about: tuple[str, str] = ("", "")  # the error that it is about


@dataclass(frozen=True)
class State:
    """All trials, what each setting has been used for lately, and which errors are no news."""

    interval: Interval
    patience_s: float  # the base
    level: str = "INFO"  # the base
    trials: Mapping[Setting, Trial] = field(default_factory=dict)
    uses: Mapping[Setting, tuple[float, ...]] = field(default_factory=dict)
    known: frozenset[tuple[str, str]] | None = None  # None before the first look: what is there then is no news
    kills: tuple[tuple[float, int], ...] = ()  # when how many had been killed, lately

    def may(self, setting: Setting, now: float) -> bool:
        """Is there budget to move it once more?"""
        return sum(now - at < BUDGET_WINDOW_S for at in self.uses.get(setting, ())) < BUDGET


@dataclass(frozen=True)
class Adjust:
    """Set it so: `value` stands in for what was adjusted before."""

    setting: Setting
    value: float | str
    cause: str
    metric: str
    before: float


@dataclass(frozen=True)
class Judge:
    """The window is over, or all is calm: keep it, or put it back to its base."""

    setting: Setting
    verdict: Verdict
    cause: str
    metric: str
    before: float
    after: float


Action = Adjust | Judge


def step(state: State, signals: Signals, now: float) -> tuple[State, list[Action]]:
    """One look."""
    actions: list[Action] = []
    for decide in (_interval, _patience, _levels):
        state = decide(state, signals, now, actions)
    return state, actions


def forgotten(state: State, setting: Setting, now: float) -> State:
    """Somebody else has put it back: so it stays for the whole window of the budget."""
    uses = {**state.uses, setting: (now,) * BUDGET}
    trials = {name: trial for name, trial in state.trials.items() if name != setting}
    interval = state.interval
    if setting[0] == INTERVAL:
        interval = Interval(interval.base_s, interval.base_s, now)
    return replace(state, trials=trials, uses=uses, interval=interval)


def _interval(state: State, signals: Signals, now: float, actions: list[Action]) -> State:
    setting, metric = (INTERVAL, ""), "errors_per_minute"
    errors, tuned = signals.errors_per_minute, tune(state.interval, signals.errors_per_minute, now)
    trial = state.trials.get(setting)
    if tuned.current_s == state.interval.current_s or (trial is None and not state.may(setting, now)):
        moved = tuned if tuned.current_s == state.interval.current_s else state.interval
        return replace(state, interval=moved)
    state = replace(state, interval=tuned)
    if tuned.current_s == tuned.base_s:
        assert trial is not None, "it was away from its base"
        actions.append(Judge(setting, Verdict.REVERTED, "all is calm", metric, trial.before, errors))
        return _without(state, setting)
    cause = f"{errors:.2f} errors per minute" if errors else "calmer again"
    began = trial or Trial(tuned.current_s, metric, errors, now, now)
    actions.append(Adjust(setting, tuned.current_s, cause, metric, began.before))
    return _with(state, setting, replace(began, value=tuned.current_s), now, new=trial is None)


def _patience(state: State, signals: Signals, now: float, actions: list[Action]) -> State:
    setting, metric = (PATIENCE, ""), "kills_for_silence"
    seen = tuple(row for row in state.kills if now - row[0] <= JUDGED_AFTER_S)
    state = replace(state, kills=(*seen, (now, signals.kills)))
    killed = signals.kills - min(count for _, count in state.kills)
    trial = state.trials.get(setting)
    if trial is None:
        if killed < KILLS_LEAST or signals.load_per_core < OVERLOADED or not state.may(setting, now):
            return state
        cause = f"{killed} processes killed for their silence at a load of {signals.load_per_core:.1f} per core"
        value = state.patience_s * MORE_PATIENCE
        actions.append(Adjust(setting, value, cause, metric, killed))
        state = replace(state, kills=((now, signals.kills),))  # those of the trial are counted from here
        return _with(state, setting, Trial(value, metric, killed, now, now), now, new=True)
    calm = signals.load_per_core <= CALM_LOAD and not killed
    trial = replace(trial, calm_since=trial.calm_since if calm else now)
    if now - trial.calm_since >= CALM_FOR_S:
        actions.append(Judge(setting, Verdict.REVERTED, "the load is over", metric, trial.before, killed))
        return _without(state, setting)
    if not trial.judged and now - trial.began >= JUDGED_AFTER_S:
        if killed >= trial.before:
            actions.append(Judge(setting, Verdict.REVERTED, "it didn't help", metric, trial.before, killed))
            return _without(state, setting)
        actions.append(Judge(setting, Verdict.KEPT, "fewer are killed", metric, trial.before, killed))
        trial = replace(trial, judged=True)
    return _with(state, setting, trial, now, new=False)


def _levels(state: State, signals: Signals, now: float, actions: list[Action]) -> State:
    metric = "errors_of_its_kind"
    for setting, trial in state.trials.items():
        if setting[0] == LOG_LEVEL and now - trial.began >= TALKS_FOR_S:
            seen = signals.errors.get(trial.about, 0)
            actions.append(Judge(setting, Verdict.REVERTED, "its time is over", metric, trial.before, seen))
            state = _without(state, setting)
    here = frozenset(signals.errors)
    news = [] if state.known is None else sorted(here - state.known)
    former = state.known or frozenset()
    state = replace(state, known=here if len(former) > KNOWN_MAX else here | former)
    for process, fingerprint in news:
        setting = (LOG_LEVEL, process)
        talking = sum(key == LOG_LEVEL for key, _ in state.trials)
        if setting in state.trials or talking >= TALKING_MAX or state.level == "DEBUG" or not state.may(setting, now):
            continue
        seen = signals.errors[process, fingerprint]
        actions.append(Adjust(setting, "DEBUG", f"an error of a new kind ({fingerprint})", metric, seen))
        trial = Trial("DEBUG", metric, seen, now, now, about=(process, fingerprint))
        state = _with(state, setting, trial, now, new=True)
    return state


def _with(state: State, setting: Setting, trial: Trial, now: float, new: bool) -> State:
    uses = state.uses
    if new:
        lately = tuple(at for at in uses.get(setting, ()) if now - at < BUDGET_WINDOW_S)
        uses = {**uses, setting: (*lately, now)}
    return replace(state, trials={**state.trials, setting: trial}, uses=uses)


def _without(state: State, setting: Setting) -> State:
    return replace(state, trials={name: trial for name, trial in state.trials.items() if name != setting})
