"""`store check`: read everything, name every damage and what it belonged to; `--heal` brings back or forgets.

Nothing is healed silently. A good copy is taken from wherever there is one: the cache of a far store, an unpacked
release, the source's own file. Without one the result is forgotten, so that the next run makes it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lockgate.delivery.put import keep_bytes, keep_copy
from lockgate.delivery.store.contents import UNKNOWN, Named, named_records
from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable
from lockgate.records.digest import digest_file, sha256_file, short
from lockgate.release.layout import MANIFEST, release_path

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Checked", "Fault", "check"]

AGAIN: Mapping[str, str] = {
    "results": "lockgate run",
    "graphs": "lockgate plan",
    "sources": "bring the source's files, then lockgate run",
    "releases": "lockgate deliver, or bring .lockgate/releases/ from a machine that has it",
    "bundles": "lockgate deliver",
    "pages": "lockgate deliver",
    "feedback": "lockgate feedback import, with the same file",
    "policies": "lockgate deliver, with the same policy and delivery declaration",
    "measured": "lockgate deliver",
    "summaries": "lockgate serve ENV, which signs it again",
    "material": "lockgate propose",
    "provenance": "lockgate gitlab publish, which signs it again",
    "attachments": "lockgate gitlab report, which attaches it again",
}
"""Kind of record → what makes it again."""
MADE_AGAIN = ("results", "material")
"""Kinds that name results of steps, which are forgotten when these are damaged: a run makes and notes them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One damage.

    Attributes:
        what: an object, a record, or a copy in the cache of a far store.
        kinds: the kinds of record that need it.
        words: what it belongs to.
        next: how to get it back.
        healed: what was done, in words; "" when it is still damaged.
    """

    what: Literal["object", "record", "copy"]
    state: Literal["damaged", "missing"]
    key: str
    kinds: tuple[str, ...]
    words: tuple[str, ...]
    next: str
    healed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was read, and every fault."""

    objects: int
    records: int
    size_bytes: int
    faults: tuple[Fault, ...]

    @property
    def is_good(self) -> bool:
        """Nothing is damaged, or not any more."""
        return all(f.healed for f in self.faults)


def check(project: Project, *, heal: bool = False, tell: Callable[[Fault], None] = lambda _: None) -> Checked:
    """Read every object and record. `tell` hears of each fault, after it was healed if it was.

    Raises IntegrityError when the ledger itself does not hold: it says what is needed.
    """
    from lockgate.delivery.identity import read_ledger

    trust = read_ledger(project)
    records = tuple(named_records(project, trust))
    needed = _needed(records)
    count, size_bytes = 0, 0
    missing, wanted = dict.fromkeys(needed), list[Fault]()
    for held in project.store.held(read=True):
        missing.pop(held.key, None)
        count, size_bytes = count + 1, size_bytes + held.size_bytes
        if not held.whole:
            wanted.append(_of_object("damaged", held.key, needed.get(held.key, ())))
    wanted += [_of_object("missing", digest, needed[digest]) for digest in missing]
    wanted += [_of_record(r) for r in records if r.record is None]
    wanted += _lost_releases(trust, records)
    faults = [_told(project, fault, records, heal=heal, tell=tell) for fault in wanted]
    for fault in _of_cache(project, heal=heal):
        faults.append(fault)
        tell(fault)
    return Checked(objects=count, records=len(records), size_bytes=size_bytes, faults=tuple(faults))


def _told(
    project: Project, fault: Fault, records: tuple[Named, ...], *, heal: bool, tell: Callable[[Fault], None]
) -> Fault:
    """Heal it if asked to; a store that refuses or goes away meanwhile leaves it told as it is."""
    try:
        fault = _healed(project, fault, records) if heal else fault
    except ServiceUnavailable:
        tell(fault)
        raise
    tell(fault)
    return fault


