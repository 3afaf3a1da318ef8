"""What a delivery changes for those who call it: the request and response against the live release, and the answers."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.delivery.comparison.difference import compared_already
from lockgate.delivery.comparison.mixing import in_one_line
from lockgate.delivery.releases import manifest_of
from lockgate.errors import LockgateError, NotFound
from lockgate.gates.promises import schema_changes
from lockgate.gates.rules.sentences import percent
from lockgate.records.delivery_plan import FieldChange, UsersAhead
from lockgate.records.digest import digest_bytes, short
from lockgate.records.plan import Reuse
from lockgate.records.proposals import proposals
from lockgate.records.wire import to_json
from lockgate.release.client import describe_code
from lockgate.release.layout import CODE
from lockgate.release.wording import count, decimal_of, harm_in_words, number

if TYPE_CHECKING:
    from lockgate.delivery.run import Planned
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.movement import Movement
    from lockgate.records.release import Manifest, PredictorSpec
    from lockgate.records.trust import Trusted

LOOKED_AT = 50
"""Releases, newest first, among which the one that a plan would make again is looked for."""

NOT_BUILT = "not known yet: answers are compared once the release is built"
NOT_COMPARED = "not known yet: the release is built, its answers were not compared"

__all__ = ["contract_ahead", "movement_in_words", "predictor_files", "users_ahead"]


def contract_ahead(project: Project, walk: Walk, live: str | None) -> tuple[tuple[FieldChange, ...] | None, str]:
    """Changes of request and response against the live release; None and why, where they cannot be told.

    Code that is the live release's is not looked at again; other code is described in a process of its own, as a release's is.
    """
    if live is None:
        return None, "nothing is live, so nobody's program is bound to it yet"
    try:
        before = manifest_of(project, live)
        after = before.predictor if _same_code(project, walk, before) else _described(project, walk)
    except LockgateError as error:
        return None, in_one_line(error)
    found = schema_changes(to_json(before.predictor), to_json(after))
    return tuple(FieldChange(where=c.where, what=c.what, effect=c.effect) for c in found), ""


def predictor_files(project: Project, walk: Walk) -> dict[str, bytes]:
    """The files that a release would answer with."""
    names: list[str] = (walk.training.predictor or {}).get("files", [])
    return {n: (project.root / n).read_bytes() for n in names if (project.root / n).is_file()}


def _same_code(project: Project, walk: Walk, live: Manifest) -> bool:
    now = {f"{CODE}/{n}": digest_bytes(data) for n, data in predictor_files(project, walk).items()}
    then = {f.path: f.blake3 for f in live.files}
    return {p: then[p] for p in live.code if p in then} == now


def _described(project: Project, walk: Walk) -> PredictorSpec:
    predictor = walk.training.predictor or {}
    if not predictor:
        raise NotFound("the pipeline has no predictor", value=walk.training.name)
    module = str(predictor["target"]).partition(":")[0]
    with tempfile.TemporaryDirectory() as folder:
        for name, data in predictor_files(project, walk).items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(data)
        return describe_code(Path(folder), f"{module}:{predictor['variable']}")


def users_ahead(project: Project, walk: Walk, trust: Trusted, planned: Planned, live: str | None) -> UsersAhead:
    """What `diff` found about the release that this would be, if it is built and was compared; else the command."""
    last = walk.environments[-1] if walk.environments else "production"
    if live is None:
        return UsersAhead(says=(f"nothing is live in {last}: these are the first answers",))
    release = _already_built(project, trust, planned)
    if release == live:
        return UsersAhead(says=(f"nothing: {short(live)} is live in {last} already",))
    if release is None:
        first = f"lockgate deliver --to {walk.environments[0]}" if walk.environments else "lockgate deliver"
        return UsersAhead(says=(NOT_BUILT,), next=f"{first}, then lockgate diff {last} latest")
    movement = compared_already(project, walk, live, release)
    ask = f"lockgate diff {last} {short(release)}"
    return (
        UsersAhead(says=movement_in_words(movement), next=ask)
        if movement
        else UsersAhead(says=(NOT_COMPARED,), next=ask)
    )


def _already_built(project: Project, trust: Trusted, planned: Planned) -> str | None:
    """The newest proposed release that is made of exactly what this plan would reuse; None when something would run."""
    steps = {s.node: s.action.artifact.digest for s in planned.plan.steps if isinstance(s.action, Reuse)}
    if len(steps) < len(planned.plan.steps):
        return None
    newest = (p.claim.release for p in proposals(reversed(trust.said)))
    for release in islice(newest, LOOKED_AT):
        try:
            manifest = manifest_of(project, release)
        except LockgateError:
            continue
        made = {n: str(s["artifact"]) for n, s in manifest.lineage.steps.items()}
        if made == steps and manifest.as_of == planned.as_of.isoformat():
            return release
    return None


def movement_in_words(moved: Movement) -> tuple[str, ...]:
    """How many answers move and how far, and the metric, as people say it."""
    changed = moved.rows - moved.same
    shares = {limit: decimal_of(share) for limit, share in moved.overall.shares.items()}
    far = shares.get("0.1")
    reach = f"; {percent(far)} by more than 10%" if far is not None else ""
    lines = [f"{changed:,} of {count(moved.rows, 'answer')} change{reach}"]
    before, after = (number(e.value, e.unit) for e in (moved.before, moved.after))
    harm = harm_in_words(moved.relative, str(moved.metric.get("better", "lower")))
    says = f": {harm}" if harm else ""
    lines.append(f"{moved.metric.get('words', 'metric')} {before} → {after} on the same requests{says}")
    return tuple(lines)
