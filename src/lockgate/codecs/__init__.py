"""Annotation ↔ bytes: one file per library, loaded only when a value of that library is read or written.

A codec is a module with `save(value, path)`, `load(path, kind)` and `identity(value)`; `identity` digests the
value, not the bytes, so that another writer or library version gives the same digest.
"""

from __future__ import annotations

import importlib
import types
import typing
from typing import TYPE_CHECKING, Any, Protocol, cast

from lockgate.errors import StepFailed, UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CODECS",
    "SUFFIXES",
    "codec_for",
    "identity",
    "load",
    "plain",
    "preview",
    "resolve",
    "save",
    "type_name",
    "write_as",
]

# Annotation (`module:qualname`) → codec. A dataclass, number, text or plain container is JSON.
CODECS = {
    "polars.dataframe.frame:DataFrame": "polars.ipc",
    "lightgbm.basic:Booster": "lightgbm.txt",
    "lockgate.declare:Html": "html",
    "lockgate.declare:Svg": "svg",
    "pathlib:Path": "file",
    "builtins:bytes": "file",
}

MODULES = {
    "polars.ipc": "lockgate.codecs.polars_frame",
    "lightgbm.txt": "lockgate.codecs.lightgbm_booster",
    "html": "lockgate.codecs.text",
    "svg": "lockgate.codecs.text",
    "file": "lockgate.codecs.file",
    "json": "lockgate.codecs.json_value",
    "columns.npz": "lockgate.codecs.columns",
    "dataset": "lockgate.codecs.dataset",
    "tree": "lockgate.codecs.tree",
}

SUFFIXES = {
    "polars.ipc": ".arrow",
    "lightgbm.txt": ".txt",
    "html": ".html",
    "svg": ".svg",
    "file": "",
    "json": ".json",
    "columns.npz": ".npz",
    "dataset": ".json",
    "tree": ".tar",
}

FORMS = {".csv", ".parquet", ".ndjson", ".json", ".arrow", ".ipc"}
"""Suffixes that promise a form."""

SAME_FORM = {"polars.ipc": (".ipc",)}
"""Other suffixes of the form that a codec stores."""


class Codec(Protocol):
    def save(self, value: object, path: Path) -> None: ...
    def load(self, path: Path, kind: type) -> object: ...
    def identity(self, value: object) -> str: ...


def plain(kind: Any) -> Any:
    """`X | None` as X; every other annotation as it is."""
    inner = [a for a in typing.get_args(kind) if a is not type(None)]
    return inner[0] if type(None) in typing.get_args(kind) and len(inner) == 1 else kind


def type_name(kind: type) -> str:
    """`module:qualname` of an annotation.

    >>> type_name(int), type_name(int | None)
    ('builtins:int', 'builtins:int|None')
    """
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return "|".join("None" if a is type(None) else type_name(a) for a in typing.get_args(kind))
    origin = typing.get_origin(kind) or kind
    return f"{getattr(origin, '__module__', '')}:{getattr(origin, '__qualname__', repr(origin))}"


def codec_for(kind: type) -> str:
    """Choose the codec of an annotation. Raises UsageError for a type that none can write.

    >>> codec_for(float)
    'json'
    """
    name = type_name(kind)
    if name in CODECS:
        return CODECS[name]
    if hasattr(kind, "__lockgate_columns__"):
        return "columns.npz"
    from lockgate.codecs import json_value

    if json_value.can_write(kind):
        return "json"
    raise UsageError(
        "no codec for this annotation",
        value=name,
        allowed="polars.DataFrame, lightgbm.Booster, lockgate.Html, lockgate.Svg, pathlib.Path, bytes, dataclasses, "
        "numbers, text, and lists or dicts of these",
        next="return one of these from the step",
    )


def save(codec: str, value: object, path: Path) -> None:
    """Write a value to a new file."""
    _module(codec).save(value, path)


def load(codec: str, path: Path, kind: type, *, mapped: bool = False) -> object:
    """Read a value as its consumer's annotation wants it. A `Path` or `bytes` consumer gets the file as it is.

    Args:
        mapped: the value may take the file for its memory until the process ends; its bytes were checked and stay so.
    """
    kind = plain(kind)
    if type_name(kind) == "pathlib:Path" and codec != "tree":
        return path
    if kind is bytes:
        return path.read_bytes()
    module = _module(codec)
    read = getattr(module, "load_mapped", module.load) if mapped else module.load
    return read(path, kind)


def identity(codec: str, value: object) -> str:
    """Digest the value itself."""
    return _module(codec).identity(value)


def preview(codec: str, path: Path, *, rows: int = 5, width: int = 100) -> str:
    """The beginning of a stored table as text; empty for what is no table."""
    show = getattr(_module(codec), "preview", None)
    return show(path, rows=rows, width=width) if show else ""


def write_as(codec: str, path: Path, to: Path) -> None:
    """Write a stored value in the form that the suffix of `to` promises; without such a suffix as it is stored, a folder as a folder.

    Raises UsageError for a form that it cannot take: other bytes under that name would be a lie.
    """
    suffix, stored = to.suffix.lower(), {SUFFIXES[codec], *SAME_FORM.get(codec, ())}
    writers = getattr(_module(codec), "WRITERS", {})
    if codec == "tree":
        from lockgate.codecs import tree

        tree.unpack(path, to)
    elif codec == "file" or suffix not in FORMS - stored:  # whose file it is knows its form
        import shutil  # a run has no need of it

        shutil.copyfile(path, to)
    elif suffix in writers:
        writers[suffix](path, to)
    else:
        raise UsageError(
            "this artifact cannot be written in such a form", value=to.name,
            allowed=", ".join(s for s in (SUFFIXES[codec], *writers) if s) or "no suffix",
            next=f"name the file {to.stem}{SUFFIXES[codec]} to have it as it is stored",
        )  # fmt: skip


def resolve(name: str) -> type:
    """Import the type that `module:qualname` names."""
    module, _, qualname = name.partition(":")
    found: object = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return cast("type", found)


def _module(codec: str) -> Codec:
    if codec not in MODULES:
        raise StepFailed("unknown codec", value=codec, allowed=", ".join(sorted(MODULES)))
    return cast("Codec", importlib.import_module(MODULES[codec]))
