"""`gate judge`: one gate on one release, wherever store and ledger are reached. Its result is the one that `deliver` would sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.declare import Gate
from lockgate.delivery.approval.passing import Passing
from lockgate.delivery.audit.for_later import keep_policy
from lockgate.delivery.chosen import chosen
from lockgate.delivery.claims import look
from lockgate.delivery.evidence.recorded_page import keep_recorded_page
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.judge import judge
from lockgate.delivery.judging.material import judged_on, material_for
from lockgate.delivery.judging.signing import accepted_before, leads_to, record_verdict, served_for, takes_served
from lockgate.delivery.judging.values_checked import check_values
from lockgate.delivery.propose import may_deliver
from lockgate.delivery.walk import walk_now
from lockgate.errors import LockgateError, NotFound, StepFailed, WaitingForHuman, did_you_mean
from lockgate.gates.binding import results
from lockgate.records.digest import short
from lockgate.records.people import VALIDATOR

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.evidence import Evidence, Verdict
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.trust import Trusted

__all__ = ["JudgedGate", "judge_gate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedGate:
    """What one gate said. `waived`: in words what lets its failure pass; `error`: why a pipeline stops here, or None."""

    release: str
    verdict: Verdict
    evidence: Evidence
    waived: str = ""
    error: LockgateError | None = None


def judge_gate(
    project: Project, name: str, ref: str | None = None, *, clock: Callable[[], dt.datetime], wait_seconds: float,
    job: ForgeJob | None = None, tell: Callable[[Event], None] = lambda _: None,
) -> JudgedGate:  # fmt: skip
    """Measure one gate, sign its result, and keep a page if a gate failed: people waive and mend by what it shows.

    Args:
        ref: a release; None: the pipeline's, or outside of one the newest.
        wait_seconds: how long a server may take to answer, for a gate that asks one.

    A validator's key measures everything anew, whatever the store has, and says so also where it comes out the same (ADR 38).

    Raises NotFound for an unknown gate or release; ServiceUnavailable when a server that it asks is silent.
    """
    now = clock()
    validates = VALIDATOR in may_deliver(project).roles
    walk, trust = walk_now(project, now=now, own=validates), read_ledger(project)
    anew = validates and walk.wants_validators
    gate = _named(walk, name)
    release = chosen(walk, trust, ref, job).release
    on = judged_on(project, walk, release)
    if anew:
        check_values(project, on)
    keep_policy(project, walk)
    look(project, release, on.holdout.digest, now=clock())
    served = served_for(project, walk, gate, release, wait_seconds=wait_seconds) if takes_served(walk, name) else None
    material = material_for(project, walk, read_ledger(project), release, on, served=served)
    judged = judge(project, walk, material, trace=walk.graph.trace, tell=tell, only=(name,), anew=anew)
    verdict = judged.verdicts[name]
    record_verdict(project, walk, release, verdict, judged, change=job.change if job else "", now=clock())
    passing = Passing(project, walk, release, clock, _tell_nobody)
    waived = passing.over(gate, leads_to(walk, gate)) if verdict.outcome == "fail" else ""
    if _failed_before(walk, read_ledger(project), release, leads_to(walk, gate)):
        keep_recorded_page(project, walk, release, leads_to(walk, gate), on, now=clock(), tell=tell)
    error = None if waived else _error(walk, gate, release, verdict, passing)
    return JudgedGate(release=release, verdict=verdict, evidence=judged.evidence[name], waived=waived, error=error)


def _named(walk: Walk, name: str) -> Gate:
    gates = {s.name: s for s in walk.stages if isinstance(s, Gate)}
    if name not in gates:
        raise NotFound(
            "no such gate in the delivery pipeline",
            value=name,
            allowed=did_you_mean(name, gates),
            next="lockgate gate plan",
        )
    return gates[name]


def _failed_before(walk: Walk, trust: Trusted, release: str, environment: str) -> bool:
    """Whether a gate on the way failed. Each result that follows makes another page, so the last one shows them all."""
    gates = {s.name for s in walk.stages_before(environment) if isinstance(s, Gate)}
    said = results(trust.said, release=release, policy=walk.digest)
    return any(r.verdict.outcome == "fail" for g, r in said.items() if g in gates)


def _error(walk: Walk, gate: Gate, release: str, verdict: Verdict, passing: Passing) -> LockgateError | None:
    """A failed gate stops; an uncertain one waits for a person who accepts it."""
    if verdict.outcome == "fail":
        return StepFailed(
            f"gate {gate.name} failed",
            value=verdict.reason,
            next=f"lockgate evidence {short(release)}{passing.how(gate)}",
        )
    if verdict.outcome == "uncertain":
        asked = accepted_before(walk, gate)
        return WaitingForHuman(
            f"gate {gate.name} is uncertain", value=verdict.reason, allowed=verdict.settles,
            next=f"lockgate approvals {asked}   (who signs accepts it by name)" if asked
            else f"lockgate gate plan {gate.name}   (how many rows would decide it: nobody is asked to accept it)",
        )  # fmt: skip
    return None


def _tell_nobody(stage: str, outcome: str, text: str) -> None:
    """No glass is broken here."""
