"""A step that asks a release why it answers as it does, for the requests whose answers changed most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.records.digest import Json
from lockgate.records.release import FieldSchema, Manifest
from lockgate.release.client import ReleaseHost
from lockgate.release.layout import MANIFEST, read_manifest

__all__ = ["ask_why", "reasons", "request_of"]


def reasons(release: Path, movement: dict[str, Any]) -> list[list[str]]:
    """Reasons in words, one list for each row of the `Movement`'s `largest`; empty lists when the release explains nothing."""
    manifest = read_manifest((release / MANIFEST).read_bytes())
    with ReleaseHost(release, f"sha256:{release.name}") as host:
        return ask_why(host, manifest, movement)


def ask_why(host: ReleaseHost, manifest: Manifest, movement: Mapping[str, Any]) -> list[list[str]]:
    """The same of a host that is open."""
    rows = movement["largest"]
    fields = {f.name: f for f in manifest.predictor.request}
    by_day: dict[str | None, list[int]] = {}
    for position, row in enumerate(rows):
        by_day.setdefault(row["as_of"] or None, []).append(position)
    found: list[list[str]] = [[] for _ in rows]
    for as_of, positions in by_day.items():
        asked = [request_of(rows[at]["request"], fields) for at in positions]
        for at, said in zip(positions, host.explain(asked, as_of=as_of), strict=True):
            found[at] = said
    return found


def request_of(texts: Mapping[str, str], fields: Mapping[str, FieldSchema]) -> dict[str, Json]:
    """What a table of the evaluation holds as text or float, as the request's own types; what is not asked is left out."""
    return {name: _typed(text, fields[name].type) for name, text in texts.items() if name in fields}


def _typed(text: str, kind: str) -> Json:
    """A cell as JSON.

    >>> _typed("5.0", "integer"), _typed("0.5", "number"), _typed("True", "boolean"), _typed("", "string")
    (5, 0.5, True, None)
    """
    if text == "":
        return None
    if kind == "integer":
        return int(float(text))
    if kind == "number":
        return float(text)
    return text in ("True", "1.0", "1") if kind == "boolean" else text
