"""A bar chart as SVG, written by hand: horizontal bars on a logarithmic scale, since the slowest takes a thousand times
as long as the quickest. Draws what it is given; measures nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 900, 300, 130, 26, 44
OURS, THEIRS, FLOOR = "#1f77b4", "#b0b7bf", "#d9dde2"


@dataclass(frozen=True)
class Bar:
    """One line of the chart: the median, and a whisker to the p99."""

    name: str
    median: float
    p99: float
    colour: str = THEIRS


def chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """The picture's text. Values must be above zero."""
    lowest = 10 ** math.floor(math.log10(min(bar.median for bar in bars)))
    highest = max(bar.p99 for bar in bars)
    span = math.log10(highest / lowest) or 1.0

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(max(value, lowest) / lowest) / span

    height = TOP + ROW * len(bars) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="16">{escape(title)}</text>',
    ]
    for power in range(round(math.log10(lowest)), math.floor(math.log10(highest)) + 1):
        at = x(10.0**power)
        line = f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{height - 26}" stroke="#e6e8eb"/>'
        label = (
            f'<text x="{at:.1f}" y="{height - 10}" font-size="11" text-anchor="middle">{10.0**power:g} {unit}</text>'
        )
        parts += [line, label]
    for number, bar in enumerate(bars):
        parts += _bar(bar, TOP + ROW * number, x(bar.median), x(bar.p99), unit)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(bar: Bar, top: float, end: float, late: float, unit: str) -> list[str]:
    middle = top + ROW / 2
    value = f"{bar.median:.1f} {unit}" if bar.median < 100 else f"{bar.median:,.0f} {unit}"
    width, thick = max(1.0, end - LEFT), ROW - 8
    return [
        f'<text x="{LEFT - 8}" y="{middle + 4:.1f}" font-size="13" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect x="{LEFT}" y="{top + 4:.1f}" width="{width:.1f}" height="{thick}" fill="{bar.colour}"/>',
        f'<line x1="{end:.1f}" y1="{middle:.1f}" x2="{late:.1f}" y2="{middle:.1f}" stroke="#555555"/>',
        f'<text x="{late + 6:.1f}" y="{middle + 4:.1f}" font-size="12">{value}</text>',
    ]
