"""Numbers, text, dates, containers of these and dataclasses as canonical JSON. Whole floats stay floats."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
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
MOMENTS = (dt.date, dt.datetime)
UNIONS = (typing.Union, types.UnionType)


def can_write(kind: type) -> bool:
    """Say whether an annotation is a number, text, date, enum, dataclass, or a list, tuple or dict.

    A union is one of these or None: from several, a reader could not tell which was written.
    """
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in UNIONS:
        inner = [a for a in args if a is not type(None)]
        return (len(inner) == 1 and can_write(inner[0])) or all(a in SCALARS for a in args)
    return (
        origin in (*SCALARS, *MOMENTS, list, tuple, dict, Mapping, Sequence, typing.Literal)
        or dataclasses.is_dataclass(kind)
        or (isinstance(kind, type) and issubclass(kind, enum.Enum))
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
    if isinstance(value, enum.Enum):
        return encode(value.value)
    if isinstance(value, SCALARS):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_key(k): encode(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [encode(v) for v in cast("Sequence[object]", value)]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return encode(cast("Any", value).tolist())
    raise StepFailed("a value that JSON cannot hold", value=type(value).__name__, allowed="numbers, text, dates, lists")


def _key(key: object) -> str:
    """Text, whole numbers and dates name things; they come back by the annotation of the dict."""
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    if isinstance(key, dt.date):
        return key.isoformat()
    if hasattr(key, "tolist"):
        return _key(cast("Any", key).tolist())
    raise StepFailed(
        "a key that JSON cannot hold", value=f"{type(key).__name__} {key!r}"[:80], allowed="text, whole numbers, dates"
    )


def decode(kind: Any, data: Json) -> Any:
    """Build the annotated type from JSON."""
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in UNIONS:
        inner = [a for a in args if a is not type(None)]
        return data if data is None or len(inner) > 1 else decode(inner[0], data)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        known = hints(kind)
        return kind(**{name: decode(known[name], v) for name, v in data.items() if name in known})
    if origin in (list, Sequence):
        return [decode(args[0], v) for v in data] if args else list(data)
    if origin is tuple:
        kinds = [args[0]] * len(data) if args[1:] == (Ellipsis,) else args or [Any] * len(data)
        return tuple(decode(k, v) for k, v in zip(kinds, data, strict=True))
    if origin in (dict, Mapping):
        return {decode_key(args[0], k): decode(args[1], v) for k, v in data.items()} if args else dict(data)
    if kind in MOMENTS:
        return kind.fromisoformat(data)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    return float(data) if kind is float else data


def decode_key(kind: Any, text: str) -> Any:
    """The key of a dict as its annotation says."""
    return int(text) if kind is int else decode(kind, text)


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """The resolved annotations of a dataclass."""
    return typing.get_type_hints(kind)
