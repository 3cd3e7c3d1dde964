"""Whoever sees: gathers what heartbeats, last words, the overseer and the logs tell into the issue book. It acts on
nothing."""

from collections.abc import Mapping

from execution.autonomous.healing.remedy import Issue
from execution.autonomous.healing.seeing import findings
from execution.autonomous.healing.seeing.issue_book import Found, IssueBook
from execution.autonomous.log_watch import Tail
from execution.autonomous.overseer import Overseer
from execution.runtime.clock import Clock
from execution.runtime.home import Home
from execution.runtime.last_word import take_last_words
from execution.vocabulary.issues import IssueType
from execution.vocabulary.messages import Fact, Heartbeat

SAID_EVERY_S = 5.0  # what goes on being wrong is counted so often
WORDS_KEPT = 100


class Witness:
    """Of one operation. hear() for every fact, look() once a second and when something has happened."""

    def __init__(self, overseer: Overseer, home: Home, clock: Clock) -> None:
        self.book = IssueBook(home, clock)
        self._overseer = overseer
        self._run = home.run
        self._clock = clock
        self._said: dict[tuple[str, str, str], float] = {}
        self._words: dict[tuple[str, int], None] = {}  # whose last word has been read: newest last
        self._apart_s: float | None = None

    def issues(self) -> list[Issue]:
        """What is known now."""
        return self.book.issues()

    def hear(self, fact: Fact) -> None:
        """What the bus brings."""
        if isinstance(fact, Heartbeat) and fact.errors and fact.process in self._overseer.watched:
            self.book.hear(fact)

    def look(self) -> None:
        """Who has died, and how; what goes on being wrong."""
        for word in take_last_words(self._run):
            if word.process in self._overseer.watched:
                self._words[word.process, word.pid] = None
                self.book.read_last_word(word)
        while len(self._words) > WORDS_KEPT:
            del self._words[next(iter(self._words))]
        while self._overseer.happened:
            happened = self._overseer.happened.popleft()
            found = findings.of_happening(happened)
            if found is not None and (happened.process, happened.pid) not in self._words:
                self.book.find(found)
        self._look_at_levels()

    def _look_at_levels(self) -> None:
        for name, watched in self._overseer.watched.items():
            for found in findings.of_process(name, watched):
                if found.type is not IssueType.HANG or not self._all_may_wait():
                    self._say(found)
        for found in findings.of_machine(self._overseer.machine):
            self._say(found)
        apart_s = self._clock.now_ms() / 1000 - self._clock.monotonic()
        stepped = findings.of_clock(apart_s - self._apart_s) if self._apart_s is not None else None
        self._apart_s = apart_s  # at each look: two clocks that drift apart slowly are no fault
        if stepped is not None:
            self.book.find(stepped)

    def _all_may_wait(self) -> bool:
        """While the venue or the network is away a run that goes on may just wait for it, and say nothing of it."""
        venue = self._overseer.watched.get("venue")
        return self.book.misses_others() or (venue is not None and not venue.pid)

    def _say(self, found: Found) -> None:
        key, now = (found.process, found.what, found.place), self._clock.monotonic()
        if now - self._said.get(key, -SAID_EVERY_S) >= SAID_EVERY_S:
            self._said[key] = now
            self.book.find(found)

    async def keep(self, tails: Mapping[str, Tail]) -> None:
        """Put the log lines beside what they show, and write down what has changed."""
        self.book.show({name: tail.recent for name, tail in tails.items()})
        await self.book.keep()
