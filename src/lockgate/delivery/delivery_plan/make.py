"""`deliver --plan`: everything a delivery will do and ask, from what is stored and signed. Nothing runs, nothing is written."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from lockgate.build.explain import words
from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.delivery_plan.people import approvals_ahead, ways_back
from lockgate.delivery.delivery_plan.users import contract_ahead, predictor_files, users_ahead
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.gate_plan import demand, gate_plans
from lockgate.delivery.refs import live_of
from lockgate.delivery.run import Planned, plan
from lockgate.delivery.saved_plan import made_of
from lockgate.delivery.walk import Walk, walk_now
from lockgate.errors import IntegrityError, NotFound
from lockgate.gates.policy import limits_for
from lockgate.gates.rules import LIMITS, limits_of
from lockgate.records.decisions import GateResult
from lockgate.records.delivery_plan import FORMAT, DeliveryPlan, GateAhead, StepAhead
from lockgate.records.digest import digest, digest_bytes
from lockgate.records.evidence import Estimate
from lockgate.records.plan import Reuse
from lockgate.records.wire import from_json
from lockgate.release.demands import limits

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from lockgate.declare import Stage
    from lockgate.gates.planning import GatePlan
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.evidence import Verdict
    from lockgate.records.plan import PlannedStep
    from lockgate.records.trust import Trusted

__all__ = ["code_of", "delivery_plan"]

UNSAID = Estimate(name="nothing", value=None, why="its number was not signed")
NOTHING_YET = "no evidence yet"
NOT_TIMED = ("bundling", "gates", "answers of environments")
"""What a delivery spends time on beside its steps; no record says how long."""


def delivery_plan(
    project: Project, *, now: dt.datetime, to: str | None = None, params: Mapping[str, Mapping[str, Json]] | None = None
) -> DeliveryPlan:
    """Plan a delivery as far as `to`. Raises what `plan` and `walk_now` raise, and NotFound for an unknown environment."""
    walk = walk_now(project, now=now)
    if to is not None:
        walk.check(to)
    planned = plan(project, walk.delivery.name, now=now, params=params, graph=walk.graph)
    trust, stages = read_ledger(project), _stages(walk, to)
    places = tuple(s.environment for s in stages if isinstance(s, DeployTo))
    live = live_of(walk, trust)
    last = live.get(walk.environments[-1]) if walk.environments else None
    steps = tuple(_step(planned, s) for s in planned.plan.steps)
    contract, unknown = contract_ahead(project, walk, last)
    return DeliveryPlan(
        format=FORMAT, project=project.settings.name, pipeline=walk.delivery.name, to=to, params=dict(params or {}),
        as_of=planned.as_of.isoformat(), policy=walk.digest, people=trust.people.digest,
        live={e: live.get(e, "") for e in walk.environments}, made_of=made_of(planned), code=code_of(project, walk), steps=steps,
        stages=tuple(_line(walk, stage) for stage in stages),
        gates=_gates(project, walk, trust, stages, now=now),
        approvals=approvals_ahead(project, walk, trust, planned, places), contract=contract, contract_unknown=unknown,
        users=users_ahead(project, walk, trust, planned, last), back=ways_back(project, walk, trust, places),
        seconds=_known_seconds(steps), unknown=_unknown(steps),
    )  # fmt: skip


def code_of(project: Project, walk: Walk) -> dict[str, str]:
    """What answers and what judges, by digest: steps are in `made_of`, limits in the policy."""
    judging = {
        f"gate {n}": digest("code", sorted([d["name"], d["digest"]] for d in g["definitions"]))
        for n, g in walk.gates.items()
    }
    return {n: digest_bytes(data) for n, data in predictor_files(project, walk).items()} | judging


def _stages(walk: Walk, to: str | None) -> tuple[Stage, ...]:
    return walk.stages if to is None else (*walk.stages_before(to), DeployTo(to))


def _step(planned: Planned, step: PlannedStep) -> StepAhead:
    action, reason = words(step)
    last = None if isinstance(step.action, Reuse) else planned.known.last(step.node)
    return StepAhead(name=step.node, action=action, reason=reason, seconds=f"{last.seconds:.2f}" if last else None)


def _known_seconds(steps: Iterable[StepAhead]) -> str:
    return f"{sum((Decimal(s.seconds) for s in steps if s.seconds), Decimal(0)):.1f}"


def _unknown(steps: Iterable[StepAhead]) -> tuple[str, ...]:
    """Steps that will or may run and never did here, and what is never timed."""
    new = (s.name for s in steps if s.action in ("run", "maybe") and s.seconds is None)
    return (*new, *NOT_TIMED)


def _gates(
    project: Project, walk: Walk, trust: Trusted, stages: Iterable[Stage], *, now: dt.datetime
) -> tuple[GateAhead, ...]:
    """What each gate can tell, by its last evidence."""
    plans = {p.gate: p for p in gate_plans(project, now=now)}
    verdicts = _last_verdicts(trust)
    gates = [s for s in stages if isinstance(s, Gate)]
    return tuple(
        _gate(project, g, plans[g.name], verdicts.get(g.name), asks=_asks(walk, g, verdicts.get(g.name))) for g in gates
    )


def _asks(walk: Walk, gate: Gate, last: Verdict | None) -> str:
    """The limits of today as a page would say them, when a verdict tells what they are about."""
    if last is None:
        return demand(gate, limits_of(gate.rule, limits_for(walk.policy, gate)))
    return limits(replace(last, threshold={n: str(v) for n, v in _limits(walk, gate).items()}))


def _limits(walk: Walk, gate: Gate) -> Mapping[str, Json]:
    every = {**LIMITS.get(gate.rule, {}), **limits_for(walk.policy, gate)}
    return {name: value for name, value in every.items() if value is not None}


def _gate(project: Project, gate: Gate, found: GatePlan, verdict: Verdict | None, *, asks: str) -> GateAhead:
    resolves = None if found.resolves is None else f"{found.resolves:.3g}"
    known = GateAhead(
        name=gate.name, asks=found.asks if resolves else asks, rests_on=found.basis if verdict else NOTHING_YET, why=found.why, resolves=resolves,
        unit=found.reads if resolves else "",
    )  # fmt: skip
    if verdict is None:
        return known
    number = from_json(Estimate, verdict.extra["statistic"]) if "statistic" in verdict.extra else UNSAID
    return replace(known, n=number.n or None, days=number.blocks or None, groups=_groups(project, verdict))


def _last_verdicts(trust: Trusted) -> dict[str, Verdict]:
    """Gate → what it said last, on whatever release."""
    return {s.claim.verdict.gate: s.claim.verdict for s in trust.said if s.person and isinstance(s.claim, GateResult)}


def _groups(project: Project, verdict: Verdict) -> int | None:
    """How many groups its evidence has; None without any, or when its bytes are gone."""
    try:
        content = json.loads(project.store.get(str(verdict.extra["object"])).read_bytes())
        return len(content["groups"]) or None
    except (KeyError, TypeError, ValueError, NotFound, IntegrityError):
        return None


def _line(walk: Walk, stage: Stage) -> tuple[str, str]:
    match stage:
        case Gate():
            asked = ", ".join(f"{n} {v}" for n, v in _limits(walk, stage).items())
            return f"gate {stage.name}", asked or "must hold exactly"
        case Approval():
            need = walk.policy.need.get(stage.role, 1)
            people = "1 person" if need == 1 else f"{need} people"
            return (
                f"approval {stage.role}",
                f"{people} in this role, valid for {stage.valid_for}; own work {walk.policy.self_approval}",
            )
        case DeployTo():
            rules = walk.policy.environment(stage.environment)
            again = f"; measured again by {rules.remeasured}" if rules.remeasured else ""
            return f"deploy {stage.environment}", ("protected" if rules.protected else "unprotected") + again
