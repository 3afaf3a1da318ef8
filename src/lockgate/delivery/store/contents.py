"""What lies in the store and what it belongs to: every record, the objects it names, and names that people know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lockgate.delivery.known import remembered
from lockgate.delivery.sources.packs import Packed, packs_in
from lockgate.delivery.sources.seeing import source_key
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable
from lockgate.project import KINDS
from lockgate.records.dataset import DATASET, Dataset
from lockgate.records.digest import Json, short
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Named", "named_records", "objects_in"]

Needed: TypeAlias = tuple[Mapping[str, str], str]
"""`Named.objects` and `Named.unread`."""
NOTHING: Needed = ({}, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One record.

    Attributes:
        words: what people call it.
        objects: digest → what people call that object; what it needs to be whole.
        record: its content; None when it is damaged.
        unread: an object that says what else it needs, and is damaged: what that is is not known; "" for none.
    """

    kind: str
    key: str
    words: str
    size_bytes: int
    modified_s: float
    record: Mapping[str, Json] | None
    objects: Mapping[str, str]
    unread: str = ""


def named_records(project: Project, trust: Trusted | None) -> Iterator[Named]:
    """Every record of the store, damaged ones too. `trust`: the ledger, when it can be read, to name pages.

    Raises ServiceUnavailable when the store goes away meanwhile: what a record needs is never told by halves.
    """
    pages = _pages(trust)
    sources = {source_key(project, s.name): s.name for s in project.settings.sources}
    known = {key: node for node, key in remembered(project).items()} | sources | pages
    for kind in KINDS:
        results = project.results(kind)
        for held in results.held():
            called = known.get(held.key) or known.get(f"blake3:{held.key}") or ""
            words, (objects, unread) = _described(project, kind, held.key, held.record, called)
            yield Named(
                kind=kind, key=held.key, words=words, size_bytes=held.size_bytes, modified_s=held.modified_s,
                record=held.record, objects=objects, unread=unread,
            )  # fmt: skip


def objects_in(value: Json) -> Iterator[str]:
    """Every text that looks like an object's digest, at any depth: what might be needed is not garbage."""
    if isinstance(value, str):
        if value.startswith("blake3:"):
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from objects_in(key)
            yield from objects_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from objects_in(item)


def _described(
    project: Project, kind: str, key: str, record: Mapping[str, Json] | None, called: str
) -> tuple[str, Needed]:
    """A record in words, and the objects it cannot do without."""
    found = record or {}
    match kind:
        case "results":
            step = called or found.get("node") or _function(found)
            words = f"the result of step {step}" if step else f"the result of a step ({short(key)})"
            return words, _of_result(project, found["artifact"], words) if record else NOTHING
        case "releases":
            return f"release {short(key)}", _release_files(project, key, found) if record else NOTHING
        case "pages":
            words = called or f"an evidence page ({short(key)})"
            return words, ({d: f"{words} ({what})" for what, d in found.items()}, "")
        case "sources":
            name = called or found.get("name")
            words = f"source {name}" if name else f"a source ({short(key)})"
            return words, _of_source(project, found, words)
        case "feedback":
            words = f"feedback {found.get('name', short(key))}"
            return words, ({found["object"]: words}, "") if found else NOTHING
        case _:
            return f"{'a captured graph' if kind == 'graphs' else 'the note of a bundle'} ({short(key)})", NOTHING


def _of_source(project: Project, record: Mapping[str, Json], words: str) -> Needed:
    """The files that are objects of their own, and the packs of the others."""
    packs, files = packs_in(record), record.get("files", ())
    packed = {o: w for p in packs for o, w in ((p.data, "packed files"), (p.index, "the index of packed files"))}
    try:
        members = Packed(project.store, packs).members
    except ServiceUnavailable:
        raise
    except (
        LockgateError
    ):  # which files it has is not known then; the pack itself is named, and the record names the files
        members, files = {}, ()
    named = {d: f"{w} of {words}" for d, w in packed.items()}
    return named | {d: f"{name} of {words}" for name, d in files if d not in members}, ""


def _of_result(project: Project, artifact: Mapping[str, Json], words: str) -> Needed:
    """The object of a result and, when it is made of partitions, every one of them."""
    found = {artifact["object"]: words}
    if artifact["codec"] != DATASET:
        return found, ""
    try:
        made = from_json(Dataset, json.loads(project.store.get(artifact["object"]).read_bytes()))
    except NotFound:
        return found, ""
    except (IntegrityError, ValueError):  # it is named as damaged, its partitions cannot be
        return found, artifact["object"]
    parts = (*made.parts, made.empty)
    return found | {p.object: f"partition {p.key or 'without rows'} of {words}" for p in parts}, ""


def _release_files(project: Project, key: str, record: Mapping[str, Json]) -> Needed:
    """The manifest, and every file it lists: where the store cannot say it, an unpacked copy of the release does."""
    from lockgate.release.layout import MANIFEST, read_manifest, release_path

    manifest, unread = record["manifest"], ""
    found = {manifest: f"the manifest of release {short(key)}"}
    unpacked = release_path(project.home / "releases", key) / MANIFEST
    for place in (lambda: project.store.get(manifest), lambda: unpacked):
        try:
            listed = read_manifest(place().read_bytes(), expected=key).files
        except (NotFound, OSError):
            continue
        except IntegrityError:
            unread = manifest
            continue
        return found | {f.blake3: f"{f.path} of release {short(key)}" for f in listed}, ""
    return found, unread


def _function(record: Mapping[str, Json]) -> str:
    """Records of older versions do not say their step; the last definition is near enough for a person."""
    definitions = record.get("definitions") or ()
    return str(definitions[0][0]) if definitions else ""


def _pages(trust: Trusted | None) -> dict[str, str]:
    from lockgate.records.decisions import Shown

    claims = (s.claim for s in trust.said) if trust else ()
    return {
        c.shows: f"the evidence page of release {short(c.release)} for {c.environment}"
        for c in claims
        if isinstance(c, Shown)
    }
