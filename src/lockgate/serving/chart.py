"""Recent history and one forecast as an SVG: bars for what happened, a dot on its interval for what is expected.

No styles inside: the page's style sheet colours the classes, in light and dark.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Forecast", "amount", "draw", "interval_bar", "score_bar"]

LEFT, RIGHT, TOP, BOTTOM = 44.0, 16.0, 14.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer as it is drawn; `low` and `high` are None without an interval."""

    day: dt.date
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    first: dt.date
    days: int
    low: float
    high: float
    width: float
    height: float

    def x(self, day: dt.date) -> float:
        return LEFT + ((day - self.first).days + 0.5) / self.days * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        span = self.high - self.low
        return TOP + (self.high - value) / span * (self.height - TOP - BOTTOM)


def draw(
    points: Sequence[tuple[dt.date, float]], *, as_of: dt.date, forecast: Forecast, days: int, width: int, height: int
) -> str:
    """Draw the last `days` days before `as_of` and the forecast behind them."""
    first = as_of - dt.timedelta(days=days)
    shown = [(day, value) for day, value in points if day >= first]
    values = [v for _, v in shown] + [v for v in (forecast.value, forecast.low, forecast.high) if v is not None]
    ticks = _ticks(values)
    total = max((forecast.day - first).days + 3, days + 8)
    scale = _Scale(first, total, min(0.0, *values), ticks[-1], width, height)
    parts = [
        *_grid(scale, ticks),
        *_future(scale, as_of),
        *_bars(scale, shown),
        *_months(scale, width),
        *_expected(scale, forecast),
    ]
    label = escape(_told(shown, forecast), quote=True)
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def interval_bar(forecast: Forecast) -> str:
    """The interval on a line from zero: how sure the number is, at a glance."""
    if forecast.low is None or forecast.high is None:
        return ""
    start = min(0.0, forecast.low)
    end = max(forecast.high * 1.08, forecast.value, start + 1.0)

    def at(value: float) -> float:
        return 4 + (value - start) / (end - start) * 392

    low, high, value = at(forecast.low), at(forecast.high), at(forecast.value)
    return (
        '<svg class="span" viewBox="0 0 400 20" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="span-line" x1="4" y1="10" x2="396" y2="10"/>'
        f'<rect class="span-range" x="{low:.1f}" y="4" width="{max(high - low, 2):.1f}" height="12" rx="6"/>'
        f'<line class="span-point" x1="{value:.1f}" y1="1" x2="{value:.1f}" y2="19"/></svg>'
    )


def score_bar(score: float) -> str:
    """A score on a line from 0 to 1; nothing when it lies elsewhere."""
    if not 0 <= score <= 1:
        return ""
    at = 4 + score * 392
    return (
        '<svg class="span" viewBox="0 0 400 20" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="span-line" x1="4" y1="10" x2="396" y2="10"/>'
        f'<rect class="span-range" x="4" y="4" width="{max(at - 4, 2):.1f}" height="12" rx="6"/>'
        f'<line class="span-point" x1="{at:.1f}" y1="1" x2="{at:.1f}" y2="19"/></svg>'
    )


def amount(value: float) -> str:
    """A number as people read it.

    >>> amount(11.53), amount(12.0), amount(1234.5)
    ('11.5', '12', '1,234')
    """
    if abs(value) >= 100 or round(value, 1) == round(value):
        return f"{value:,.0f}".replace("-0", "0") if abs(value) < 0.5 else f"{value:,.0f}"
    return f"{value:,.1f}"


def _ticks(values: Sequence[float]) -> list[float]:
    """Round steps from the lowest value to above the highest: one small negative bar needs no whole step below zero.

    >>> _ticks([-7.0, 180.0])
    [0.0, 50.0, 100.0, 150.0, 200.0]
    """
    low, high = min(0.0, *values, 0.0), max(*values, 1.0)
    raw = (high - low) / 4
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(s * magnitude for s in (1, 2, 2.5, 5, 10) if s * magnitude >= raw)
    return [tick * step for tick in range(math.ceil(low / step), math.ceil(high / step) + 1)]


def _grid(scale: _Scale, ticks: Sequence[float]) -> list[str]:
    right = scale.width - RIGHT
    return [
        f'<line class="{"axis" if tick == 0 else "grid"}" x1="{LEFT}" y1="{scale.y(tick):.1f}" x2="{right}" '
        f'y2="{scale.y(tick):.1f}"/><text class="tick" x="{LEFT - 8}" y="{scale.y(tick) + 4:.1f}" '
        f'text-anchor="end">{amount(tick)}</text>'
        for tick in ticks
    ]


def _future(scale: _Scale, as_of: dt.date) -> list[str]:
    x = scale.x(as_of) - 0.5 * (scale.width - LEFT - RIGHT) / scale.days
    bottom = scale.height - BOTTOM
    return [
        f'<rect class="future" x="{x:.1f}" y="{TOP}" width="{scale.width - RIGHT - x:.1f}" height="{bottom - TOP:.1f}"/>',
        f'<line class="today" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>',
    ]


def _bars(scale: _Scale, points: Sequence[tuple[dt.date, float]]) -> list[str]:
    width = max(1.5, 0.68 * (scale.width - LEFT - RIGHT) / scale.days)
    return [
        f'<rect class="bar" x="{scale.x(day) - width / 2:.1f}" y="{scale.y(max(value, 0)):.1f}" width="{width:.1f}" '
        f'height="{max(abs(scale.y(0) - scale.y(value)), 0.5):.1f}"><title>{day}: {amount(value)}</title></rect>'
        for day, value in points
    ]


def _months(scale: _Scale, width: float) -> list[str]:
    every = 14 if width > 500 else 21
    first_monday = scale.first + dt.timedelta(days=-scale.first.weekday() % 7)
    shown = [first_monday + dt.timedelta(days=step) for step in range(0, scale.days - 3, every)]
    return [
        f'<text class="tick" x="{scale.x(day):.1f}" y="{scale.height - 10:.1f}" text-anchor="middle">'
        f"{day.day} {day:%b}</text>"
        for day in shown
        if LEFT + 14 < scale.x(day) < width - RIGHT - 20
    ]


def _expected(scale: _Scale, forecast: Forecast) -> list[str]:
    x, parts = scale.x(forecast.day), list[str]()
    if forecast.low is not None and forecast.high is not None:
        top, bottom = scale.y(forecast.high), scale.y(forecast.low)
        parts.append(
            f'<rect class="range" x="{x - 4:.1f}" y="{top:.1f}" width="8" height="{max(bottom - top, 2):.1f}" rx="4"/>'
        )
    parts.append(f'<circle class="point" cx="{x:.1f}" cy="{scale.y(forecast.value):.1f}" r="5"/>')
    return parts


def _told(points: Sequence[tuple[dt.date, float]], forecast: Forecast) -> str:
    expected = f"Forecast for {forecast.day}: {amount(forecast.value)} {forecast.unit}".strip()
    if forecast.low is not None and forecast.high is not None:
        expected += f", between {amount(forecast.low)} and {amount(forecast.high)}"
    if not points:
        return f"No recent history. {expected}."
    mean = sum(v for _, v in points) / len(points)
    return f"{len(points)} days of history from {points[0][0]} to {points[-1][0]}, {amount(mean)} a day on average. {expected}."
