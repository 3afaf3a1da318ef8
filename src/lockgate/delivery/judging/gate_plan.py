"""`gate plan`: how likely each declared gate passes, stays uncertain or fails on a holdout like the last one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lockgate.declare import Gate
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.judge import evidence_behind
from lockgate.delivery.walk import walk_now
from lockgate.errors import NotFound, did_you_mean
from lockgate.gates.planning import GatePlan, of_evidence
from lockgate.gates.policy import limits_for
from lockgate.gates.rules import limits_of
from lockgate.records.decisions import GateResult
from lockgate.records.evidence import Verdict
from lockgate.release.demands import limits as demanded

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project

__all__ = ["demand", "gate_plans"]

KINDS = {"better": "beats_baseline", "not_worse": "champion", "represented": "representation"}
"""Rule → the kind of the evidence that it judges, where this is not called as the function that measures it."""


def gate_plans(
    project: Project, *, now: dt.datetime, gate: str | None = None, metric: str | None = None
) -> tuple[GatePlan, ...]:
    """A plan per declared gate, in the declared order.

    Raises NotFound when no gate is called `gate` or judges by `metric`.
    """
    walk = walk_now(project, now=now)
    gates = [s for s in walk.stages if isinstance(s, Gate)]
    metrics = {str(m) for g in gates if (m := g.params.get("metric"))}
    chosen = [g for g in gates if gate in (None, g.name) and metric in (None, g.params.get("metric"))]
    if not chosen:
        known = [g.name for g in gates] if gate is not None else sorted(metrics)
        what = "no gate has this name" if gate is not None else "no gate judges by this metric"
        raise NotFound(what, value=gate or metric or "", allowed=did_you_mean(gate or metric or "", known))
    last = _last_verdicts(project)
    return tuple(_plan(project, walk, g, last.get(g.name)) for g in chosen)


def _last_verdicts(project: Project) -> Mapping[str, Verdict]:
    """Gate → what it said last, on whatever release."""
    said = read_ledger(project).said
    return {s.claim.verdict.gate: s.claim.verdict for s in said if s.person and isinstance(s.claim, GateResult)}


def _plan(project: Project, walk: Walk, gate: Gate, verdict: Verdict | None) -> GatePlan:
    limits = limits_of(gate.rule, limits_for(walk.policy, gate))
    if verdict is None:
        return GatePlan(gate=gate.name, asks=demand(gate, limits), basis="nothing", why="no evidence yet")
    return of_evidence(gate.name, gate.rule, limits, evidence_behind(project, verdict, params=gate.params))


def demand(gate: Gate, limits: Mapping[str, Decimal]) -> str:
    """The limits as a page would say them, of a gate that never said anything."""
    measured = gate.evidence if isinstance(gate.evidence, str) else gate.evidence.__name__
    kind = KINDS.get(gate.rule) or measured.rpartition(":")[2]
    threshold = {name: f"{value:f}" for name, value in limits.items()}
    return demanded(Verdict(gate=gate.name, kind=kind, outcome="uncertain", reason="", threshold=threshold))
