"""How values are spread, drawn and said: each column in training, test and now, altogether and within each group.

Pure: findings in, pairs of words and SVG out. What is drawn is said, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.records.findings import FEATURE, QUANTILES, Distribution, Part, Spread
from lockgate.release import multiples, wording
from lockgate.release.multiples import Range, Series

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Portrait", "column_portrait", "drawn_safely", "float_of", "group_portraits", "value_in_words"]

FAR = 0.1  # of the rows, beyond chance
ALIKE = 0.005
SEEN = "what the model sees"
ROLES = {
    "truth": "what happened", "answer": "what is answered", "asked": "field of the request", "group": "group of rows",
    "feature": "feature", "beside": "beside the request",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One small figure: what it shows, in which words, and whether a reader should look twice."""

    title: str
    kicker: str
    words: str
    figure: Markup | None
    flagged: bool = False


def column_portrait(distribution: Distribution) -> Portrait:
    words = " ".join(_of_part(distribution, part) for part in distribution.parts)
    series = [Series(name=p.name, shares=_shares(p)) for p in distribution.parts if sum(p.counts)]
    title = wording.plain(distribution.column.removeprefix(FEATURE))
    if distribution.edges:
        ends = (value_in_words(distribution.edges[0]), value_in_words(distribution.edges[-1]))
        drawn = multiples.histogram(ends, series, title=f"How {title} is spread", desc=words)
    else:
        drawn = multiples.shares(distribution.labels, series, title=f"How {title} is spread", desc=words)
    flagged = any(_beyond_chance(p) for p in distribution.parts)
    return Portrait(
        title=title,
        kicker=SEEN if distribution.column.startswith(FEATURE) else ROLES.get(distribution.role, distribution.role),
        words=words,
        figure=drawn_safely(drawn),
        flagged=flagged,
    )


def _of_part(distribution: Distribution, part: Part) -> str:
    missing = f", {part.missing:,} without a value" if part.missing else ""
    head = f"{wording.capitalized(_rows(part.name))}: {wording.count(part.n, 'row')}{missing}"
    return f"{head}{_middle(part)}{_most(distribution, part)}{_moved(part)}."


def _rows(name: str) -> str:
    return multiples.NAMES.get(name, name)


def _middle(part: Part) -> str:
    q = [part.quantiles.get(name) for name in ("0.5", "0.25", "0.75")]
    middle, low, high = (value_in_words(v) if v is not None else "" for v in q)
    return f", middle {middle}, half of them {low} to {high}" if middle and low and high else ""


def _most(distribution: Distribution, part: Part) -> str:
    """The largest label with its share."""
    if not sum(part.counts) or len(distribution.labels) != len(part.counts):
        return ""
    most = max(range(len(part.counts)), key=lambda i: part.counts[i])
    return f", {part.counts[most] / sum(part.counts):.0%} {distribution.labels[most]}"


def _moved(part: Part) -> str:
    shift, chance = float_of(part.shift), float_of(part.chance)
    if shift is None or chance is None:
        return ""
    return f", {shift:.0%} lie in other places than in training (chance alone: up to {chance:.0%})"


def _beyond_chance(part: Part) -> bool:
    """So far beyond what chance does that somebody should look; with many rows chance does nearly nothing."""
    shift, chance = float_of(part.shift), float_of(part.chance)
    return shift is not None and chance is not None and shift - chance > FAR


def _shares(part: Part) -> list[float]:
    whole = sum(part.counts)
    return [count / whole for count in part.counts]


def group_portraits(spreads: Sequence[Spread]) -> list[Portrait]:
    """One figure per column that groups rows and per kind of value, with its groups as rows."""
    found: list[Portrait] = []
    for by, column in dict.fromkeys((s.by, s.column) for s in spreads):
        group = [s for s in spreads if (s.by, s.column) == (by, column)]
        named = wording.plain(column.removeprefix(FEATURE))
        drawn, words, title = _labels_within(group, named) if group[0].labels else _middles_within(group, named)
        if drawn:
            title = f"{title} by {wording.plain(by)}"
            found.append(Portrait(title=title, kicker=_apart(group[0]), words=words, figure=drawn_safely(drawn)))
    return found


