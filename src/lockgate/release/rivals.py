"""The release beside its rivals in words: for whom it is better than something else, for whom that is not shown, and for whom it is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Literal

from lockgate.gates.rules import sentences
from lockgate.records.findings import BesideRival
from lockgate.records.pack import Decided, Metric
from lockgate.release.wording import MINUS, SHARE, count, decimal_of, group_name, number

__all__ = [
    "RivalTable",
    "better_for",
    "commoner",
    "in_words",
    "is_no_better",
    "rival_table",
    "same_answer",
    "standing",
    "worse_for",
]

Standing = Literal["better", "worse", "not shown", "not measured"]
NAMED = 4  # groups that a sentence names


def standing(row: BesideRival, metric: Metric) -> Standing:
    """Better or worse where the whole interval of the difference says so; otherwise nothing is shown."""
    ends = _gain(row, metric)
    if ends is None:
        return "not measured"
    return "better" if ends[0] > 0 else "worse" if ends[1] < 0 else "not shown"


def in_words(row: BesideRival, metric: Metric) -> str:
    """By how much, as an interval.

    >>> from lockgate.records.evidence import Estimate
    >>> apart = Estimate(name="difference", value="0.19", low="0.161", high="0.219", unit="share")
    >>> row = BesideRival(rival="simple", words="a rule", by="all", group="all rows", own="0.89", theirs="0.7", difference=apart)
    >>> in_words(row, Metric(name="accuracy", lower_is_better=False)), in_words(row, Metric(name="wape"))
    ('better by 16.1 to 21.9 points', 'worse by 16.1 to 21.9 points')
    """
    ends = _gain(row, metric)
    if ends is None:
        return f"not measured: {row.difference.why or 'no reason recorded'}"
    low, high = ends
    if low == high == 0:
        return "no difference"
    if low > 0 or high < 0:
        near, far = sorted((abs(low), abs(high)))
        unit = row.difference.unit
        return f"{standing(row, metric)} by {_size(near, unit, shown=False)} to {_size(far, unit)}"
    unit = row.difference.unit
    return f"not shown: {_sign(low)}{_size(abs(low), unit, shown=False)} to {_sign(high)}{_size(high, unit)}"


def same_answer(row: BesideRival, metric: Metric) -> str:
    """One sentence on all rows beside the same answer for everybody, the simplest rival that there is."""
    theirs, own = number(row.theirs, row.difference.unit), number(row.own, row.difference.unit)
    words = in_words(row, metric).replace("not shown:", "not shown to be better,")
    of = f"the {row.difference.n:,} rows"
    return f"{sentences.capitalized(row.words)} would be right for {theirs} of {of}; this release is right for {own}: {words}."


def commoner(every: Decided) -> str:
    """The same where the metric says nothing of how often answers are right.

    >>> commoner(Decided(by="all", group="all rows", right_yes=85, wrong_yes=10, right_no=2, wrong_no=3))
    'The same answer for everybody (yes) would be right for 88.0% of the 100 rows.'
    """
    yes = every.right_yes + every.wrong_no
    answer, right = ("yes", yes) if yes * 2 >= every.rows else ("no", every.rows - yes)
    share = number(str(Decimal(right) / every.rows), SHARE)
    return f"The same answer for everybody ({answer}) would be right for {share} of the {every.rows:,} rows."


def is_no_better(row: BesideRival, metric: Metric) -> bool:
    """Whether all rows together do not show a gain over the same answer for everybody."""
    return row.rival == "same" and row.by == "all" and standing(row, metric) != "better"


def better_for(rows: Sequence[BesideRival], metric: Metric) -> tuple[str, ...]:
    """One sentence per rival: the groups for which the release is shown to be better, is not, and is worse."""
    return tuple(_for_whom(words, some, metric) for words, some in _by_rival(rows))


def worse_for(rows: Sequence[BesideRival], metric: Metric) -> tuple[str, ...]:
    """One sentence per rival that answers some group better than the release does; what `is_no_better` says is not said again."""
    said: list[str] = []
    for words, some in _by_rival(rows):
        worse = [r for r in _told(some) if standing(r, metric) == "worse" and not is_no_better(r, metric)]
        sure = f"95% intervals, {count(max(r.at_once for r in some), 'group')} at once"
        said += [
            f"{sentences.capitalized(words)} answers better than this release for {_named(worse)} ({sure})."
        ] * bool(worse)
    return tuple(said)


def _by_rival(rows: Sequence[BesideRival]) -> list[tuple[str, list[BesideRival]]]:
    """The words for each rival, and its rows."""
    found = [list(some) for _, some in groupby(rows, lambda r: r.rival)]
    return [(some[0].words, some) for some in found]


def _told(rows: Sequence[BesideRival]) -> Sequence[BesideRival]:
    """The groups; all rows where there are none."""
    return [r for r in rows if r.by != "all"] or rows


def _for_whom(words: str, rows: Sequence[BesideRival], metric: Metric) -> str:
    told = _told(rows)
    kinds: dict[Standing, list[BesideRival]] = {"better": [], "not shown": [], "worse": [], "not measured": []}
    for row in told:
        kinds[standing(row, metric)].append(row)
    if len(kinds["better"]) == len(told) > 1:
        return f"Than {words}: shown to be better for each of the {len(told)} groups compared."
    parts = {
        "better": "shown to be better for", "not shown": "not shown for", "worse": "worse for", "not measured": "not measured for",
    }  # fmt: skip
    said = [f"{parts[kind]} {_named(some)}" for kind, some in kinds.items() if some]
    return f"Than {words}: {'; '.join(said)}."


def _named(rows: Sequence[BesideRival]) -> str:
    names = ", ".join(group_name(r.by, r.group) for r in rows[:NAMED])
    return f"{names} and {len(rows) - NAMED} more" if len(rows) > NAMED else names


def _gain(row: BesideRival, metric: Metric) -> tuple[Decimal, Decimal] | None:
    """Both ends of the difference, turned so that above zero is better."""
    low, high = decimal_of(row.difference.low), decimal_of(row.difference.high)
    if low is None or high is None:
        return None
    return (-high, -low) if metric.lower_is_better else (low, high)


def _sign(end: Decimal) -> str:
    return MINUS if end < 0 else "+" if end > 0 else ""


def _size(value: Decimal, unit: str, *, shown: bool = True) -> str:
    """A distance; two shares lie points apart, not per cent. `shown`: with its unit."""
    if unit == SHARE:
        return sentences.percent(value).removesuffix("%") + " points" * shown
    return number(str(value), unit if shown else "")


Line = tuple[str, int, str, tuple[tuple[str, str], ...]]
"""Group, its number of rows, the release's metric, and per rival its own with what that means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalTable:
    """All rivals beside the release, a line per group; `at_once`: for how many groups together intervals hold, at most."""

    rivals: tuple[str, ...]
    rows: tuple[Line, ...]
    at_once: int


