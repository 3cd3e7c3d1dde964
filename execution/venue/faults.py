"""When the venue misbehaves: planned faults, standing rules and chance, by seed. For drills and tests only; without a
Faults object it behaves. It decides what goes wrong; the doors do it."""

import logging
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from random import Random

from execution.runtime.clock import Clock, ManualClock
from execution.venue.fault_kinds import AT_ONCE, INSIDE, MEANINGS, STANDING, Fault
from execution.venue.latency import USUAL, Distribution, draw

__all__ = ["Fault", "Faults", "Rule"]

log = logging.getLogger("nae.venue")

HAPPENED_MAX = 10_000
RULES_MAX = 1_000


@dataclass(frozen=True)
class Rule:
    """One thing that shall go wrong. `times` None: as often as it comes; seconds count from when the rule is given.
    `chance` is drawn each time it could happen; of a standing kind, once: it holds, or it doesn't."""

    fault: Fault
    on: str = "*"
    times: int | None = None
    chance: float = 1.0
    after_s: float = 0.0
    for_s: float | None = None
    value: Decimal | None = None
    distribution: Distribution | None = None

    @property
    def amount(self) -> Decimal:
        """The value, or the kind's usual one."""
        return self.value if self.value is not None else MEANINGS[self.fault].usual or Decimal(0)

    def reaches(self, subject: str) -> bool:
        """Does the rule mean this subject?"""
        return fnmatchcase(subject, self.on)

    @property
    def seconds(self) -> float:
        """The value of a kind that takes seconds."""
        return float(self.amount)


@dataclass
class _Given:
    """A rule from when it was given: what it has done, and its own chance."""

    number: int
    rule: Rule
    since: float
    random: Random
    happened: int = 0
    ends_after: int | None = field(init=False)
    holds: bool = field(init=False)

    def __post_init__(self) -> None:
        rule = self.rule
        once = rule.for_s is None and rule.chance >= 1 and rule.fault not in STANDING
        self.ends_after = 1 if rule.times is None and (once or rule.fault in AT_ONCE) else rule.times
        self.holds = rule.fault not in STANDING or self._by_chance()

    def begun(self, now: float) -> bool:
        return now >= self.since + self.rule.after_s

    def over(self, now: float) -> bool:
        rule = self.rule
        if rule.for_s is not None and now >= self.since + rule.after_s + rule.for_s:
            return True
        return self.ends_after is not None and self.happened >= self.ends_after

    def befalls(self, subject: str) -> bool:
        return self.rule.reaches(subject) and self._by_chance()

    def _by_chance(self) -> bool:
        return self.rule.chance >= 1 or self.random.random() < self.rule.chance


class Faults:
    """What goes wrong next. Planned faults come first, one per matching request; then rules; then chance."""

    def __init__(self, seed: int = 0, rates: Mapping[Fault, float] | None = None, delay_s: float = 6.0) -> None:
        """`rates`: the share of signed requests (0 to 1) that each fault befalls."""
        self.delay_s = delay_s
        self.happened: list[tuple[str, Fault]] = []
        self._seed = seed
        self._random = Random(seed)
        self._rates = dict(rates or {})
        self._planned: dict[str, deque[Fault]] = {}
        self._given: list[_Given] = []
        self._last_number = 0
        self._clock: Clock = ManualClock()

    def begin(self, clock: Clock) -> None:
        """Rules count their seconds on this clock; those given before begin now."""
        self._clock = clock
        for given in self._given:
            given.since = clock.monotonic()

    # rules

    def add(self, rule: Rule) -> int:
        """Give a rule; its number. Raises ValueError when there are too many."""
        self._drop_those_over()
        if len(self._given) >= RULES_MAX:
            raise ValueError(f"there are {RULES_MAX} faults already; fewer would be right")
        self._last_number = number = self._last_number + 1
        self._given.append(_Given(number, rule, self._clock.monotonic(), Random(f"{self._seed}/{number}")))
        return number

    def remove(self, number: int | None = None) -> int:
        """Take back one rule, or all; how many went."""
        before = len(self._given)
        self._given = [] if number is None else [given for given in self._given if given.number != number]
        return before - len(self._given)

    def rules(self) -> list[tuple[int, Rule, int]]:
        """(number, rule, how often it happened) of each that isn't over."""
        self._drop_those_over()
        return [(given.number, given.rule, given.happened) for given in self._given]

    def _drop_those_over(self) -> None:
        now = self._clock.monotonic()
        self._given = [given for given in self._given if not given.over(now)]

    def _living(self, kinds: Collection[Fault]) -> list[_Given]:
        if not self._given:
            return []
        now = self._clock.monotonic()
        return [g for g in self._given if g.rule.fault in kinds and g.begun(now) and not g.over(now)]

    # what happens

    def pick(self, kinds: Collection[Fault], subject: str) -> Rule | None:
        """The first rule of these kinds that befalls the subject now; counted."""
        for given in self._living(kinds):
            if given.befalls(subject):
                given.happened += 1
                self._note(subject, given.rule.fault)
                return given.rule
        return None

    def standing(self, kind: Fault, subject: str = "") -> Rule | None:
        """The newest rule of a standing kind that holds for the subject. Not counted."""
        given = self._standing(kind, subject)
        return given.rule if given else None

    def latency(self, request: str) -> float | None:
        """How long the answer to this request is held up, in seconds; None when it isn't."""
        given = self._standing(Fault.LATENCY, request)
        if given is None:
            return None
        return draw(given.rule.distribution or USUAL, given.rule.seconds, given.random)

    def _standing(self, kind: Fault, subject: str) -> _Given | None:
        living = self._living((kind,))
        return next((given for given in reversed(living) if given.holds and given.rule.reaches(subject)), None)

    def due(self) -> list[Rule]:
        """What is to happen by itself now; each counted."""
        happening = [given for given in self._living(AT_ONCE) if given._by_chance()]
        for given in happening:
            given.happened += 1
            self._note(given.rule.on, given.rule.fault)
        return [given.rule for given in happening]

    def plan(self, request: str, *faults: Fault) -> None:
        """Befall the next requests of a kind, such as "POST /api/v3/order", one fault each."""
        self._planned.setdefault(request, deque()).extend(faults)

    def next(self, request: str) -> Fault | None:
        """What befalls this signed request, if anything."""
        rule = self.next_rule(request)
        return rule.fault if rule else None

    def next_rule(self, request: str) -> Rule | None:
        """The same, with its value."""
        planned = self._planned.get(request)
        if not planned and (rule := self.pick(INSIDE, request)):
            return rule
        fault = planned.popleft() if planned else self._by_rate()
        if fault is None:
            return None
        self._note(request, fault)
        return Rule(fault, request, value=Decimal(str(self.delay_s)))

    def _note(self, subject: str, fault: Fault) -> None:
        self.happened.append((subject, fault))
        del self.happened[:-HAPPENED_MAX]
        log.info("fault", extra={"fields": {"fault": fault, "on": subject}})

    def _by_rate(self) -> Fault | None:
        if not self._rates:
            return None
        draw = self._random.random()
        for fault, rate in self._rates.items():
            if draw < rate:
                return fault
            draw -= rate
        return None
