"""Curves as SVG, written by hand: some panels below each other over one x axis, with points marked on them. Draws
what it is given; measures nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 900, 80, 20, 44, 200, 34
COLOURS = ("#1f77b4", "#d9730d", "#2f9e44", "#9c36b5", "#868e96")
POINTS_MOST = 400  # of one curve: more can't be seen
TICKS = 4


@dataclass(frozen=True)
class Curve:
    """Points (x, y), in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """A point worth seeing: a triangle upwards or downwards."""

    x: float
    y: float
    up: bool


@dataclass(frozen=True)
class Panel:
    """One chart; its y axis is its own."""

    title: str
    curves: Sequence[Curve]
    marks: Sequence[Mark] = field(default_factory=tuple)


def draw(title: str, x_name: str, panels: Sequence[Panel]) -> str:
    """The picture's text."""
    xs = [x for panel in panels for curve in panel.curves for x, _ in curve.points]
    first, last = min(xs), max(xs)
    height = TOP + len(panels) * (PANEL + GAP) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, TOP + 16 + number * (PANEL + GAP), first, (last - first) or 1.0)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{height - 6}" font-size="12" text-anchor="middle">{escape(x_name)}</text>')
    for step in range(TICKS + 1):
        value = first + (last - first) * step / TICKS
        at = LEFT + (WIDTH - LEFT - RIGHT) * step / TICKS
        parts.append(f'<text x="{at}" y="{height - 22}" font-size="11" text-anchor="middle">{value:.4g}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: float, first: float, span: float) -> list[str]:
    ys = [y for curve in panel.curves for _, y in curve.points]
    lowest, highest = min(ys), max(ys)
    room = (highest - lowest) * 0.06 or abs(highest) * 0.01 or 1.0
    lowest, highest = lowest - room, highest + room

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x - first) / span
        return across, top + PANEL * (highest - y) / (highest - lowest)

    parts = [f'<text x="{LEFT}" y="{top - 6}" font-size="12" fill="#555555">{escape(panel.title)}</text>']
    for step in range(TICKS + 1):
        value = lowest + (highest - lowest) * step / TICKS
        _, y = place(first, value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e6e8eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{value:.6g}</text>')
    for number, curve in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in thinned(curve.points)))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
        label = LEFT + 10 + 150 * number
        parts.append(f'<text x="{label}" y="{top + 14}" font-size="12" fill="{colour}">{escape(curve.name)}</text>')
    return parts + [_mark(*place(mark.x, mark.y), mark.up) for mark in panel.marks]


def _mark(x: float, y: float, up: bool) -> str:
    side, colour = (7, "#2f9e44") if up else (-7, "#e03131")
    points = f"{x:.1f},{y:.1f} {x - 4:.1f},{y + side:.1f} {x + 4:.1f},{y + side:.1f}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS_MOST of them, evenly; the last one always."""
    step = max(1, -(-len(points) // POINTS_MOST))
    kept = list(points[::step])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]
