"""A raw request → typed values, or one message per wrong field: what was given, what is allowed.

Pure: the choices and dates of the day are arguments.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import cast

from lockgate.records.day import read_day
from lockgate.records.digest import Json
from lockgate.records.release import FieldSchema
from lockgate.release.schema import DateRange

__all__ = ["Allowed", "Checked", "Choice", "ChoiceIndex", "FieldError", "check", "from_text", "say_day"]

SUGGESTIONS = 5
LONGEST_GUESS = 64
MOST_WORDS = 8
LIKELY = 40  # names that are compared letter by letter
MOST_LOOKED_AT = 20_000
LARGEST_INTEGER = 2**63 - 1


MOST_UNKNOWN = 64  # fields looked at; suggestions for thousands of strangers would only cost time


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One wrong field. `suggestions` are values that would be taken."""

    field: str
    value: Json
    allowed: str
    message: str
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Typed values (dates as `datetime.date`), good only when there are no errors."""

    values: Mapping[str, object]
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a field may take, and what people call it."""

    value: str
    label: str


class ChoiceIndex:
    """The values a field may take, searchable by value and by words of the label.

    >>> index = ChoiceIndex([("A1", "White heart"), ("B2", "Jam set")])
    >>> "A1" in index, index.search("jam")[0].value, index.nearest("A11")
    (True, 'B2', ('A1',))
    """

    def __init__(self, choices: Sequence[tuple[str, str]]) -> None:
        self.choices = tuple(Choice(value, label) for value, label in choices)
        self._by_value = {c.value: c for c in self.choices}
        self._by_folded: dict[str, list[Choice]] = {}
        self._entries = tuple(_Entry.of(choice) for choice in self.choices)
        for entry in self._entries:
            for text in {entry.value, entry.label, entry.both}:
                self._by_folded.setdefault(text, []).append(entry.choice)

    def __contains__(self, value: object) -> bool:
        return value in self._by_value

    def __len__(self) -> int:
        return len(self.choices)

    def label(self, value: str) -> str:
        """What people call a value; empty when it is unknown or has no name."""
        return self._by_value[value].label if value in self._by_value else ""

    def resolve(self, text: str) -> str:
        """What a person typed → the value meant: its code in any case, or a name that only one value has."""
        if text in self._by_value:
            return text
        found = self._by_folded.get(text.strip().casefold(), [])
        return found[0].value if len(found) == 1 else text

    def search(self, query: str, limit: int = 20) -> list[Choice]:
        """Choices that hold every word of the query; those that begin with it first."""
        folded = query[:LONGEST_GUESS].casefold()
        found: Sequence[_Entry] = self._entries
        for word in _needed(folded.split()):
            found = [e for e in found if word in e.both]
        first, rest = list[Choice](), list[Choice]()
        for entry in found:
            (first if entry.value.startswith(folded) or entry.label.startswith(folded) else rest).append(entry.choice)
        return (first + rest)[:limit]

    def nearest(self, text: str) -> tuple[str, ...]:
        """Values that somebody who typed this may have meant, best first."""
        text = text[:LONGEST_GUESS]
        found = [c.value for c in self.search(text, SUGGESTIONS)] if text.strip() else []
        if not found:
            close = get_close_matches(text.casefold(), self._alike(text.casefold()), n=SUGGESTIONS)
            found = [self._by_folded[name][0].value for name in close]
        return tuple(dict.fromkeys(found))

    def _alike(self, text: str) -> list[str]:
        """The few names worth an exact comparison: those that share the most of the text's rarest pairs of letters."""
        holding = sorted((self._pairs[pair] for pair in _pairs(text) if pair in self._pairs), key=len)
        shared, looked = Counter[str](), 0
        for names in holding:
            if looked > MOST_LOOKED_AT:
                break
            shared.update(names)
            looked += len(names)
        return [name for name, _ in shared.most_common(LIKELY)]

    @functools.cached_property
    def _pairs(self) -> Mapping[str, list[str]]:
        """Two letters → the names that hold them; made when somebody first mistypes."""
        pairs: dict[str, list[str]] = {}
        for name in self._by_folded:
            for pair in _pairs(name):
                pairs.setdefault(pair, []).append(name)
        return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the fields may be today: field → choices, field → dates."""

    choices: Mapping[str, ChoiceIndex]
    dates: Mapping[str, DateRange]


def check(raw: Json, *, fields: Sequence[FieldSchema], allowed: Allowed) -> Checked:
    """Check a JSON request against the schema and today's choices and dates."""
    if not isinstance(raw, dict):
        names = ", ".join(f.name for f in fields)
        return Checked(values={}, errors=(_error("", raw, f"an object with {names}", "The request is not an object."),))
    given = cast("dict[str, Json]", raw)
    values, errors = dict[str, object](), list[FieldError]()
    for field in fields:
        result = _check_field(field, given, allowed)
        if isinstance(result, FieldError):
            errors.append(result)
        else:
            values[field.name] = result.value
    errors += [
        _unknown_field(name, value, fields)
        for name, value in islice(given.items(), MOST_UNKNOWN)
        if name not in values and _new(name, fields)
    ]
    return Checked(values=values, errors=tuple(errors))