def _needed(records: tuple[Named, ...]) -> dict[str, list[tuple[str, str]]]:
    """Object → (kind, words) of everything that names it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for record in records:
        for digest, words in record.objects.items():
            if digest != UNKNOWN:
                found.setdefault(digest, []).append((record.kind, words))
    return found


def _of_object(state: Literal["damaged", "missing"], digest: str, by: list[tuple[str, str]] | tuple[()]) -> Fault:
    kinds = tuple(dict.fromkeys(k for k, _ in by))
    words = tuple(dict.fromkeys(w for _, w in by)) or ("nothing that is needed",)
    again = AGAIN[kinds[0]] if kinds else "lockgate store check --heal"
    return Fault(what="object", state=state, key=digest, kinds=kinds, words=words, next=again)


def _of_record(record: Named) -> Fault:
    return Fault(
        what="record",
        state="damaged",
        key=record.key,
        kinds=(record.kind,),
        words=(record.words,),
        next=AGAIN[record.kind],
    )


def _lost_releases(trust: Trusted, records: tuple[Named, ...]) -> Iterator[Fault]:
    """Releases that the ledger knows and the store does not."""
    from lockgate.records.decisions import Proposed

    there = {r.key for r in records if r.kind == "releases"} | {
        f"sha256:{r.key}" for r in records if r.kind == "releases"
    }
    for release in dict.fromkeys(s.claim.release for s in trust.said if isinstance(s.claim, Proposed)):
        if release not in there:
            yield Fault(
                what="record", state="missing", key=release, kinds=("releases",), words=(f"release {short(release)}",),
                next=AGAIN["releases"],
            )  # fmt: skip


def _healed(project: Project, fault: Fault, records: tuple[Named, ...]) -> Fault:
    """Do what can be done; a fault that only work can mend stays one, with what makes it again."""
    if fault.what == "record":
        return _healed_record(project, fault)
    # What is damaged is written over, never removed first: the copy may be the last good one.
    if (copy := next(_copies(project, fault.key, records), None)) is not None:
        keep_copy(project, copy)
        return replace(fault, healed=f"brought back from {copy}")
    if (draft := _made_again(project, fault.key, records)) is not None:
        project.store.put(draft)
        return replace(fault, healed="made again from the source's files")
    if fault.state == "damaged":
        project.store.delete(fault.key)
    if any(r.kind == "sources" and r.key == fault.key for r in records):  # nobody knows what that version held
        project.results("sources").delete(fault.key)
        return replace(fault, healed=f"the version is forgotten; to have it again: {AGAIN['sources']}")
    forgotten = [r for r in records if r.kind in MADE_AGAIN and fault.key in r.objects]
    for record in forgotten:
        project.results(record.kind).delete(record.key)
    releases = {r.key for r in records if r.kind == "releases" and fault.key in r.objects}
    for record in records:
        if record.kind == "bundles" and (record.record or {}).get("release") in releases:
            project.results("bundles").delete(record.key)  # so that `deliver` builds it again
    if set(fault.kinds) <= {*MADE_AGAIN}:
        return replace(fault, healed="forgotten; the next run makes it again" if fault.kinds else "removed")
    return fault


def _made_again(project: Project, digest: str, records: tuple[Named, ...]) -> Path | None:
    from lockgate.delivery.sources.healing import made_again

    of = {r.key: r.record for r in records if r.kind == "sources" and r.record and digest in r.objects}
    return made_again(project, of, digest) if of else None


def _healed_record(project: Project, fault: Fault) -> Fault:
    kind = fault.kinds[0]
    if kind == "releases":
        return _healed_release(project, fault)
    project.results(kind).delete(fault.key)
    return replace(fault, healed=f"forgotten; to have it again: {AGAIN[kind]}")


def _healed_release(project: Project, fault: Fault) -> Fault:
    """A release's record says where its manifest is; an unpacked copy of the release tells as well."""
    release = f"sha256:{fault.key.rpartition(':')[2]}"
    path = release_path(project.home / "releases", release) / MANIFEST
    with contextlib.suppress(OSError):
        if sha256_file(path) == release:
            record = {"manifest": keep_bytes(project, path.read_bytes()), "release": release}
            project.results("releases").put(release, record)
            return replace(fault, healed=f"written again from {path}")
    return fault


def _copies(project: Project, digest: str, records: tuple[Named, ...]) -> Iterator[Path]:
    """Good copies of an object on this machine."""
    if project.cache is not None:
        with contextlib.suppress(LockgateError):
            yield project.cache.get(digest)
    for path in _places(project, digest, records):
        with contextlib.suppress(OSError):
            if digest_file(path) == digest:
                yield path


def _places(project: Project, digest: str, records: tuple[Named, ...]) -> Iterator[Path]:
    """Where a copy may lie: in an unpacked release, or where a source's file came from."""
    from lockgate.delivery.sources.seeing import places

    for record in records:
        if record.kind == "releases" and digest in record.objects:
            words = record.objects[digest]
            name = MANIFEST if words.startswith("the manifest") else words.rpartition(" of release ")[0]
            yield release_path(project.home / "releases", record.key) / name
    if any(r.kind == "sources" and digest in r.objects for r in records):
        yield from places(project)


def _of_cache(project: Project, *, heal: bool) -> Iterator[Fault]:
    """A damaged copy on this machine harms nobody: it is fetched again when it is needed."""
    cache = project.cache
    if cache is None:
        return
    for held in cache.held():
        try:
            cache.get(held.key)
        except NotFound:
            continue
        except IntegrityError:
            fault = Fault(
                what="copy", state="damaged", key=held.key, kinds=(), words=("a copy on this machine",),
                next="nothing: it is fetched again when it is needed",
            )  # fmt: skip
            if heal:
                cache.delete(held.key)
            yield replace(fault, healed="removed; it is fetched again" if heal else "")