def rival_table(rows: Sequence[BesideRival], metric: Metric) -> RivalTable | None:
    """One line per group, all rows first; None where nothing was held against the release."""
    if not rows:
        return None
    rivals = {r.rival: r.words.partition(" (")[0] for r in rows}
    cells = {(r.by, r.group, r.rival): r for r in rows}
    lines = [(group_name(by, group), [cells.get((by, group, rival)) for rival in rivals]) for by, group in _lines(rows)]
    return RivalTable(
        rivals=tuple(rivals.values()), rows=tuple(_row(name, found, metric) for name, found in lines),
        at_once=max(r.at_once for r in rows),
    )  # fmt: skip


def _lines(rows: Sequence[BesideRival]) -> list[tuple[str, str]]:
    """All rows, then the groups in the order of their columns and names, whichever rival has them."""
    columns = list(dict.fromkeys(r.by for r in rows))
    return sorted({(r.by, r.group) for r in rows}, key=lambda named: (columns.index(named[0]), named[1]))


def _row(name: str, found: Sequence[BesideRival | None], metric: Metric) -> Line:
    """Rows and own metric of the rival with most rows: a live release may have been asked fewer."""
    most = max((r for r in found if r is not None), key=lambda r: r.difference.n)
    of, own = most.difference.n, number(most.own, most.difference.unit)
    return name, of, own, tuple(_cell(r, metric, of=of) for r in found)


def _cell(row: BesideRival | None, metric: Metric, *, of: int) -> tuple[str, str]:
    """Their value and what it means; where they answered fewer rows than the line has, how many and this release's value on them."""
    if row is None:
        return ("–", "not compared")
    unit = row.difference.unit
    fewer = f"on {row.difference.n:,} rows, this release {number(row.own, unit)}: " if row.difference.n < of else ""
    return number(row.theirs, unit), fewer + in_words(row, metric)
