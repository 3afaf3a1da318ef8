"""The first part of a merge request's note: what users would notice. Both releases' answers to the same requests, and why they move."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lockgate.forge.markdown import code, details, table, text
from lockgate.forge.note_why import FAR, Words, because, for_whom, part, signed
from lockgate.gates.rules.sentences import percent
from lockgate.records.digest import short
from lockgate.release.wording import count, day, decimal_of, harm_in_words, number, plain, sentence

if TYPE_CHECKING:
    from lockgate.records.movement import Attribution, MovedAnswer, Movement, ReleaseDifference

__all__ = ["answers", "in_brief"]

FIRST: Final = 5
MORE: Final = 15
FIELDS: Final = 4
PLAIN_VALUE: Final = re.compile(r"-?\d+(\.\d+)?|True|False")


def in_brief(found: ReleaseDifference | None, decides: Words) -> str:
    """How much moves, and what that does to the metric, in one line. Empty where nothing is known."""
    if found is None or found.movement is None:
        return ""
    moved = found.movement
    if moved.same == moved.rows:
        same = f"all {count(moved.rows, 'answer')} stay the same to the last digit"
        return f"{same}, but not the {_intervals(moved)}" if moved.bounds_move else f"nothing that users see: {same}"
    far, differ = decimal_of(moved.overall.shares[FAR]) or Decimal(0), Decimal(moved.rows - moved.same) / moved.rows
    means = " → ".join(number(m, "share") for m in (moved.overall.before, moved.overall.after))
    beyond = f" (“{text(decides['1'], 80)}”: {means})" if decides else f", {percent(far)} by more than 10%"
    many = f"{percent(differ)} of {count(moved.rows, 'answer')} {'turn' if decides else 'move'}{beyond}"
    if moved.before.value is None or moved.after.value is None:
        return many
    values = f"{number(moved.before.value, moved.before.unit)} → {number(moved.after.value, moved.after.unit)}"
    wider = f"; {_intervals(moved)}" if moved.bounds_move else ""
    return f"{many}; {text(moved.metric['words'])} {values}, {text(_paired(moved))}{wider}"


def _intervals(moved: Movement) -> str:
    before, after = (number(w) if w is not None else "none" for w in moved.widths)
    return f"intervals around them: mean width {before} → {after}"


def answers(found: ReleaseDifference | None, decides: Words, prominent: Sequence[str] = ()) -> list[str]:
    """The tables, as blocks of Markdown: the answers that move most, why, for whom. `prominent`: fields that a long request is told by."""
    if found is None:
        return []
    if found.movement is None:
        return ["#### Both answers, side by side", f"They cannot be compared: {text(sentence(found.unanswered))}"]
    moved = found.movement
    heads = [
        "asked",
        f"live {code(short(found.before))}",
        f"proposed {code(short(found.after))}",
        "change",
        "moved by",
        "happened",
    ]
    largest = _varied(moved.largest)
    rows = [_row(r, found.attribution, decides, prominent) for r in largest]
    first = table(heads, rows[:FIRST], right=(1, 2, 3, 5))
    more = table(heads, rows[FIRST : FIRST + MORE], right=(1, 2, 3, 5))
    blocks = [
        "#### The same requests, both answers", _which(found, moved, largest), first,
        details(f"{len(rows[FIRST : FIRST + MORE])} more of the largest changes, and what both releases say", _both(more, _reasons(largest, prominent))),
        *because(found, decides), *for_whom(moved, decides),
    ]  # fmt: skip
    return [b for b in blocks if b]


def _varied(largest: Sequence[MovedAnswer]) -> list[MovedAnswer]:
    """The largest change of each product, or whatever is asked first, before a second one of any: five days of one say little."""
    if any(len(row.request) > FIELDS for row in largest):
        return [*largest]  # of many fields no single one says what was asked about
    firsts = {next(iter(row.request.values()), ""): row for row in reversed(largest)}
    once = [row for row in largest if row is firsts[next(iter(row.request.values()), "")]]
    return [*once, *(row for row in largest if row not in once)]


def _which(found: ReleaseDifference, moved: Movement, shown: Sequence[MovedAnswer]) -> str:
    days = ""
    if moved.first:
        first, last = (text(_day(d), 80) for d in (moved.first, moved.last))
        days = f", {first} to {last}, each from what was known on its own day"
    whose = "proposed" if found.holdout == "after" else "live"
    left = "".join(f" Left out: {text(sentence(words))}" for words in moved.left_out)
    each = (
        ""
        if not shown or [*shown] == [*moved.largest]
        else f", of each {text(plain(next(iter(shown[0].request))), 80)} the largest first,"
    )
    largest = f"The largest changes{each} of" if shown else "None changes of"
    return f"{largest} the {count(moved.rows, 'request')} of the {whose} release's test{days}.{left}"


def _row(row: MovedAnswer, split: Attribution | None, decides: Words, prominent: Sequence[str]) -> list[str]:
    return [
        _asked(row, prominent), _answer(row.before, decides), _answer(row.after, decides),
        "turns" if decides else signed(row.change), _moved_by(row, split, decides), _answer(row.actual, decides),
    ]  # fmt: skip


def _asked(row: MovedAnswer, prominent: Sequence[str]) -> str:
    """A short request whole; of a long one the fields that matter most, the others by count."""
    names = list(row.request)
    if len(names) > FIELDS:
        first = [n for n in prominent if n in row.request]
        names = [*first, *(n for n in names if n not in first)]
    more = len(names) - FIELDS
    told = ", ".join(_value(row, name) for name in names[:FIELDS])
    return told + (f", and {count(more, 'more field')}" if more > 0 else "")


def _value(row: MovedAnswer, name: str) -> str:
    value = row.request[name]
    label = row.labels.get(name, value)
    if label != value:
        return f"{code(value)} {text(label, 80)}"
    if PLAIN_VALUE.fullmatch(value):  # says nothing by itself
        told = {"True": "yes", "False": "no"}.get(value, value.removesuffix(".0"))
        return f"{text(plain(name), 80)} {told}"
    return text(_day(value), 80)


def _answer(value: str | None, decides: Words) -> str:
    if value is None:
        return "none"
    exact = decimal_of(value)
    words = decides.get(str(int(exact))) if exact is not None and exact == exact.to_integral_value() else None
    return text(words, 80) if words else number(value)


def _moved_by(row: MovedAnswer, split: Attribution | None, decides: Words) -> str:
    """What each factor alone did to this answer; they add up to the change."""
    if split is None:
        return "not known"
    if len(split.factors) == 1:
        return f"the {split.factors[0]}" if split.factors[0] != "unknown" else "nothing that is recorded"
    known = {n: v for n, v in row.parts.items() if decimal_of(v)}
    named = [part(n, split) + ("" if decides else f" {signed(v)}") for n, v in known.items()]
    return ", ".join(named) or "not known"


def _reasons(largest: Sequence[MovedAnswer], prominent: Sequence[str]) -> str:
    """What both releases say about the answers of the first table."""
    lines: list[str] = []
    for row in largest[:FIRST]:
        sides = {"live": row.reasons_before, "proposed": row.reasons_after}
        said = [f"  - {side}: {' '.join(text(sentence(r), 200) for r in told)}" for side, told in sides.items() if told]
        lines += [f"- {_asked(row, prominent)}", *said] if said else []
    return "\n".join(lines)


def _both(*blocks: str) -> str:
    return "\n\n".join(b for b in blocks if b)


def _paired(moved: Movement) -> str:
    harm = harm_in_words(moved.relative, str(moved.metric["better"]))
    return f"{harm} (paired, 95% interval)" if harm else moved.relative.why or "no interval"


def _day(said: str) -> str:
    try:
        return day(dt.date.fromisoformat(said))
    except ValueError:
        return said
