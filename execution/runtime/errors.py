"""Errors counted once each, by fingerprint: exception type, the place in our own code that raised it, and the shape of
what it says. Bounded: a flood of errors costs neither memory nor the time that the work needs.
"""

import errno
import hashlib
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import CodeType, TracebackType

from execution.runtime.clock import Clock
from execution.runtime.template import READ_MAX, readable, template_of
from execution.vocabulary.health import ErrorCount
from execution.vocabulary.limits import ERROR_WINDOW_S

KINDS_MAX = 50
REPORTED_MAX = 20
SEEN_MAX = 200
NEW_TOLD_EVERY_S = 0.2
SEEN_FOR_S = 1.0
SHAPES_MAX = 5  # of one type at one place: beyond that, what others wrote into the message tells nothing
MESSAGE_MAX = 300
FRAMES_MAX = 8
FRAMES_LOOKED_AT = 64
BASES_MAX = 8
CONTEXT_MAX = 10
VALUE_MAX = 80
OTHER_SHAPES = "<other>"
UNKNOWN_PLACE = "unknown"
_OURS = ("execution.", "agents.", "scripts.")
_CARRIED = "__nae_context__"


class about:  # noqa: N801 -- as it is read: with about(symbol=symbol):
    """Whatever error leaves this block says what it was about: `with about(symbol=..., strategy=...):`. Only for what
    our own code knows; never for what stands in somebody else's text."""

    def __init__(self, **context: str) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            setattr(error, _CARRIED, self._context | getattr(error, _CARRIED, {}))  # the innermost knows best


@dataclass
class _Kind:
    told: ErrorCount
    first: float = 0.0
    told_at: float = 0.0
    last: float = 0.0
    count: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def row(self, now: float) -> ErrorCount:
        while self.times and now - self.times[0] > ERROR_WINDOW_S:
            self.times.popleft()
        ages = {"first_age_s": now - self.first, "last_age_s": now - self.last}
        return _with(self.told, count=self.count, in_window=len(self.times), **ages)


class ErrorBook:
    """The errors of one process, bounded in memory."""

    def __init__(self, clock: Clock, on_new: Callable[[], object] = lambda: None) -> None:
        self.on_new = on_new  # called at a kind's first occurrence: it needn't wait for the next heartbeat
        self._newest_told_at = clock.monotonic() - NEW_TOLD_EVERY_S
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self._seen: dict[Hashable, _Kind] = {}  # by their looks: in a flood the same error is described once a second

    def note(self, error: BaseException, **context: str) -> str:
        """Count one occurrence; its fingerprint. `context`: what our code knows of it (task, symbol, operation)."""
        now, looks = self._clock.monotonic(), _looks(error, context)
        kind = self._seen.get(looks)
        if kind is None or now - kind.told_at > SEEN_FOR_S:
            kind = self._kind_of(describe(error, **context))
            kind.told_at, self._seen[looks] = now, kind
        kind.last = now
        kind.count += 1
        kind.times.append(now)
        return kind.told.fingerprint

    def _kind_of(self, told: ErrorCount) -> _Kind:
        if told.fingerprint not in self._kinds:
            told = self._room_for(told)
        if len(self._seen) >= SEEN_MAX:
            self._seen.clear()
        kind = self._kinds.get(told.fingerprint)
        if kind is None:
            now = self._clock.monotonic()
            kind = self._kinds[told.fingerprint] = _Kind(told, first=now)
            if now - self._newest_told_at >= NEW_TOLD_EVERY_S:  # of many new kinds at once the heartbeat tells the rest
                self._newest_told_at = now
                self.on_new()
        kind.told = told
        return kind

    def _room_for(self, told: ErrorCount) -> ErrorCount:
        """A new kind; one shape too many of a known place counts with the other shapes there."""
        same = [kind for kind in self._kinds.values() if (kind.told.kind, kind.told.place) == (told.kind, told.place)]
        if len(same) >= SHAPES_MAX:
            told = _with(told, template=OTHER_SHAPES, fingerprint=fingerprint_of(told.kind, told.place, OTHER_SHAPES))
        if told.fingerprint not in self._kinds and len(self._kinds) >= KINDS_MAX:
            del self._kinds[min(self._kinds, key=lambda name: self._kinds[name].last)]
            self._seen.clear()
        return told

    def rows(self) -> list[ErrorCount]:
        """All kinds seen, most recent first, at most REPORTED_MAX."""
        now = self._clock.monotonic()
        newest = sorted(self._kinds.values(), key=lambda kind: kind.last, reverse=True)[:REPORTED_MAX]
        return [kind.row(now) for kind in newest]


