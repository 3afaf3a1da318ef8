"""Why answers move, and for whom: the change split among code, data, parameters and packages, and by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import details, table, text
from lockgate.gates.rules.sentences import percent
from lockgate.records.movement import LIMITS
from lockgate.release.wording import count, decimal_of, group_name, number

if TYPE_CHECKING:
    from lockgate.records.evidence import Estimate
    from lockgate.records.movement import Attribution, Effect, Moved, Movement, ReleaseDifference

__all__ = ["FAR", "Words", "because", "for_whom", "part", "signed"]

GROUPS: Final = 6
MOST_GROUPS: Final = 40
FAR: Final = LIMITS[1]
MINUS: Final = "\N{MINUS SIGN}"

Words = Mapping[str, str]
"""Of a release that decides: `1` and `0` → what they mean."""


def because(found: ReleaseDifference, decides: Words) -> list[str]:
    """Which of code, data, parameters and packages did it, with intervals."""
    split, lacking = found.attribution, _lacking(found)
    if split is None or found.movement is None:
        return [f"**Why they move** is not known. {lacking}"] if lacking else []
    unit = "share" if decides else ""
    rows = [
        [_called(e, split), _effect(e.metric), _effect(e.answers, unit), _share(e.shares.get(FAR))]
        for e in split.effects
    ]
    moved = found.movement.overall.shares[FAR]
    whole = ["all of it", _effect(split.metric), _effect(split.answers, unit), _share(moved)]
    heads = ["because of", text(found.movement.metric["words"]), _mean(decides), "turn" if decides else "beyond 10%"]
    told = table(heads, [*rows, whole] if len(rows) > 1 else rows, right=(1, 2, 3))
    note = (
        "Each line is the live release with only this from the proposed one; in brackets 95% intervals."
        if len(rows) > 1
        else ""
    )
    return ["**Why they move**", told, " ".join(w for w in (note, lacking) if w)]


def _mean(decides: Words) -> str:
    return f"share of “{text(decides['1'], 80)}”" if decides else "mean answer"


def _lacking(found: ReleaseDifference) -> str:
    """The mixes that could not be built, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for each in found.unbuilt:
        reasons.setdefault(" ".join(each.why.split()), []).append(each.factor)
    told = [
        f"{', '.join('how it splits' if f == 'together' else f'{f} alone' for f in fs)}: {text(why)}"
        for why, fs in reasons.items()
    ]
    return f"Not told apart: {'; '.join(told)}." if told else ""


def part(name: str, split: Attribution) -> str:
    lone = next((e for e in split.effects if e.name == name), None)
    return _called(lone, split) if lone else name


def _called(effect: Effect, split: Attribution) -> str:
    if effect.name != "together":
        return effect.name if len(split.factors) > 1 else f"the {effect.name}"
    *first, last = effect.includes or ("",)
    if not first:
        return f"{last} and the interplay" if last else "the interplay"
    return f"{', '.join(first)} and {last} together"


def for_whom(moved: Movement, decides: Words) -> list[str]:
    if not moved.groups or moved.same == moved.rows:
        return []
    heads = ["group", "requests", "turn" if decides else "beyond 10%", f"{_mean(decides)}, live → proposed"]
    groups = [moved.overall, *moved.groups]
    rows = [_group(g, decides) for g in groups[:MOST_GROUPS]]
    left = len(groups) - len(rows)
    rest = table(heads, rows[GROUPS:], right=(1, 2))
    said = f"{rest}\n\n{count(left, 'more group')} were left out." if left > 0 else rest
    more = details(count(len(groups) - GROUPS, "more group"), said)
    return ["**For whom**", table(heads, rows[:GROUPS], right=(1, 2)), more]


def _group(moved: Moved, decides: Words) -> list[str]:
    unit = "share" if decides else ""
    means = [number(m, unit) if m is not None else "none" for m in (moved.before, moved.after)]
    return [
        text(group_name(moved.by, moved.group), 80),
        f"{moved.rows:,}",
        _share(moved.shares[FAR]),
        " → ".join(means),
    ]


def _effect(estimate: Estimate, unit: str = "") -> str:
    """A change with its interval; `unit` where the estimate has none."""
    unit = estimate.unit or unit
    told = signed(estimate.value, unit)
    if estimate.low is None or estimate.high is None:
        return f"{told} ({text(estimate.why, 80)})" if estimate.why else told
    low, high = (signed(bound, unit).removesuffix(" points") for bound in (estimate.low, estimate.high))
    return told if low == high else f"{told} ({low} to {high})"


def signed(value: str | None, unit: str = "") -> str:
    """A change with its sign; shares in points.

    >>> signed("-0.0123", "share"), signed("2.5"), signed("0"), signed(None)
    ('−1.23 points', '+2.50', '0', 'not known')
    """
    exact = decimal_of(value)
    if exact is None:
        return "not known"
    if exact == 0:
        return "0"
    sign = MINUS if exact < 0 else "+"
    return f"{sign}{number(str(abs(exact) * 100))} points" if unit == "share" else f"{sign}{number(str(abs(exact)))}"


def _share(said: str | None) -> str:
    value = decimal_of(said)
    return "" if value is None else percent(value)
