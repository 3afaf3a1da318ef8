"""What a release is judged on: its holdout, and the rows it was trained on; noted when it is proposed, for whoever judges it.

Jobs that judge one gate each run in clones of their own, perhaps after the sources moved on. They judge on what the
release was made with, found by its name, and plan nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.delivery.judging.history import history_of
from lockgate.delivery.judging.inspecting import card_of, kept_contracts, manifest_kept
from lockgate.delivery.judging.judge import Material
from lockgate.delivery.put import keep_value
from lockgate.delivery.releases import manifest_of
from lockgate.deploy.environments import fold
from lockgate.errors import IntegrityError, NotFound, UsageError
from lockgate.gates.history import History
from lockgate.records.artifact import Artifact
from lockgate.records.digest import short
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.delivery.run import RunRecord
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.graph import PipelineInfo
    from lockgate.records.release import Manifest
    from lockgate.records.trust import Trusted

__all__ = ["JudgedOn", "judged_on", "keep_judged_on", "made_in", "material_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOn:
    """Step results that a release is judged on. `trained`, `training_table`: None where the pipeline names none."""

    holdout: Artifact
    trained: Artifact | None = None
    training_table: Artifact | None = None


def made_in(walk: Walk, ran: RunRecord) -> JudgedOn:
    """What a run made for it."""
    named = _steps(walk.training)
    return JudgedOn(
        holdout=ran.artifacts[named["holdout"]],
        **{role: ran.artifacts.get(step) for role, step in named.items() if role != "holdout"},
    )


def keep_judged_on(project: Project, release: str, on: JudgedOn) -> None:
    """Note it under the release's name; again only when an object of it was lost and made again."""
    kept, noted = project.results("material"), to_json(on)
    known = kept.get(release)
    if known is None or (known != noted and not all(project.store.has(a["object"]) for a in known.values() if a)):
        kept.put(release, noted)


def judged_on(project: Project, walk: Walk, release: str) -> JudgedOn:
    """What was noted, held against the release's own lineage.

    Raises NotFound when nobody noted it or it was collected, UsageError when this working copy declares other steps, and
    IntegrityError when it is not what the release was made with.
    """
    record = project.results("material").get(release)
    manifest = manifest_of(project, release)
    if record is None:
        raise NotFound(
            "what this release is judged on is no longer in the store", value=short(release),
            next=f"lockgate propose   (at commit {manifest.lineage.commit[:8] or 'of the release'})",
        )  # fmt: skip
    on = from_json(JudgedOn, dict(record))
    _check(walk.training, manifest, {r: getattr(on, r) for r in ("holdout", "trained", "training_table")})
    return on


def _check(training: PipelineInfo, manifest: Manifest, found: Mapping[str, Artifact | None]) -> None:
    named = _steps(training)
    for role, artifact in found.items():
        step = named.get(role, "")
        if bool(step) != (artifact is not None) or (step and step not in manifest.lineage.steps):
            raise UsageError(
                "this working copy does not declare the pipeline that made the release", value=f"{role}: {step or 'none'}",
                next=f"git checkout {manifest.lineage.commit[:12]}, or lockgate propose",
            )  # fmt: skip
        if artifact and artifact.digest != (recorded := str(manifest.lineage.steps[step]["artifact"])):
            raise IntegrityError(
                f"the {role} noted for release {short(manifest.digest)} is not what it was made with",
                value=artifact.digest, allowed=recorded, next="lockgate store check",
            )  # fmt: skip


def _steps(training: PipelineInfo) -> dict[str, str]:
    """Role → step that plays it, as far as the pipeline names one."""
    found = {
        "holdout": training.holdout, "trained": training.trained_rows, "training_table": training.training_table,
    }  # fmt: skip
    return {role: step for role, step in found.items() if step}


def material_for(
    project: Project, walk: Walk, trust: Trusted, release: str, on: JudgedOn, *, served: Artifact | None = None
) -> Material:
    """Everything that gates may ask for about a release as the ledger stands. `served`: what it answered over HTTP."""
    last = walk.environments[-1] if walk.environments else ""
    live = fold(trust, approved_only=walk.approved_only).of(last).opponent(release)
    return Material(
        release=release, live=live, holdout=on.holdout, trained=on.trained, training_table=on.training_table,
        manifest=keep_value(project, to_json(manifest_of(project, release)), dict), served=served,
        live_manifest=manifest_kept(project, live), card=card_of(project), contracts=kept_contracts(project, walk),
        history=_history(project, walk, trust, release),
    )  # fmt: skip


def _history(project: Project, walk: Walk, trust: Trusted, release: str) -> Artifact | None:
    """What approved releases measured, if a gate asks for it."""
    if not any("history" in gate["takes"] for gate in walk.gates.values()):
        return None
    revokers = walk.policy.exceptions.revokers
    found = history_of(trust, release=release, approved_only=walk.approved_only, revokers=revokers)
    return keep_value(project, found, History)
