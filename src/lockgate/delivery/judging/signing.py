"""Around one gate: asking the deployed release for it, and signing what it said. The same for `deliver` and `gate judge`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lockgate.declare import DeployTo, Gate
from lockgate.delivery.audit.for_later import keep_evidence
from lockgate.delivery.claims import record
from lockgate.delivery.judging.judge import ANSWERS
from lockgate.delivery.judging.served_requests import ask_environment
from lockgate.delivery.put import keep_value
from lockgate.errors import StepFailed
from lockgate.gates.served import Served

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.judging.judge import Judged
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.evidence import Verdict

__all__ = ["accepted_before", "leads_to", "record_verdict", "served_for", "takes_served"]


def takes_served(walk: Walk, gate: str) -> bool:
    """Whether a gate asks what the deployed release answers over HTTP."""
    return "served" in walk.gates[gate]["takes"]


def record_verdict(
    project: Project, walk: Walk, release: str, verdict: Verdict, judged: Judged, *, change: str = "", now: dt.datetime
) -> None:
    """Sign what a gate said, with the digests of what it was measured on, unless exactly this stands there already."""
    named = (*ANSWERS, "@holdout", *(("@served",) if takes_served(walk, verdict.gate) else ()))
    inputs = {n: judged.artifacts[n].digest for n in named if n in judged.artifacts}
    artifact = judged.artifacts.get(f"gate.{verdict.gate}")
    sha256 = keep_evidence(project, artifact) if artifact else ""
    record(project, walk, release, verdict, inputs, evidence_sha256=sha256, change=change, now=now)


def served_for(project: Project, walk: Walk, gate: Gate, release: str, *, wait_seconds: float) -> Artifact:
    """What the environment that was entered last before a gate answers: holdout rows and consumers' requests, over HTTP."""
    before = walk.stages[: walk.stages.index(gate)]
    environment = next((s.environment for s in reversed(before) if isinstance(s, DeployTo)), None)
    if environment is None:
        raise StepFailed(
            f"gate {gate.name} needs a deployment before it", value=gate.name, allowed='deploy_to("staging") earlier'
        )
    consumers = cast("str | None", gate.params.get("consumers"))
    found = ask_environment(project, environment, release, consumers=consumers, wait_seconds=wait_seconds)
    return keep_value(project, found, Served)


def leads_to(walk: Walk, gate: Gate) -> str:
    """The environment behind a gate; behind the last deployment: that one."""
    after = walk.stages[walk.stages.index(gate) :]
    return next((s.environment for s in after if isinstance(s, DeployTo)), walk.environments[-1])


def accepted_before(walk: Walk, gate: Gate) -> str:
    """The environment before which people accept this gate's uncertain result by name; empty: nobody is asked in time.

    A protected environment without an approval ends the way: nothing uncertain enters it.
    """
    after = walk.stages[walk.stages.index(gate) :]
    for name in (s.environment for s in after if isinstance(s, DeployTo)):
        if name in walk.approved_only:
            return name
        if walk.policy.environment(name).protected:
            return ""
    return ""
