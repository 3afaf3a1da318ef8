"""The project's own files as a release was made with them: all that making it again needs, beside its sources.

No path of the machine, no settings of a working copy (where its store lies, which ports it serves), no hidden files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lockgate.errors import IntegrityError
from lockgate.records.digest import Json, canonical
from lockgate.records.wire import from_json, to_json

__all__ = ["Snapshot", "read_snapshot", "snapshot_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Files by relative path, text where it is UTF-8, base64 where it is not.

    Attributes:
        modules: the pipeline modules, as `lockgate.toml` names them; without those that only declare the delivery.
        sources: declared source → its kind.
        left_out: files that the modules read on import and that are not here: hidden ones, what may hold a secret, large
            ones, by path; those outside of the project by name alone. Whoever rebuilds must bring them.
    """

    modules: tuple[str, ...]
    sources: Mapping[str, str]
    texts: Mapping[str, str]
    binaries: Mapping[str, str] = field(default_factory=dict[str, str])
    left_out: tuple[str, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def encoded(self) -> bytes:
        """The same files give the same bytes."""
        return canonical(to_json(self))

    @property
    def files(self) -> dict[str, bytes]:
        """Path → bytes."""
        texts = {path: text.encode() for path, text in self.texts.items()}
        return texts | {path: base64.b64decode(data) for path, data in self.binaries.items()}


def snapshot_of(
    files: Mapping[str, bytes], *, modules: tuple[str, ...], sources: Mapping[str, str], left_out: tuple[str, ...] = ()
) -> Snapshot:
    """Keep these files, without hidden ones, which may hold secrets.

    >>> snapshot_of({"a.py": b"x = 1", ".env": b"KEY=1"}, modules=("a",), sources={}).left_out
    ('.env',)
    """
    hidden = {p for p in files if _is_hidden(p)}
    texts, binaries = dict[str, str](), dict[str, str]()
    for path, data in files.items():
        if path in hidden:
            continue
        try:
            texts[path] = data.decode()
        except UnicodeDecodeError:
            binaries[path] = base64.b64encode(data).decode()
    return Snapshot(
        modules=modules, sources=sources, texts=texts, binaries=binaries, left_out=tuple(sorted({*hidden, *left_out}))
    )


def read_snapshot(data: bytes) -> Snapshot:
    """Raises IntegrityError when it is none, or when a path is hidden or would leave the folder it is written into.

    A hidden file could be what Lockgate itself keeps there: a graph, results, a store.
    """
    try:
        found = from_json(Snapshot, json.loads(data))
    except ValueError as error:
        raise IntegrityError("the snapshot of a project cannot be read", value=str(error)) from error
    for path in (*found.texts, *found.binaries):
        pure = PurePosixPath(path)
        if pure.is_absolute() or not pure.parts or "\\" in path or _is_hidden(path):
            raise IntegrityError(
                "a path of a snapshot is hidden or leaves its folder", value=repr(path),
                allowed="a relative path of which no part begins with a dot",
            )  # fmt: skip
    return found


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))
