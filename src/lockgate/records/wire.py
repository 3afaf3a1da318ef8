"""Records ↔ JSON. Unknown fields are kept, so that older code may read and rewrite newer records.

A record that crosses versions has a field `extra`; whatever the JSON holds beyond the known fields goes
there and comes back out. Decoders are made once per class from its annotations.
"""

from __future__ import annotations

import datetime as dt
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json
from lockgate.records.frozen import field_names

__all__ = ["from_json", "to_json"]

T = TypeVar("T")
Decoder = Callable[[Json], typing.Any]

SCALARS = (bool, int, float, str)
LISTS = (list, tuple)
PLAIN = frozenset({*SCALARS, type(None)})
OF_ANOTHER_KIND = (TypeError, ValueError, AttributeError)


def to_json(value: object, *, brief: bool = False) -> Json:
    """Turn a record (or a tuple, mapping, date, scalar) into a JSON value. Empty `extra` leaves no trace.

    `brief`: leave out the fields that are as by default; who reads it back fills them in.
    """
    if type(value) in PLAIN:
        return value
    if (names := field_names(type(value))) is not None:
        usual = _defaults(type(value)) if brief else {}
        told = {n: v for n in names if n != "extra" and ((v := getattr(value, n)) != usual.get(n, ...))}
        return {**to_json(getattr(value, "extra", {})), **{n: to_json(v, brief=brief) for n, v in told.items()}}
    if isinstance(value, Mapping):
        return {str(k): to_json(v, brief=brief) for k, v in typing.cast("Mapping[object, object]", value).items()}
    if isinstance(value, LISTS):
        return [to_json(v, brief=brief) for v in typing.cast("list[object]", value)]
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return value


def from_json(kind: type[T], data: Json) -> T:
    """Read a record. Raises IntegrityError naming the field when a required one is missing or of another kind."""
    try:
        return _decoder(kind)(data)
    except OF_ANOTHER_KIND as error:
        raise IntegrityError(f"not a {kind.__name__} record", value=str(error)[:200]) from error


@functools.cache
def _decoder(kind: typing.Any) -> Decoder:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and (names := field_names(kind)) is not None:
        return _record_decoder(kind, names)
    if origin is tuple:
        return _tuple_decoder(args)
    if origin in (dict, Mapping):
        item = _decoder(args[1])
        return lambda data: {k: item(v) for k, v in data.items()}
    if origin in (typing.Union, types.UnionType):
        several = [_decoder(a) for a in args if a is not type(None)]
        if len(several) == 1:
            inner = several[0]
            return lambda data: None if data is None else inner(data)
    if kind in SCALARS:
        return _scalar_decoder(kind)
    if kind is dt.datetime:
        return _utc
    if kind is dt.date:
        return dt.date.fromisoformat
    return lambda data: data


def _utc(data: Json) -> dt.datetime:
    """A moment in UTC; elsewhere clocks cannot be compared at the ends of time, and one moment has many texts."""
    moment = dt.datetime.fromisoformat(data)
    if moment.utcoffset() not in (None, dt.timedelta(0)):
        message = f"{data} is not UTC"
        raise ValueError(message)
    return moment


def _tuple_decoder(args: tuple[typing.Any, ...]) -> Decoder:
    if args[1:] == (Ellipsis,):
        item = _decoder(args[0])
        return lambda data: tuple([item(d) for d in _listed(data)])
    items = [_decoder(a) for a in args]
    return lambda data: tuple([item(d) for item, d in zip(items, _listed(data), strict=True)])


def _listed(data: Json) -> Sequence[Json]:
    if not isinstance(data, LISTS):
        message = f"{data!r} is not a list"
        raise TypeError(message)
    return data


def _scalar_decoder(kind: type) -> Decoder:
    """Text, truth and numbers as they are; a whole number is fine for a float."""
    allowed = (float, int) if kind is float else (kind,)

    def decode(data: Json) -> Json:
        if type(data) is kind:
            return data
        if not isinstance(data, allowed) or (isinstance(data, bool) and kind is not bool):
            message = f"{data!r} is not {kind.__name__}"
            raise TypeError(message)
        return data

    return decode


def _record_decoder(kind: type, names: tuple[str, ...]) -> Decoder:
    keeps_extra = "extra" in names

    @functools.cache
    def decoders() -> dict[str, Decoder]:
        hints = typing.get_type_hints(kind)
        return {name: _decoder(hints[name]) for name in names if name != "extra"}

    def decode(data: Json) -> object:
        if not isinstance(data, dict):
            raise IntegrityError(f"not a {kind.__name__} record", value=repr(data)[:80])
        known = decoders()
        try:  # a graph holds thousands of these, and nearly always all is well
            values = {name: known[name](value) for name, value in data.items() if name in known}
            if keeps_extra:
                values["extra"] = {name: value for name, value in data.items() if name not in known}
            return kind(**values)
        except OF_ANOTHER_KIND as error:
            raise _what_is_wrong(kind, data, known) from error

    return decode


def _what_is_wrong(kind: type, data: Mapping[str, Json], known: Mapping[str, Decoder]) -> IntegrityError:
    """The first field that cannot be read, or those that are missing."""
    for name in (n for n in data if n in known):
        try:
            known[name](data[name])
        except OF_ANOTHER_KIND:
            return IntegrityError(f"{kind.__name__}.{name} is of another kind", value=repr(data[name])[:80])
    missing = [n for n in known if n not in data and n not in _defaults(kind)]
    what = f"{kind.__name__} record lacks a field" if missing else f"not a {kind.__name__} record"
    return IntegrityError(what, value=", ".join(missing))


@functools.cache
def _defaults(kind: typing.Any) -> dict[str, object]:
    """Field → what it is when nobody says."""
    from dataclasses import MISSING, fields  # planning nothing does without: it is slow to load

    made = {f.name: f.default_factory() for f in fields(kind) if f.default_factory is not MISSING}
    return made | {f.name: f.default for f in fields(kind) if f.default is not MISSING}
