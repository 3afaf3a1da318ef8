"""Numbers, text, dates, containers of these and dataclasses as canonical JSON. Whole floats stay floats."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from lockgate.errors import StepFailed
from lockgate.records.digest import Json, canonical, digest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["can_write", "decode", "encode", "hints", "identity", "load", "save"]

SCALARS = (bool, int, float, str, type(None))


def can_write(kind: type) -> bool:
    """Say whether an annotation is a number, text, date, dataclass, or a list, tuple or dict."""
    origin = typing.get_origin(kind) or kind
    return (
        kind in (*SCALARS, dt.date, dt.datetime)
        or dataclasses.is_dataclass(kind)
        or origin in (list, tuple, dict, Mapping, Sequence, typing.Union, types.UnionType)
    )


def save(value: object, path: Path) -> None:
    """Write canonical JSON. NaN and infinity are errors: write None and a reason instead."""
    path.write_bytes(_bytes(value))


def load(path: Path, kind: type) -> object:
    """Read it back as the consumer's annotation."""
    return decode(kind, json.loads(path.read_bytes()))


def identity(value: object) -> str:
    """Digest the canonical JSON."""
    return digest("json", encode(value))


def _bytes(value: object) -> bytes:
    try:
        return canonical(encode(value))
    except ValueError as error:
        raise StepFailed(
            "a number that JSON cannot hold", value=str(error), allowed="finite numbers", next="return None and say why"
        ) from error


def encode(value: object) -> Json:
    """Turn a value into JSON. Raises StepFailed naming the type of what cannot be turned."""
    if isinstance(value, SCALARS):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [encode(v) for v in cast("Sequence[object]", value)]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return encode(cast("Any", value).tolist())
    raise StepFailed("a value that JSON cannot hold", value=type(value).__name__, allowed="numbers, text, dates, lists")


def decode(kind: Any, data: Json) -> Any:
    """Build the annotated type from JSON."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in args if a is not type(None)]
        return None if data is None else decode(inner[0], data)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        known = hints(kind)
        return kind(**{name: decode(known[name], v) for name, v in data.items() if name in known})
    if origin in (list, Sequence):
        return [decode(args[0], v) for v in data]
    if origin is tuple:
        kinds = [args[0]] * len(data) if len(args) == 2 and args[1] is Ellipsis else args
        return tuple(decode(k, v) for k, v in zip(kinds, data, strict=True))
    if origin in (dict, Mapping):
        return {k: decode(args[1], v) for k, v in data.items()}
    if kind in (dt.date, dt.datetime):
        return kind.fromisoformat(data)
    return float(data) if kind is float else data


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """The resolved annotations of a dataclass."""
    return typing.get_type_hints(kind)
