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


def to_json(value: object) -> Json:
    """Turn a record (or a tuple, mapping, date, scalar) into a JSON value. Empty `extra` leaves no trace."""
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
    return _decoder(kind)(data)


@functools.cache
def _decoder(kind: typing.Any) -> Decoder:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _record_decoder(kind)
    if origin is tuple:
        item = _decoder(args[0])
        return lambda data: tuple(item(d) for d in data)
    if origin in (dict, Mapping):
        item = _decoder(args[1])
        return lambda data: {k: item(v) for k, v in data.items()}
    if origin in (typing.Union, types.UnionType):
        inner = [_decoder(a) for a in args if a is not type(None)]
        if len(inner) == 1:
            return lambda data: None if data is None else inner[0](data)
    if kind is dt.datetime:
        return dt.datetime.fromisoformat
    if kind is dt.date:
        return dt.date.fromisoformat
    return lambda data: data


def _record_decoder(kind: type) -> Decoder:
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name != "extra"}
    keeps_extra = len(fields) < len(dataclasses.fields(kind))
    required = [n for n, f in fields.items() if _has_no_default(f)]

    @functools.cache
    def decoders() -> dict[str, Decoder]:
        hints = typing.get_type_hints(kind)
        return {name: _decoder(hints[name]) for name in fields}

    def decode(data: Json) -> object:
        if not isinstance(data, dict):
            raise IntegrityError(f"not a {kind.__name__} record", value=repr(data)[:80])
        given = typing.cast("dict[str, Json]", data)
        if missing := [n for n in required if n not in given]:
            raise IntegrityError(f"{kind.__name__} record lacks a field", value=", ".join(missing))
        values = {n: decoders()[n](v) for n, v in given.items() if n in fields}
        if keeps_extra:
            values["extra"] = {k: v for k, v in given.items() if k not in fields}
        return kind(**values)

    return decode


def _has_no_default(field: dataclasses.Field[typing.Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
