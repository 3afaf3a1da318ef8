"""Records ↔ JSON. Unknown fields are kept, so that older code may read and rewrite newer records.

A record that crosses versions has a field `extra`; whatever the JSON holds beyond the known fields goes
there and comes back out. Decoders are made once per class from its annotations.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import TypeVar

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json

__all__ = ["from_json", "to_json"]

T = TypeVar("T")
Decoder = Callable[[Json], typing.Any]

SCALARS = (bool, int, float, str)
PLAIN = frozenset({*SCALARS, type(None)})


def to_json(value: object) -> Json:
    """Turn a record (or a tuple, mapping, date, scalar) into a JSON value. Empty `extra` leaves no trace."""
    if type(value) in PLAIN:
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        known = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name != "extra"}
        return {**to_json(getattr(value, "extra", {})), **known}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in typing.cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in typing.cast("list[object]", value)]
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return value


def from_json(kind: type[T], data: Json) -> T:
    """Read a record. Raises IntegrityError naming the field when a required one is missing or of another kind."""
    try:
        return _decoder(kind)(data)
    except (TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"not a {kind.__name__} record", value=str(error)[:200]) from error


@functools.cache
def _decoder(kind: typing.Any) -> Decoder:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _record_decoder(kind)
    if origin is tuple:
        return _tuple_decoder(args)
    if origin in (dict, Mapping):
        item = _decoder(args[1])
        return lambda data: {k: item(v) for k, v in data.items()}
    if origin in (typing.Union, types.UnionType):
        inner = [_decoder(a) for a in args if a is not type(None)]
        if len(inner) == 1:
            return lambda data: None if data is None else inner[0](data)
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
        return lambda data: tuple(item(d) for d in _listed(data))
    items = [_decoder(a) for a in args]
    return lambda data: tuple(item(d) for item, d in zip(items, _listed(data), strict=True))


def _listed(data: Json) -> list[Json]:
    if not isinstance(data, list | tuple):
        message = f"{data!r} is not a list"
        raise TypeError(message)
    return typing.cast("list[Json]", data)


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


def _record_decoder(kind: type) -> Decoder:
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name != "extra"}
    keeps_extra = len(fields) < len(dataclasses.fields(kind))
    required = [n for n, f in fields.items() if _has_no_default(f)]

    @functools.cache
    def decoders() -> tuple[dict[str, Decoder], dict[str, object]]:
        hints = typing.get_type_hints(kind)
        flat = {n: hints[n] for n in sorted(fields)} if all(hints[n] in (str, int, bool) for n in fields) else {}
        return {name: _decoder(hints[name]) for name in fields}, flat

    def decode(data: Json) -> object:
        if not isinstance(data, dict):
            raise IntegrityError(f"not a {kind.__name__} record", value=repr(data)[:80])
        known, flat = decoders()
        if flat and {n: type(v) for n, v in data.items()} == flat:
            return kind(**data)  # a graph holds thousands of these
        values, extra = dict[str, object](), dict[str, Json]()
        for name, value in typing.cast("dict[str, Json]", data).items():
            if name not in known:
                extra[name] = value
                continue
            try:
                values[name] = known[name](value)
            except (TypeError, ValueError, AttributeError) as error:
                raise IntegrityError(f"{kind.__name__}.{name} is of another kind", value=repr(value)[:80]) from error
        if missing := [n for n in required if n not in values]:
            raise IntegrityError(f"{kind.__name__} record lacks a field", value=", ".join(missing))
        return kind(**values, extra=extra) if keeps_extra else kind(**values)

    return decode


def _has_no_default(field: dataclasses.Field[typing.Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