def from_text(given: Mapping[str, str], *, fields: Sequence[FieldSchema], allowed: Allowed) -> dict[str, Json]:
    """Form or query text → JSON values, as far as the text can be read; the rest stays text for `check` to name."""
    known = {f.name: f for f in fields}
    read = {n: _read_text(known[n], text.strip(), allowed) if n in known else text for n, text in given.items()}
    return {n: v for n, v in read.items() if v != "" or n not in known}


@dataclass(frozen=True, slots=True)
class _Good:
    value: object


def _check_field(field: FieldSchema, given: Mapping[str, Json], allowed: Allowed) -> _Good | FieldError:
    if field.name not in given or given[field.name] is None:
        if not field.required:
            return _Good(field.default)
        return _error(field.name, None, _says(field, allowed), f"{field.label} is missing.")
    value = given[field.name]
    if field.type == "date":
        return _check_date(field, value, allowed)
    if not _has_type(value, field.type):
        return _error(field.name, value, _says(field, allowed), f"{field.label} must be {_article(field.type)}.")
    if field.choices:
        return _check_choice(field, value, allowed)
    if field.type in ("number", "integer") and not field.takes(value):
        return _error(field.name, value, _says(field, allowed), f"{field.label} must be {_between(field)}.")
    return _Good(float(value) if field.type == "number" else value)


def _check_date(field: FieldSchema, value: Json, allowed: Allowed) -> _Good | FieldError:
    try:
        day = read_day(value)
    except ValueError:
        return _error(
            field.name, value, _says(field, allowed), f"{field.label} must be a day, written like 2011-10-31."
        )
    span = allowed.dates.get(field.name)
    if span and not span.first <= day <= span.last:
        message = f"{field.label} must be from {say_day(span.first)} to {say_day(span.last)}."
        return _error(field.name, value, _says(field, allowed), message)
    return _Good(day)


def _check_choice(field: FieldSchema, value: str, allowed: Allowed) -> _Good | FieldError:
    index = allowed.choices.get(field.name)
    if index is None or value in index:
        return _Good(value)
    near = index.nearest(value)
    named = ", ".join(f"{v} ({index.label(v)})" if index.label(v) else v for v in near[:3])
    meant = f" Did you mean {named}?" if near else ""
    message = f"There is no {field.label.lower()} “{value[:80]}”.{meant}"
    return _error(field.name, value, _says(field, allowed), message, near)


def _unknown_field(name: str, value: Json, fields: Sequence[FieldSchema]) -> FieldError:
    names = [f.name for f in fields]
    close = get_close_matches(name, names, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return _error(name, value, ", ".join(names), f"There is no field “{name[:80]}”.{meant}", tuple(close))


def _new(name: str, fields: Sequence[FieldSchema]) -> bool:
    return all(f.name != name for f in fields)


def _says(field: FieldSchema, allowed: Allowed) -> str:
    """What is allowed, for machines and logs: first and last day, or how many choices and where they are listed."""
    if field.name in allowed.dates:
        span = allowed.dates[field.name]
        return f"{span.first.isoformat()} to {span.last.isoformat()}"
    if field.name in allowed.choices:
        return f"one of {len(allowed.choices[field.name])} values: /choices?field={field.name}"
    return f"{_article(field.type)}, {field.range_words}" if field.range_words else _article(field.type)


def _between(field: FieldSchema) -> str:
    return f"from {field.range_words}" if " to " in field.range_words else field.range_words


def _article(kind: str) -> str:
    return {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "date": "a day, YYYY-MM-DD",
    }[kind]


def _has_type(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float) and abs(value) <= sys.float_info.max
    if kind == "integer":
        return isinstance(value, int) and abs(value) <= LARGEST_INTEGER
    return isinstance(value, {"string": str, "boolean": bool}[kind])


def _read_text(field: FieldSchema, text: str, allowed: Allowed) -> Json:
    try:
        if field.type == "integer":
            return int(text)
        if field.type == "number":
            return number if math.isfinite(number := float(text)) else text  # JSON cannot say the others back
    except ValueError:
        return text
    if field.type == "boolean":
        return {"true": True, "on": True, "false": False}.get(text.casefold(), text)
    if field.choices and field.name in allowed.choices:
        return allowed.choices[field.name].resolve(text)
    return text


def say_day(day: dt.date) -> str:
    """A day as people read it.

    >>> say_day(dt.date(2011, 10, 5))
    'Wed 5 Oct 2011'
    """
    return f"{day:%a} {day.day} {day:%b %Y}"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A choice, and how it is searched: in small letters, once."""

    choice: Choice
    value: str
    label: str
    both: str

    @classmethod
    def of(cls, choice: Choice) -> _Entry:
        value, label = choice.value.casefold(), choice.label.casefold()
        return cls(choice, value, label, f"{value} {label}")


def _needed(words: Sequence[str]) -> list[str]:
    """The words that say something, longest first: one that is part of another is found with it.

    >>> _needed(["e", "e", "heart"])
    ['heart']
    """
    kept = list[str]()
    for word in sorted(set(words), key=len, reverse=True):
        if not any(word in longer for longer in kept):
            kept.append(word)
    return kept[:MOST_WORDS]


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


def _error(field: str, value: Json, allowed: str, message: str, suggestions: tuple[str, ...] = ()) -> FieldError:
    return FieldError(field=field, value=value, allowed=allowed, message=message, suggestions=suggestions)
