"""`gitlab publish`: a release that was delivered, for people to find: files, number, model version, page, provenance.

Everything is looked for before it is made, so that it can be said again after any failure; the second time nothing changes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lockgate.delivery.chosen import chosen
from lockgate.delivery.evidence.page import card_of, page_of
from lockgate.delivery.forge.provenance import Where, origin_of, proposal, provenance_file
from lockgate.delivery.identity import read_ledger, who
from lockgate.delivery.judging.check_recorded import newest_results
from lockgate.delivery.judging.judge import evidence_behind
from lockgate.delivery.releases import fetch, manifest_of
from lockgate.delivery.walk import walk_now
from lockgate.deploy.environments import fold
from lockgate.errors import NotFound, PermissionRefused, ServiceUnavailable, StepFailed
from lockgate.forge.semver import FIRST, Step, highest, parse, step_between
from lockgate.records.digest import short
from lockgate.records.forge_job import job_of
from lockgate.records.people import DELIVERER
from lockgate.records.proposals import proposals
from lockgate.records.publication import NumberTaken, Publication, Published

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from lockgate.delivery.walk import Walk
    from lockgate.ports import Forge
    from lockgate.project import Project
    from lockgate.records.proposals import Proposal
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["Done", "publish"]

MANIFEST: Final = "manifest.json"
PROVENANCE: Final = "provenance.dsse.json"
TRIES: Final = 5
"""Numbers that other jobs may take from under this one."""
PLAIN: Final = re.compile(r"[^A-Za-z0-9._ /-]")  # what a metric's name may not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A release and its number. `step`: how the number came about; None: the release had it before, or it is the first."""

    release: str
    name: str
    version: str
    step: Step | None
    published: Published


def publish(project: Project, forge: Forge, ref: str | None, where: Where, *, clock: Callable[[], dt.datetime]) -> Done:
    """Publish the release of this pipeline, or the one that is named.

    Raises:
        StepFailed: no environment at the end of the way ever wanted it. PermissionRefused: the key's owner may not
            deliver; the token lacks something. NotFound: the release before it is not in the store, so that nobody can compare.
    """
    walk, trust = walk_now(project, now=clock()), read_ledger(project)
    release = chosen(walk, trust, ref, where.job).release
    me = who(project, trust)
    if DELIVERER not in me.roles:
        held = ", ".join(me.roles) or "no role"
        raise PermissionRefused(f"{me.name} may not publish", value=held, allowed=DELIVERER, next="lockgate people")
    _check_delivered(walk, trust, release)
    manifest = manifest_of(project, release)
    files, links = _files(project, walk, trust, manifest, where)
    publication = Publication(
        name=manifest.name, version="", release=release, commit=manifest.lineage.commit, links=links, words="",
        metrics=_metrics(project, walk, trust, release), params=_params(manifest), also=_also(proposal(trust, release), where),
    )  # fmt: skip
    return _published(project, forge, manifest, publication, files)


def _published(
    project: Project, forge: Forge, manifest: Manifest, about: Publication, files: Mapping[str, Path]
) -> Done:
    """Under its number; where another job was faster with it, under the next one."""
    taken: dict[str, str] = {}
    for _ in range(TRIES):
        version, step = _numbered(project, manifest, forge.published(manifest.name), taken)
        publication = replace(about, version=version, words=_words(manifest, version, step))
        try:
            published = forge.publish(publication, files)
        except NumberTaken as error:
            taken[version] = error.release
            continue
        return Done(release=about.release, name=about.name, version=version, step=step, published=published)
    raise ServiceUnavailable(
        "other jobs publish at the same time", value=f"{about.name}: {', '.join(taken)} went to others", next="run the job again",
    )  # fmt: skip


def _check_delivered(walk: Walk, trust: Trusted, release: str) -> None:
    """What is published has been where it was going: every gate and every approval on the way let it through."""
    last = walk.environments[-1] if walk.environments else ""
    there = fold(trust, approved_only=walk.approved_only).of(last)
    if release in {s.release for s in there.history}:
        return
    waits = there.wanted is not None and there.wanted.release == release
    said = (
        "is wanted there, and no server has answered yet" if waits else f"was never delivered to {last or 'anywhere'}"
    )
    raise StepFailed(
        f"release {short(release)} has not served {last or 'an environment'}", value=f"it {said}; only what served is published",
        next=f"lockgate serve {last}, then run the job again" if waits else f"lockgate deliver --to {last}".removesuffix(" --to "),
    )  # fmt: skip


