"""Whatever happens, in whatever order: budgets hold, a person's word holds, live is asked for, all can be put back."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.autonomous.healing.cases import TRANSITIONS, CaseState, Outcome, diagram
from execution.autonomous.healing.persons_word import CannotObey
from execution.autonomous.healing.remedy import CannotHeal, Hands, Issue, Undo
from execution.vocabulary.issues import IssueType, Severity
from execution.vocabulary.limits import CHANGES_PER_HOUR_MAX
from tests.autonomous.healing.toys import TERMS, Nudge, Scene, Switch, file_of
from tests.support import rounds

LIVE, SANDBOX = "live_optimus", "sandbox_optimus"
KINDS = {IssueType.KEY: msgspec.structs.replace(TERMS, budget=2, window_s=600, cool_down_s=20, quiet_for_s=30)}
ASKING = {IssueType.KEY: msgspec.structs.replace(KINDS[IssueType.KEY], approval=True)}
BUDGETS = {"gentle": 2, "lasting": 2, "asking": 2}

OCCURS = st.tuples(st.just("occurs"), st.sampled_from([LIVE, LIVE, SANDBOX]), st.sampled_from(["f1", "f1", "f2"]))
EVENTS = st.one_of(
    *[OCCURS] * 6,
    st.tuples(st.just("wait"), st.sampled_from([1.0, 5.0, 40.0, 200.0]), st.just("")),
    st.tuples(
        st.sampled_from(["approve", "reject", "revert"]), st.sampled_from(["h1", "h2", "h3", "all"]), st.just("")
    ),
    st.tuples(st.sampled_from(["refuse", "obstruct", "free"]), st.sampled_from(["gentle", "lasting"]), st.just("")),
    st.tuples(st.just("die"), st.just(""), st.just("")),
)


class Watchful(Scene):
    """A scene that notes what was applied, when and to whom, and under which word of a person's."""

    def __init__(self, root: Path) -> None:
        self.applied: list[tuple[str, str, str, float]] = []
        super().__init__(
            root,
            Noting("gentle", KINDS, self),
            NotingSwitch("lasting", KINDS, self),
            NotingSwitch("asking", ASKING, self),
        )

    def note(self, remedy: str, issue: Issue) -> None:
        case = self.healer.book.of(issue)
        assert case is not None and case.state is CaseState.APPLYING
        self.applied.append((remedy, issue.process, case.id, self.clock.monotonic()))


class Noting(Nudge):
    def __init__(self, name: str, kinds: dict, scene: Watchful) -> None:  # type: ignore[type-arg]
        super().__init__(name, kinds)
        self._scene = scene

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        undo = await super().apply(issue, hands)
        self._scene.note(self.name, issue)
        return undo


class NotingSwitch(Switch):
    """Adds a line of its own to the file, and takes that line out again: in any order with others."""

    def __init__(self, name: str, kinds: dict, scene: Watchful) -> None:  # type: ignore[type-arg]
        super().__init__(name, kinds)
        self._scene = scene

    async def apply(self, issue: Issue, hands: Hands) -> Undo:
        path = file_of(hands.home, issue.process)
        undo: Undo = {"process": issue.process, "line": f"{self.name} {issue.fingerprint}"}
        hands.keep(undo)
        write_lines(path, [*lines_of(path), undo["line"]])
        if self.refuses:  # half-way
            raise CannotHeal(self.refuses)
        self._scene.note(self.name, issue)
        return undo

    async def revert(self, undo: Undo, hands: Hands) -> None:
        path = file_of(hands.home, undo["process"])
        write_lines(path, [line for line in lines_of(path) if line != undo["line"]])


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def write_lines(path: Path, lines: list[str]) -> None:
    if lines:
        path.write_text("\n".join(lines))
    else:
        path.unlink(missing_ok=True)


@settings(
    max_examples=12 * rounds(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(events=st.lists(EVENTS, min_size=25, max_size=50))
def test_no_sequence_breaks_a_budget_or_a_persons_word_and_all_can_be_put_back(
    events: list[tuple[str, str | float, str]],
) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        scene = Watchful(root)
        approvals: Counter[str] = Counter()
        forbidden: set[str] = set()
        for event, what, more in events:
            before = len(scene.applied)
            _happen(scene, event, what, more, approvals, forbidden)
            scene.look(seconds=4)
            for remedy, process, case_id, _ in scene.applied[before:]:
                assert case_id not in forbidden, f"{case_id} was rejected, and {remedy} applied all the same"
                if remedy == "asking" and process == LIVE:
                    approvals[case_id] -= 1
                    assert approvals[case_id] >= 0, "an approval is for one attempt"
            _budgets_hold(scene)
            _stands_only_what_should(scene)
        scene.revert("all")
        assert [file_of(scene.home, process).exists() for process in (LIVE, SANDBOX)] == [False, False]
    finally:
        shutil.rmtree(root)


def _happen(
    scene: Watchful, event: str, what: str | float, more: str, approvals: Counter[str], forbidden: set[str]
) -> None:
    if event == "occurs":
        scene.occurs(fingerprint=more, process=str(what), severity=Severity.SERIOUS)
    elif event == "wait":
        scene.look(seconds=float(what))
    elif event == "die":
        scene.healer = scene.new_healer()
        scene.resume()
    elif event in ("refuse", "obstruct", "free"):
        (toy,) = [remedy for remedy in scene.remedies if remedy.name == what]
        toy.refuses = "no" if event == "refuse" else ""
        toy.obstacle_said = "not now" if event == "obstruct" else ""
    else:
        _say(scene, event, str(what), approvals, forbidden)


def _say(scene: Watchful, word: str, wanted: str, approvals: Counter[str], forbidden: set[str]) -> None:
    try:
        if word == "revert":
            done = scene.revert(wanted)
            forbidden |= {one.partition(".")[0] for one in done}
        elif word == "approve":
            scene.person.approve(wanted, "me")
            approvals[wanted] += 1
            forbidden.discard(wanted)
        else:
            scene.person.reject(wanted, "me")
            forbidden.add(wanted)
    except CannotObey as problem:
        assert len(str(problem)) > len(wanted), "a refusal says why"


def _stands_only_what_should(scene: Watchful) -> None:
    """What came to nothing, or was useless, has been put back."""
    outcomes = {one.id: one.outcome for case in scene.healer.book.cases.values() for one in case.attempts}
    for standing in scene.healer.undo.all():
        assert outcomes[standing.id] in (Outcome.RUNNING, Outcome.HELPED), f"{standing.id} stands"


def _budgets_hold(scene: Watchful) -> None:
    now = scene.clock.monotonic()
    lately = [(remedy, process) for remedy, process, _, at in scene.applied if now - at < 600]
    assert all(count <= BUDGETS[remedy] for (remedy, _), count in Counter(lately).items()), lately
    assert len(lately) <= CHANGES_PER_HOUR_MAX


def test_every_state_can_be_reached_and_left_and_the_diagram_shows_each_way() -> None:
    reached = {CaseState.OPEN, *TRANSITIONS.values()}
    assert reached == set(CaseState)
    assert {state for state, _ in TRANSITIONS} == set(CaseState)
    ways = {(state, to) for (state, _), to in TRANSITIONS.items()}
    assert diagram().count("-->") == 1 + len(ways)
