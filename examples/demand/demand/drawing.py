"""Two small pictures as SVG text: parts of a whole, and a quantity per week."""

import datetime as dt
from html import escape

WIDTH, INK, PALE, BLUE = 900, "#1c2430", "#5b6675", "#2f6f9f"


def bars(parts: dict[str, int]) -> str:
    """One bar per part, as long as its share, with its number written out."""
    whole, rows = max(sum(parts.values()), 1), []
    for number, (name, count) in enumerate(parts.items()):
        y, width = 26 * number, max(1.0, 560 * count / whole)
        rows.append(
            f'<text x="0" y="{y + 16}" fill="{INK}">{escape(name)}</text>'
            f'<rect x="120" y="{y + 3}" width="{width:.1f}" height="17" fill="{BLUE}"/>'
            f'<text x="{126 + width:.1f}" y="{y + 16}" fill="{PALE}">{count:,} ({count / whole:.1%})</text>'
        )
    return _svg(26 * len(parts), "Rows by what was done with them", "".join(rows))


def columns(weeks: list[dt.date], values: list[float], height: int = 180) -> str:
    """A column per week from zero, the largest value and the first week of each quarter written out."""
    top, wide = max(values, default=0.0) or 1.0, (WIDTH - 60) / max(len(values), 1)
    drawn = [f'<text x="0" y="14" fill="{PALE}">{top:,.0f}</text><text x="0" y="{height}" fill="{PALE}">0</text>']
    for number, (week, value) in enumerate(zip(weeks, values, strict=True)):
        x, tall = 60 + number * wide, (height - 10) * max(value, 0.0) / top
        drawn.append(
            f'<rect x="{x:.1f}" y="{height - tall:.1f}" width="{wide * 0.8:.1f}" height="{tall:.1f}" fill="{BLUE}">'
            f"<title>week of {week}: {value:,.0f}</title></rect>"
        )
        if week.month % 3 == 1 and week.day <= 7 and x < WIDTH - 50:
            drawn.append(f'<text x="{x:.1f}" y="{height + 18}" fill="{PALE}">{week:%Y-%m}</text>')
    return _svg(height + 24, "Pieces per week", "".join(drawn))


def _svg(height: int, label: str, inside: str) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return (
        f'<svg role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg" {box} font-size="13">{inside}</svg>'
    )