def _looks(error: BaseException, context: dict[str, str]) -> Hashable:
    """What tells one error from another without a look at what it means."""
    trace, way = error.__traceback__, deque[tuple[CodeType, int]](maxlen=FRAMES_LOOKED_AT)
    while trace is not None:
        way.append((trace.tb_frame.f_code, trace.tb_lasti))
        trace = trace.tb_next
    known = context | getattr(error, _CARRIED, {})
    return type(error), tuple(way), _text_of(error)[:READ_MAX], tuple((key, str(known[key])) for key in known)


def describe(error: BaseException, **context: str) -> ErrorCount:
    """One error as a report, counted once. Never raises, and holds nothing secret and no values of variables."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    kind, place, text = type(error).__name__, place_of(error), _text_of(error)
    template = template_of(text)
    return ErrorCount(
        fingerprint=fingerprint_of(kind, place, template),
        kind=kind,
        place=place,
        message=readable(text, MESSAGE_MAX),
        count=1,
        in_window=1,
        last_age_s=0.0,
        template=template,
        frames=frames_of(error),
        bases=[base.__name__ for base in type(error).__mro__[1:-2]][:BASES_MAX],
        context=_context_of(error, context),
        issue=str(getattr(error, "issue_type", "") or ""),
    )


def fingerprint_of(kind: str, place: str, template: str) -> str:
    """The same in every process that shows the same fault."""
    return hashlib.sha256(f"{kind}@{place}:{template}".encode(errors="replace")).hexdigest()[:12]


def place_of(error: BaseException) -> str:
    """module:function of the innermost frame in our own code, else of the innermost frame."""
    places = [place for place, _ in _places(error)]
    ours = [place for place in places if place.startswith(_OURS)]
    return (ours or places or [UNKNOWN_PLACE])[-1]


def frames_of(error: BaseException) -> list[str]:
    """module:function:line of the innermost frames, outermost first; no values of variables."""
    return [f"{place}:{line}" for place, line in _places(error)[-FRAMES_MAX:]]


def _places(error: BaseException) -> list[tuple[str, int]]:
    found, trace = deque[tuple[str, int]](maxlen=FRAMES_LOOKED_AT), error.__traceback__
    while trace is not None:
        scope = trace.tb_frame.f_globals
        module = scope.get("__name__", "?")
        if module == "__main__":  # python -m agents.optimus
            module = getattr(scope.get("__spec__"), "name", None) or module
        found.append((f"{module}:{trace.tb_frame.f_code.co_qualname}", trace.tb_lineno))
        trace = trace.tb_next
    return list(found)


def _context_of(error: BaseException, given: dict[str, str]) -> dict[str, str]:
    known = given | getattr(error, _CARRIED, {}) | _own_context(error)
    return {key: readable(str(value), VALUE_MAX) for key, value in list(known.items())[:CONTEXT_MAX]}


def _own_context(error: BaseException) -> dict[str, str]:
    """What the exception carries as values of its own: not out of its text."""
    if isinstance(error, OSError):
        return {"errno": errno.errorcode.get(error.errno, str(error.errno))} if error.errno is not None else {}
    if isinstance(error, NameError | AttributeError | ImportError):
        return {"name": error.name} if error.name else {}
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "issue_code", None)
    return {"code": str(code)} if code else {}


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as trouble:  # noqa: BLE001 -- an error whose own text can't be made must not end who counts it
        return f"its text can't be made: {type(trouble).__name__}"


def _with(told: ErrorCount, **changes: object) -> ErrorCount:
    fields = {name: getattr(told, name) for name in told.__struct_fields__}
    return ErrorCount(**(fields | changes))
