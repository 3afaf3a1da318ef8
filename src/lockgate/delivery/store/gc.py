"""`store gc`: forget what nothing needs any more.

Roots, and everything they name: every release that the ledger knows unless it was rejected, with its pages and the
source files it came from; what the project's present graph would reuse; runs, graphs and records younger than
`keep_days`. What is not understood is kept. A collection is safe beside runs: they say what they will read (leases
with pins), wait for a collection that is under way, and what they make is young.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.identity import read_ledger
from lockgate.delivery.known import remembered
from lockgate.delivery.run import plan
from lockgate.delivery.store.contents import Named, named_records, objects_in
from lockgate.delivery.turns import Turns, Watch
from lockgate.errors import IntegrityError, LockgateError, ServiceUnavailable
from lockgate.records.decisions import Proposed
from lockgate.records.digest import Json
from lockgate.records.held import GRACE_S, Held
from lockgate.records.plan import Reuse
from lockgate.records.waivers import BrokeGlass, Waived

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["Garbage", "collect", "find_garbage"]

DAY_S = 24 * 3600.0
AT_ONCE = 500
"""How many are deleted before it is asked whether it is still our turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What nothing needs: records by kind, objects, and what they take up. `kept` counts the objects that stay."""

    records: tuple[tuple[str, str, int], ...]
    objects: tuple[Held, ...]
    kept: int
    kept_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of all of it."""
        return sum(h.size_bytes for h in self.objects) + sum(size for _, _, size in self.records)


def find_garbage(project: Project, *, now: dt.datetime, keep_days: int) -> Garbage:
    """Look, and do nothing. Raises IntegrityError when a record is damaged: what it names is not known then."""
    trust = read_ledger(project)
    records = tuple(named_records(project, trust))
    if damaged := [r.words for r in records if r.record is None or not r.is_whole]:
        raise IntegrityError(
            "what is damaged may name what looks like garbage", value=damaged[0], next="lockgate store check --heal"
        )
    return _garbage(project, records, trust, now=now, keep_days=keep_days)


def collect(project: Project, *, now: dt.datetime, keep_days: int) -> Garbage:
    """Find garbage again, now that runs wait for us, and remove it: records first, so that nothing names what is gone.

    Raises ServiceUnavailable when another collection is at work.
    """
    lasts_s = float(project.settings.lease_s)
    with Turns(project.leases, result=lambda _: None, lasts_s=lasts_s) as turns, turns.collecting():
        garbage = find_garbage(project, now=now, keep_days=keep_days)
        kinds = dict.fromkeys(kind for kind, _, _ in garbage.records)
        for kind in kinds:
            _delete(project.results(kind).delete, [key for k, key, _ in garbage.records if k == kind], turns)
        _delete(project.store.delete, [h.key for h in garbage.objects], turns)
    return garbage


def _delete(delete: Callable[..., None], keys: Sequence[str], turns: Turns) -> None:
    """Some at a time, as long as it is our turn."""
    for start in range(0, len(keys), AT_ONCE):
        turns.still_collecting()
        delete(*keys[start : start + AT_ONCE])


def _garbage(
    project: Project, records: tuple[Named, ...], trust: Trusted, *, now: dt.datetime, keep_days: int
) -> Garbage:
    limit_s = now.timestamp() - keep_days * DAY_S
    pins = _pins(project)
    roots = _roots(project, records, trust, now=now, limit_s=limit_s) | {
        (r.kind, r.key) for r in records if r.key in pins
    }
    kept = [r for r in records if (r.kind, r.key) in roots]
    partitions = {d for r in kept if r.kind == "results" for d in r.objects}
    parts = [r for r in records if r not in kept and r.kind == "results" and partitions & set(r.objects)]
    kept, roots = [*kept, *parts], roots | {(r.kind, r.key) for r in parts}  # how each partition was made
    young_s = time.time() - GRACE_S
    needed = pins | {d for r in kept for d in (*r.objects, *objects_in(r.record))}
    held = tuple(project.store.held())
    garbage = tuple(h for h in held if h.key not in needed and h.modified_s < young_s)
    return Garbage(
        records=tuple((r.kind, r.key, r.size_bytes) for r in records if (r.kind, r.key) not in roots),
        objects=garbage,
        kept=len(held) - len(garbage),
        kept_bytes=sum(h.size_bytes for h in held) - sum(h.size_bytes for h in garbage),
    )


