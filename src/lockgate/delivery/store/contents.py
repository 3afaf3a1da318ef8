"""What lies in the store and what it belongs to: every record, the objects it names, and names that people know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.known import remembered
from lockgate.delivery.sources.kept import Kept
from lockgate.delivery.sources.packs import packs_in
from lockgate.delivery.sources.pieces import objects_of, pieces_in
from lockgate.delivery.sources.versions import files_in, source_key, version_in
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable
from lockgate.project import KINDS
from lockgate.records.dataset import DATASET, Dataset
from lockgate.records.digest import Json, short
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Named", "named_records", "objects_in"]

UNKNOWN = ""
"""Stands among a record's objects for those that it needs and that cannot be named, since something is damaged."""
PACK_WORDS = ("packed files", "the index of packed files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One record.

    Attributes:
        words: what people call it.
        objects: digest → what people call that object; what it needs to be whole.
        record: its content; None when it is damaged.
        is_whole: `objects` are all that it needs; one that is damaged may hide others.
    """

    kind: str
    key: str
    words: str
    size_bytes: int
    modified_s: float
    record: Mapping[str, Json] | None
    objects: Mapping[str, str]
    is_whole: bool = True


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
            words, objects = _described(project, kind, held.key, held.record, called)
            yield Named(
                kind=kind, key=held.key, words=words, size_bytes=held.size_bytes, modified_s=held.modified_s,
                record=held.record, objects=objects, is_whole=UNKNOWN not in objects,
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
) -> tuple[str, Mapping[str, str]]:
    """A record in words, and the objects it cannot do without."""
    found = record or {}
    match kind:
        case "results":
            step = called or found.get("node") or _function(found)
            words = f"the result of step {step}" if step else f"the result of a step ({short(key)})"
            return words, _of_result(project, found["artifact"], words) if record else {}
        case "releases":
            return f"release {short(key)}", _release_files(project, key, found) if record else {}
        case "pages":
            words = called or f"an evidence page ({short(key)})"
            return words, {d: f"{words} ({what})" for what, d in found.items()}
        case "measured":
            words = f"the evidence of a gate ({short(key)})"
            return words, {found["object"]: words} if found else {}
        case "material":
            words = f"what release {short(key)} is judged on"
            return words, {d: w for a in found.values() if a for d, w in _of_result(project, a, words).items()}
        case "policies" | "summaries" | "provenance" | "attachments":
            called = {
                "policies": "a policy",
                "summaries": "a verification summary",
                "provenance": "the provenance of a release",
                "attachments": "where a picture is attached at a forge",
            }[kind]
            return f"{called} ({short(key)})", {}
        case "sources":
            name = called or found.get("name")
            words = f"source {name}" if name else f"a source ({short(key)})"
            return words, _of_source(project, key, found, words)
        case "feedback":
            words = f"feedback {found.get('name', short(key))}"
            return words, {found["object"]: words} if found else {}
        case _:
            return f"{'a captured graph' if kind == 'graphs' else 'the note of a bundle'} ({short(key)})", {}


def _of_source(project: Project, key: str, record: Mapping[str, Json], words: str) -> Mapping[str, str]:
    """The list of a version's files, those that are objects of their own, and what the others lie in."""
    if not {"name", "files"} & record.keys():  # which version is the newest, what was kept when, how far rows were read
        return {}
    packs, pieces = packs_in(record), pieces_in(record)
    found = {} if "files" in record else {key: f"the list of files of {words}"}
    found |= {o: f"{w} of {words}" for p in packs for o, w in zip(p.objects, PACK_WORDS, strict=True)}
    found |= dict.fromkeys(objects_of(pieces.values()), f"bytes of large files of {words}")
    try:
        kept = Kept(project.store, packs, pieces)
    except ServiceUnavailable:
        raise
    except LockgateError:  # which files lie in the pack is not known then; the pack itself is named
        return found | {UNKNOWN: words}
    version = None if "files" in record else version_in(project, key, record)
    files = files_in(record["files"]) if "files" in record else version.files if version else ((UNKNOWN, UNKNOWN),)
    return found | {d: f"{name} of {words}" for name, d in files if d not in kept}


def _of_result(project: Project, artifact: Mapping[str, Json], words: str) -> Mapping[str, str]:
    """The object of a result and, when it is made of partitions, every one of them."""
    found = {artifact["object"]: words}
    if artifact["codec"] != DATASET:
        return found
    try:
        made = from_json(Dataset, json.loads(project.store.get(artifact["object"]).read_bytes()))
    except NotFound:  # it is named as missing; a result that is not whole is made again
        return found
    except (IntegrityError, ValueError):
        return found | {UNKNOWN: words}
    return found | {p.object: f"partition {p.key or 'without rows'} of {words}" for p in (*made.parts, made.empty)}


def _release_files(project: Project, key: str, record: Mapping[str, Json]) -> Mapping[str, str]:
    """The manifest, and every file it lists: where the store cannot say it, an unpacked copy of the release does."""
    from lockgate.release.layout import MANIFEST, read_manifest, release_path

    manifest = record["manifest"]
    found = {manifest: f"the manifest of release {short(key)}"}
    hidden: dict[str, str] = {}
    unpacked = release_path(project.home / "releases", key) / MANIFEST
    for place in (lambda: project.store.get(manifest), lambda: unpacked):
        try:
            listed = read_manifest(place().read_bytes(), expected=key).files
        except (NotFound, OSError):
            continue
        except IntegrityError:
            hidden = {UNKNOWN: found[manifest]}
            continue
        return found | {f.blake3: f"{f.path} of release {short(key)}" for f in listed}
    return found | hidden


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
