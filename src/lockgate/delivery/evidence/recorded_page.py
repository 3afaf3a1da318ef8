"""The evidence page of results that were recorded one by one. No gate is measured for it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.declare import Gate
from lockgate.delivery.evidence.page import keep_page
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.judge import Judged, evidence_behind, judge
from lockgate.delivery.judging.material import material_for
from lockgate.delivery.lineage import check_whole_history
from lockgate.deploy.environments import fold
from lockgate.gates.binding import results

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.judging.material import JudgedOn
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.trust import Trusted

__all__ = ["keep_recorded_page"]


def keep_recorded_page(
    project: Project, walk: Walk, release: str, environment: str, on: JudgedOn, *, now: dt.datetime,
    tell: Callable[[Event], None] = lambda _: None,
) -> str:  # fmt: skip
    """Make and sign the page for who decides before an environment, unless it is kept already; its sha256."""
    check_whole_history(project.root)  # the page says who edited the policy
    trust = read_ledger(project)
    material = material_for(project, walk, trust, release, on)
    answers = judge(project, walk, material, trace=walk.graph.trace, tell=tell, only=())
    return keep_page(
        project, walk, trust, _as_recorded(project, walk, trust, release, answers), release=release,
        live=fold(trust, approved_only=walk.approved_only).of(environment).opponent(release), environment=environment,
        ask=walk.ask(trust, release, environment), trace=walk.graph.trace, now=now, tell=tell,
    )  # fmt: skip


def _as_recorded(project: Project, walk: Walk, trust: Trusted, release: str, answers: Judged) -> Judged:
    """The releases' answers with what the gates said of them, as it is signed, in the declared order."""
    said = results(trust.said, release=release, policy=walk.digest)
    gates = [s for s in walk.stages if isinstance(s, Gate) and s.name in said]
    verdicts = {g.name: said[g.name].verdict for g in gates}
    evidence = {g.name: evidence_behind(project, verdicts[g.name], params=g.params) for g in gates}
    return replace(answers, verdicts=verdicts, evidence=evidence)