def _numbered(
    project: Project, manifest: Manifest, versions: Mapping[str, Sequence[str]], taken: Mapping[str, str]
) -> tuple[str, Step | None]:
    """The number that the release has, or the one after the highest, by what changed between the two.

    `taken`: number → the release that the forge says has it, although this one has begun under it.
    """
    digits = manifest.digest.removeprefix("sha256:")
    own = highest(v for v, s in versions.items() if v not in taken and any(x and digits.startswith(x) for x in s))
    if own:
        return own, None
    holders = {v: starts[0] for v, starts in versions.items() if starts} | dict(taken)
    last = highest(holders)
    if last is None:
        return str(FIRST), None
    step = step_between(manifest_of(project, _whole(project, manifest.name, last, holders[last])), manifest)
    return str(parse(last).next(step.part)), step


def _whole(project: Project, name: str, version: str, start: str) -> str:
    """The release that the forge says has a version, by its first digits."""
    start = start.removeprefix("sha256:")
    known = {p.claim.release for p in proposals(read_ledger(project).said)}
    hits = [r for r in known if r.removeprefix("sha256:").startswith(start)]
    if len(hits) != 1:
        raise NotFound(
            f"the ledger knows no release that {name} {version} could be", value=start or "no digits",
            allowed="a package whose version ends in the first digits of its release", next="lockgate releases",
        )  # fmt: skip
    return hits[0]


def _files(
    project: Project, walk: Walk, trust: Trusted, manifest: Manifest, where: Where
) -> tuple[dict[str, Path], dict[str, str]]:
    """Path → file, the manifest first; and what people should open, in words → path."""
    folder = fetch(project, manifest.digest)
    paths = [MANIFEST, "SHA256SUMS", *sorted(f.path for f in manifest.files)]
    files = {path: folder / path for path in paths if (folder / path).is_file()}
    links: dict[str, str] = {}
    for environment in walk.environments:
        page = page_of(project, walk, trust, release=manifest.digest, environment=environment)
        if page:
            # by its content: a page that is made anew does not stand in the place of the one that people signed under
            links[f"evidence for {environment}"] = path = f"evidence-{environment}-{page.sha256[7:15]}.html"
            files[path] = page.path
        card = card_of(project, walk, trust, release=manifest.digest, environment=environment)
        if card:
            links["model card"] = path = f"model-card-{card.sha256[7:15]}.md"
            files[path] = card.path
    links["provenance (SLSA v1, signed)"] = PROVENANCE
    files[PROVENANCE] = provenance_file(project, trust, manifest, origin_of(trust, manifest.digest, where))
    return files, {**links, "manifest": MANIFEST}


def _metrics(project: Project, walk: Walk, trust: Trusted, release: str) -> dict[str, str]:
    """What decided in each gate, and the numbers beside it."""
    found: dict[str, str] = {}
    for gate, (_, result) in sorted(newest_results(walk, trust, release).items()):
        evidence = evidence_behind(project, result.verdict, params={})
        for number in (evidence.statistic, *evidence.also):
            if number.value is not None:
                found.setdefault(f"{gate}.{PLAIN.sub('_', number.name)}", number.value)
    return found


def _params(manifest: Manifest) -> dict[str, str]:
    flat = {
        f"{step}.{name}": json.dumps(v)
        for step, named in manifest.lineage.parameters.items()
        for name, v in named.items()
    }
    return {"as_of": manifest.as_of, "release": manifest.digest, "commit": manifest.lineage.commit, **flat}


def _words(manifest: Manifest, version: str, step: Step | None) -> str:
    because = "".join(f"\n- {words}" for words in step.because) if step else ""
    why = f"\n\nA {step.part} step:{because}" if step else ""
    return (
        f"Release `{manifest.digest}` of {manifest.name}, {version}: made from commit `{manifest.lineage.commit}`, knows what "
        f"happened before {manifest.as_of}.{why}\n\nServers load it by its digest, never by this number."
    )


def _also(said: Proposal, where: Where) -> dict[str, str]:
    job = job_of(said.claim.extra)
    if job is None or not where.address or not job.project:
        return {}
    return {"pipeline": f"{where.address.rstrip('/')}/{job.project}/-/pipelines/{job.pipeline}"}