def _apart(spread: Spread) -> str:
    apart = float_of(spread.apart)
    if apart is None:
        return "within groups"
    return f"{apart:.0%} apart" if apart >= ALIKE else "as alike as chance"


def _middles_within(spreads: Sequence[Spread], named: str) -> tuple[str, str, str]:
    """Figure, words and title of a number: a row of ranges per group."""
    rows = [(s.group, _ranges(s.parts)) for s in spreads]
    words = " ".join(wording.sentence(f"{s.group}: {_range_words(s.parts)}") for s in spreads)
    title = f"The middle of {named}"
    return multiples.ranges(rows, title=title, desc=words, form=lambda v: value_in_words(f"{v:.6g}")), words, named


def _labels_within(spreads: Sequence[Spread], named: str) -> tuple[str, str, str]:
    """Figure, words and title of a label: per group how many of 100 rows carry the one that is shown."""
    shown = _shown(spreads)
    names = [p.name for p in spreads[0].parts]
    counts = {(s.group, p.name): p.counts for s in spreads for p in s.parts}
    series = [Series(name=n, shares=[_share(counts[s.group, n], shown) for s in spreads]) for n in names]
    label = spreads[0].labels[shown]
    words = " ".join(wording.sentence(f"{s.group}: {_share_words(s, shown)}") for s in spreads)
    title = f"share of {named} = {label}"
    return multiples.shares([s.group for s in spreads], series, title=title, desc=words), words, title


def _shown(spreads: Sequence[Spread]) -> int:
    """The label in which the groups of the test differ most; of equal ones yes, else the more frequent."""
    labels = spreads[0].labels
    tests = [p.counts for s in spreads for p in s.parts if p.name == "holdout" and sum(p.counts)]

    def range_of(i: int) -> float:
        shares = [_share(counts, i) for counts in tests]
        return max(shares) - min(shares) if shares else 0.0

    return max(range(len(labels)), key=lambda i: (round(range_of(i), 9), labels[i] == "yes", -i))


def _share(counts: Sequence[int], shown: int) -> float:
    return counts[shown] / sum(counts) if sum(counts) else 0.0


def _share_words(spread: Spread, shown: int) -> str:
    each = (
        f"{_rows(p.name)} {_share(p.counts, shown):.0%} of {wording.count(sum(p.counts), 'row')}"
        for p in spread.parts
        if sum(p.counts)
    )
    return "; ".join(each) or "no values"


def _ranges(parts: Sequence[Part]) -> list[Range]:
    return [found for part in parts if (found := _range(part)) is not None]


def _range(part: Part) -> Range | None:
    q = [v for name in QUANTILES if (v := float_of(part.quantiles.get(name))) is not None]
    return Range(name=part.name, at=(q[0], q[1], q[2], q[3], q[4])) if len(q) == len(QUANTILES) else None


def _range_words(parts: Sequence[Part]) -> str:
    each = (
        f"{_rows(r.name)} {value_in_words(str(r.at[2]))}, half {value_in_words(str(r.at[1]))} to {value_in_words(str(r.at[3]))}, "
        f"{wording.count(part.n, 'row')}"
        for part in parts
        if (r := _range(part)) is not None
    )
    return "; ".join(each) or "no values"


def float_of(text: str | None) -> float | None:
    value = wording.decimal_of(text)
    return None if value is None else float(value)


def value_in_words(text: str) -> str:
    return text if wording.decimal_of(text) is None else wording.number(text)


def drawn_safely(svg: str) -> Markup | None:
    from markupsafe import Markup

    return Markup(svg) if svg else None  # noqa: S704 (plots escapes every text it is given)
