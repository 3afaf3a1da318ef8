"""A difference of two releases as a person reads it: users first, then the metric, then why, then each answer, then what it is made of."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from lockgate.gates.rules.sentences import group, percent
from lockgate.records.digest import short
from lockgate.records.evidence import Estimate
from lockgate.records.movement import LIMITS
from lockgate.release.wording import count, day, decimal_of, harm_in_words, number, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from lockgate.records.movement import Attribution, Effect, Moved, MovedAnswer, Movement, ReleaseDifference

    Table = Callable[..., str]

__all__ = ["text"]

WIDTH = 100
SHOWN_GROUPS = 12
MINUS = "\N{MINUS SIGN}"
NUMERIC = re.compile(r"-?\d+(\.\d+)?")


def text(found: ReleaseDifference, names: tuple[str, str], *, table: Table) -> str:
    """The whole page for a terminal, no line longer than 100 columns.

    Args:
        names: what the reader called the two releases.
        table: lays out rows, with `header`.
    """
    titles = [
        n if short(d) in n else f"{n} {short(d)}" for n, d in zip(names, (found.before, found.after), strict=True)
    ]
    parts = [f"{visible(titles[0])} → {visible(titles[1])}"]
    if found.before == found.after:
        return f"{parts[0]}\nthe two releases are the same"
    if found.movement is None:
        parts += ["", *_wrapped(f"The answers cannot be compared: {found.unanswered}")]
    else:
        parts += [*_requests(found), "", *_users(found.movement, table), "", *_metric(found.movement)]
        parts += [*_why(found, table), *_largest(found, found.movement)]
    return "\n".join([*parts, *_made_of(found, table)])


def _requests(found: ReleaseDifference) -> list[str]:
    moved = found.movement
    assert moved
    which = "new" if found.holdout == "after" else "old"
    known = (
        f", for {_day(moved.first)} to {_day(moved.last)}, each from what was known on its own day"
        if moved.first
        else ""
    )
    lines = _wrapped(f"Both answered the {count(moved.rows, 'request')} of the {which} release's test{known}.")
    return lines + [line for words in moved.left_out for line in _wrapped(f"Left out: {words}.")]


def _users(moved: Movement, table: Table) -> list[str]:
    if moved.same == moved.rows:
        bounds = _bounds(moved) or ["Nothing: all answers are the same to the last digit."]
        return ["WHAT CHANGES FOR USERS", *bounds]
    shares = moved.overall.shares
    same = percent(Decimal(moved.same) / Decimal(max(moved.rows, 1)))
    told = f"{_share(shares[LIMITS[1]])} of the answers move by more than 10%; {same} stay the same to the last digit."
    rows = [
        _group("all answers", moved.overall),
        *(_group(group(g.by, g.group), g) for g in moved.groups[:SHOWN_GROUPS]),
    ]
    header = ["", "requests", *(f"beyond {_limit(limit)}" for limit in LIMITS), "mean answer"]
    more = len(moved.groups) - SHOWN_GROUPS
    lines = [
        "WHAT CHANGES FOR USERS",
        told,
        *_bounds(moved),
        *table([_shortened(r) for r in rows], header=header).splitlines(),
    ]
    return lines + ([f"… and {count(more, 'group')} that change less (--json has all)"] if more > 0 else [])


def _bounds(moved: Movement) -> list[str]:
    """What happens to the intervals around the answers, if anything does."""
    if not moved.bounds_move:
        return []
    only = "All answers are the same to the last digit, but not the" if moved.same == moved.rows else "The"
    widths = " → ".join(_number(w) for w in moved.widths)
    return [f"{only} intervals around them: mean width {widths}."]


def _group(name: str, moved: Moved) -> list[str]:
    mean = f"{_number(moved.before)} → {_number(moved.after)}"
    return [visible(name), f"{moved.rows:,}", *(_share(moved.shares[limit]) for limit in LIMITS), mean]


def _metric(moved: Movement) -> list[str]:
    words = moved.metric["words"]
    if moved.before.value is None or moved.after.value is None:
        return [f"{words}: {moved.before.why or moved.after.why}"]
    values = f"{number(moved.before.value, moved.before.unit)} → {number(moved.after.value, moved.after.unit)}"
    return _wrapped(f"{words}: {values}, {_better(moved.relative, moved.metric['better'])}")


def _better(relative: Estimate, better: str) -> str:
    words = harm_in_words(relative, better)
    if not words:
        return relative.why or "no interval"
    level = percent(Decimal(relative.level)).replace(".0%", "%")
    return (
        words
        if words == "no difference"
        else f"{words} than the old release (paired by {relative.block}, {level} interval)"
    )


# ── why ─────────────────────────────────────────────────────────────────────


def _why(found: ReleaseDifference, table: Table) -> Iterator[str]:
    """The split of both changes, part by part."""
    split = found.attribution
    if split is None:
        yield from ("", "WHY") if found.unbuilt else ()
        yield from _unknown(found)
        return
    yield from ("", "WHY")
    assert found.movement
    if split.rows < found.movement.rows:
        yield f"On the {count(split.rows, 'request')} that every release built for this answers."
    header = ["changed", found.movement.metric["words"].partition(" (")[0], "mean answer", "beyond 10%"]
    whole = [_part_of("all of it", split.metric, split.answers, found.movement.overall.shares)]
    rows = [_part_of(_called(e, split), e.metric, e.answers, e.shares) for e in split.effects]
    yield from table(rows + whole if len(rows) > 1 else rows, header=header).splitlines()
    if split.factors == ("unknown",):
        yield from _wrapped(
            "Nothing that is recorded differs, but answers do: the training gives other results each time it runs."
        )
    if len(rows) > 1:
        yield "In brackets: 95% intervals, days resampled. Beyond 10%: answers that this alone moves by more."
    yield from _unknown(found)


def _unknown(found: ReleaseDifference) -> Iterator[str]:
    for lacking in found.unbuilt:
        what = "How the change splits" if lacking.factor == "together" else f"{lacking.factor} alone"
        yield from _wrapped(f"{what} is not known. {_reason(lacking.why)}")


def _called(effect: Effect, split: Attribution) -> str:
    if effect.name != "together":
        return f"only the {effect.name}" if len(split.factors) > 1 else f"the {effect.name}"
    return " and ".join([*effect.includes, "what they do together"])


def _part_of(name: str, metric: Estimate, answers: Estimate, shares: Mapping[str, str]) -> list[str]:
    return [name, _effect(metric), _effect(answers), _share(shares.get(LIMITS[1]))]


def _effect(estimate: Estimate) -> str:
    """A change with its interval; without one where nothing varies."""
    told = _signed(estimate.value, estimate.unit)
    if estimate.low is None or estimate.high is None:
        return f"{told} ({estimate.why})" if estimate.why else told
    low, high = (_signed(bound, estimate.unit).removesuffix(" points") for bound in (estimate.low, estimate.high))
    return told if low == high else f"{told} ({low} to {high})"


def _signed(value: str | None, unit: str = "") -> str:
    """A change: shares in points, other numbers in their own unit, always with the sign.

    >>> _signed("-0.0123", "share"), _signed("2.5"), _signed("0")
    ('−1.23 points', '+2.5', '0')
    """
    exact = decimal_of(value)
    if exact is None:
        return "not known"
    size = abs(exact) * (100 if unit == "share" else 1)
    if size == 0:
        return "0"
    told = f"{size:,.2f}" if size >= Decimal("0.1") else f"{size:.2g}"
    told = told.rstrip("0").rstrip(".") if unit != "share" and "." in told and "e" not in told else told
    return f"{MINUS if exact < 0 else '+'}{told}" + (" points" if unit == "share" else "")


def _reason(why: str) -> str:
    return f"It could not be built: {why}" if not why.startswith("it ") else why[:1].upper() + why[1:]


# ── answers ─────────────────────────────────────────────────────────────────


def _largest(found: ReleaseDifference, moved: Movement) -> Iterator[str]:
    """Old and new answer, the request, what happened, which change did it; reasons when they are not those of the row above."""
    if not moved.largest:
        return
    title = "THE LARGEST CHANGE" if len(moved.largest) == 1 else f"THE {len(moved.largest)} LARGEST CHANGES"
    yield from ("", title)
    above: list[str] = []
    for place, row in enumerate(moved.largest, 1):
        asked = ", ".join(_value(row, name) for name in row.request)
        known = f", known up to {_day(_before(row.as_of))}" if row.as_of else ""
        yield _cut(visible(f"{place:>2}  {_number(row.before)} → {_number(row.after)}{_happened(row)}  {asked}{known}"))
        if parts := [f"{n} {_signed(v)}" for n, v in row.parts.items() if decimal_of(v)]:
            yield from _indented(", ".join(parts))
        reasons = list(_said(row))
        if reasons != above:
            yield from reasons
        above = reasons
    for side, why in found.unexplained.items():
        yield from _wrapped(f"The {'old' if side == 'before' else 'new'} release gives no reasons: {why}")


def _value(row: MovedAnswer, name: str) -> str:
    """What people call it, and what it is called by machines."""
    value = row.request[name]
    if value in ("True", "False") or NUMERIC.fullmatch(value):  # says nothing by itself
        return f"{name.replace('_', ' ')} {value}"
    return f"{value} {row.labels[name]}" if row.labels.get(name, value) != value else _day(value)


def _happened(row: MovedAnswer) -> str:
    return f" (it was {_number(row.actual)})" if row.actual is not None else ""


def _said(row: MovedAnswer) -> Iterator[str]:
    sides = {"old": row.reasons_before, "new": row.reasons_after}
    if row.reasons_before == row.reasons_after:
        sides = {"both": row.reasons_after}
    for name, reasons in sides.items():
        if reasons:
            yield from _indented(f"{name}: " + "; ".join(reasons))


def _made_of(found: ReleaseDifference, table: Table) -> list[str]:
    if not found.words:
        return ["", "WHAT DIFFERS", "Nothing that is recorded."]
    rows = list[list[str]]()
    for factor, words in found.words:
        named = factor if not rows or factor not in {r[0] for r in rows} else ""
        for at, line in enumerate(textwrap.wrap(visible(words), WIDTH - 14) or [""]):
            rows.append([named if at == 0 else "", line])
    return ["", "WHAT DIFFERS", *table(rows).splitlines()]


# ── words ───────────────────────────────────────────────────────────────────


def _share(text: str | None) -> str:
    value = decimal_of(text)
    return "" if value is None else percent(value)


def _limit(limit: str) -> str:
    return percent(Decimal(limit)).replace(".0%", "%")


def _number(text: str | None) -> str:
    return number(text) if text is not None else "none"


def _day(text: str) -> str:
    try:
        return day(dt.date.fromisoformat(text))
    except ValueError:
        return text


def _before(text: str) -> str:
    """As-of itself is not known yet."""
    try:
        return (dt.date.fromisoformat(text) - dt.timedelta(days=1)).isoformat()
    except ValueError:
        return text


def _shortened(row: list[str]) -> list[str]:
    return [row[0] if len(row[0]) <= 40 else row[0][:39] + "…", *row[1:]]


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(visible(sentence), WIDTH)


def _indented(sentence: str) -> Sequence[str]:
    return textwrap.wrap(visible(sentence), WIDTH, initial_indent="    ", subsequent_indent="      ")