def _roots(
    project: Project, records: tuple[Named, ...], trust: Trusted, *, now: dt.datetime, limit_s: float
) -> set[tuple[str, str]]:
    """(kind, key) of every record that stays."""
    young = {(r.kind, r.key) for r in records if r.modified_s >= limit_s}
    releases = {r.key for r in records if r.kind == "releases" and _stays(project, r, trust, young)}
    sources = {identity for r in releases for identity in _sources_of(project, r)}
    reused, artifacts = _reused(project, now), _of_runs(project, limit_s)
    newest = max((r.modified_s for r in records if r.kind == "graphs"), default=0.0)
    seen = [r.record for r in records if r.kind == "sources" and r.record]
    current = [r[of] for r in seen if "name" not in r for of in ("version", "keeps", "files") if of in r]
    found = set(young)
    for record in records:
        content = record.record or {}
        match record.kind:
            case "releases":
                stays = record.key in releases
            case "bundles":
                stays = content.get("release") in releases
            case "results":
                stays = record.key in reused or content.get("artifact", {}).get("digest") in artifacts
            case "sources":
                # The newest version, one that a person kept, or a release's; what is no version of files stays.
                stays = (
                    "name" not in content or record.key in sources or record.key in current or content.get("files") in current
                )  # fmt: skip
            case "graphs":
                stays = record.modified_s >= newest
            case "material":
                stays = False  # a young one stays; what is judged later is proposed again, which makes it again
            case _:
                stays = True
        if stays:
            found.add((record.kind, record.key))
    return found


def _stays(project: Project, record: Named, trust: Trusted, young: set[tuple[str, str]]) -> bool:
    """A release of ours goes when it was rejected everywhere or never proposed; one of another project is not ours to judge."""
    from lockgate.delivery.releases import manifest_of

    if (record.kind, record.key) in young:
        return True
    states = _states(trust, record.key)
    if states - {"rejected"}:
        return True
    try:
        return manifest_of(project, record.key).project != project.settings.name
    except ServiceUnavailable:
        raise
    except LockgateError:
        return True


def _states(trust: Trusted, release: str) -> set[str]:
    """Where a release stands towards every environment; empty for one that was never proposed."""
    from lockgate.deploy.environments import fold
    from lockgate.deploy.releases import release_states

    if not any(isinstance(s.claim, Proposed) and s.claim.release == release for s in trust.said):
        return set()
    deployments = fold(trust, approved_only=())
    places = [*deployments.environments, ""]
    found = (release_states(trust, deployments, environment=p, passed=lambda r: _spoken_for(trust, r)) for p in places)
    return {s.state for states in found for s in states if s.release == release}


def _spoken_for(trust: Trusted, release: str) -> set[str]:
    """Failed gates that somebody wants to let pass. Whether that stands is not asked: what may yet be used is kept."""
    claims = [s.claim for s in trust.said if s.person]
    waived = {c.gate for c in claims if isinstance(c, Waived) and c.release == release}
    return waived | {g for c in claims if isinstance(c, BrokeGlass) and c.release == release for g in c.results}


def _sources_of(project: Project, release: str) -> tuple[str, ...]:
    from lockgate.delivery.releases import manifest_of

    try:
        return tuple(manifest_of(project, release).lineage.sources.values())
    except ServiceUnavailable:
        raise
    except LockgateError:
        return ()


def _reused(project: Project, now: dt.datetime) -> set[str]:
    """Fingerprints that the present graph would reuse, and the last ones that ran here."""
    planned = plan(project, now=now)
    return {s.fingerprint for s in planned.plan.steps if isinstance(s.action, Reuse) and s.fingerprint} | set(
        remembered(project).values()
    )


def _of_runs(project: Project, limit_s: float) -> set[str]:
    """What this working copy's younger runs made or reused."""
    found: set[str] = set()
    for path in (project.home / "runs").glob("*.json"):
        if path.stat().st_mtime >= limit_s:
            content: Mapping[str, Json] = json.loads(path.read_bytes())
            found |= {s["digest"] for s in content["steps"] if s.get("digest")}
    return found


def _pins(project: Project) -> set[str]:
    """What runs are going to read. One whose owner is gone pins nothing, and is cleared away."""
    found: set[str] = set()
    for name in tuple(project.leases.names()):
        lease = project.leases.holder(name)
        if lease is None or not name.startswith("run-"):
            continue
        if Watch().is_over(lease):
            with suppress(ServiceUnavailable):  # who may only look leaves it there
                project.leases.drop(name, lease)
        else:
            found |= set(lease.pins)
    return found
