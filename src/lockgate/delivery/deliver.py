"""`deliver`: run what is missing, bundle a release if its digest is new, walk the stages as far as they go."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.approval.break_glass import Hammer, may_break
from lockgate.delivery.approval.missing import check_somebody_is_asked, stopped
from lockgate.delivery.approval.passing import Passing
from lockgate.delivery.claims import check_text, look, propose
from lockgate.delivery.delivered import Delivered, StageRecord
from lockgate.delivery.delivery_plan.agreed import check_agreed, check_live
from lockgate.delivery.deployment import serving_since, wait_for_answer, want
from lockgate.delivery.evidence.page import keep_page
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.check_remeasured import check_remeasured
from lockgate.delivery.judging.judge import NOTHING_JUDGED, Judged, judge
from lockgate.delivery.judging.material import made_in, material_for
from lockgate.delivery.judging.signing import record_verdict, served_for, takes_served
from lockgate.delivery.lineage import check_whole_history, code_files
from lockgate.delivery.propose import bring_forth, check_is_no_validator, may_deliver
from lockgate.delivery.run import plan
from lockgate.delivery.walk import Walk, walk_now
from lockgate.deploy.environments import fold
from lockgate.errors import (
    LockgateError,
    ServiceUnavailable,
    StepFailed,
)
from lockgate.gates.approvals import Standing, standing
from lockgate.gates.binding import Ask, binding, listed
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.run import RunRecord
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.delivery_plan import DeliveryPlan
    from lockgate.records.digest import Json
    from lockgate.records.trust import Trusted

__all__ = ["deliver"]

ANSWER_SECONDS = 30.0
"""How long an environment may take to verify, warm and swap, unless told otherwise."""


def deliver(
    project: Project,
    *,
    clock: Callable[[], dt.datetime],
    to: str | None = None,
    params: Mapping[str, Mapping[str, Json]] | None = None,
    tell: Callable[[Event], None] = lambda _: None,
    say: Callable[[StageRecord], None] = lambda _: None,
    answer_seconds: float = ANSWER_SECONDS,
    hammer: Hammer | None = None,
    agreed: DeliveryPlan | None = None,
    note: str = "",
) -> Delivered:
    """Walk one release up. Everything done stays done: the next `deliver` goes on where this one stopped.

    An environment that is silent for longer than `answer_seconds` ends the walk with ServiceUnavailable. `hammer`: break
    the glass where somebody would have to agree, or a gate failed; it is signed, flagged, and opens a review. `agreed`:
    carry out this plan or nothing; `to` and `params` are then its own. `note`: why the release is made, for who decides about it.

    Raises what `run` failed with; how the walk itself ends stands in the record.
    """
    note = check_text(note)
    now = clock()
    me = may_deliver(project)
    walk = walk_now(project, now=now)
    if walk.wants_validators:
        check_is_no_validator(me)
    to, params = (agreed.to, agreed.params) if agreed else (to, params)
    if to is not None:
        walk.check(to)
    if hammer is not None:
        may_break(project, walk, hammer)
    planned = plan(project, walk.delivery.name, now=now, params=params, graph=walk.graph)
    if agreed:
        check_agreed(project, agreed, walk, planned, read_ledger(project))
    check_whole_history(project.root)
    ran, manifest = bring_forth(project, walk, planned, now=now, tell=tell)
    if agreed:
        check_live(agreed, walk, read_ledger(project), release=manifest.digest)
    propose(project, walk, manifest, me, code_files(walk.training, ran), now=clock(), note=note)
    return _Walking(
        project, walk, ran, manifest.digest, clock, tell, say, answer_seconds, hammer, agreed.digest if agreed else ""
    ).go(to)


@dataclass(slots=True)
class _Walking:
    """One walk: the release, what is known of it, and the stages behind it."""

    project: Project
    walk: Walk
    ran: RunRecord
    release: str
    clock: Callable[[], dt.datetime]
    tell: Callable[[Event], None]
    say: Callable[[StageRecord], None]
    answer_seconds: float
    hammer: Hammer | None
    plan: str  # digest of the delivery plan that is carried out; empty: none
    stages: list[StageRecord] = field(default_factory=list[StageRecord])
    served: Artifact | None = None
    page: str = ""
    judged: Judged = NOTHING_JUDGED
    position: int = 0  # of the stage that is walked now
    failed: list[Gate] = field(default_factory=list[Gate])  # of this stretch, and nothing lets them pass
    passing: Passing = field(init=False)

    def __post_init__(self) -> None:
        self.passing = Passing(self.project, self.walk, self.release, self.clock, self._done, self.hammer)

    def go(self, to: str | None) -> Delivered:
        error: LockgateError | None = None
        try:
            look(self.project, self.release, made_in(self.walk, self.ran).holdout.digest, now=self.clock())
            self.judged = self._judge()
            for position, stage in enumerate(self.walk.stages):
                if not isinstance(stage, Gate):
                    self._stop_where_gates_failed()
                self.position = position
                self._one_more(stage)
                if isinstance(stage, DeployTo) and stage.environment == to:
                    break
            self._stop_where_gates_failed()
        except LockgateError as stopped:
            error = stopped
        return Delivered(
            release=self.release, run=self.ran.run, stages=tuple(self.stages), page=self.page, error=error,
            verdicts=tuple(self.judged.verdicts.values()), evidence=tuple(self.judged.evidence.values()),
        )  # fmt: skip

    def _one_more(self, stage: Gate | Approval | DeployTo) -> None:
        """A silent server behind a gate is no news where another gate has failed: the failure is what stops."""
        try:
            self._one(stage)
        except ServiceUnavailable as error:
            if not self.failed:
                raise
            self.tell(Event("", "note", f"not judged: {error.what}"))
            self._stop_where_gates_failed()

    def _one(self, stage: Gate | Approval | DeployTo) -> None:
        match stage:
            case Gate():
                self._gate(stage)
            case Approval():
                self._approval(stage)
            case DeployTo():
                self._deploy(stage.environment)

    def _gate(self, gate: Gate) -> None:
        if takes_served(self.walk, gate.name) and self.served is None:
            self.served = served_for(self.project, self.walk, gate, self.release, wait_seconds=self.answer_seconds)
            self.judged = self._judge()
        verdict = self.judged.verdicts[gate.name]
        record_verdict(self.project, self.walk, self.release, verdict, self.judged, now=self.clock())
        environment, stopped_already = self._next_environment(), bool(self.failed)
        if verdict.outcome == "fail" and (why := self.passing.over(gate, environment, may_break=not stopped_already)):
            self._done(gate.name, "waived", f"{why}. The gate itself failed: {verdict.reason}")
            return
        self._done(gate.name, verdict.outcome, verdict.reason)
        if verdict.outcome == "fail":
            self.failed.append(gate)

    def _stop_where_gates_failed(self) -> None:
        """All gates of a stretch are judged before it ends: who mends or waives one should know of the others."""
        if not self.failed:
            return
        self._keep_page(read_ledger(self.project), self._next_environment())
        first, names = self.failed[0], [g.name for g in self.failed]
        what = f"gate {names[0]} failed" if len(names) == 1 else f"gates {listed(names)} failed"
        said = self.judged.verdicts[first.name].reason
        reason = textwrap.shorten(said, max(40, 98 - len(what)), placeholder=" …")  # the stage has said all of it
        raise StepFailed(what, value=reason, next=f"lockgate evidence {short(self.release)}{self.passing.how(first)}")

    def _approval(self, approval: Approval) -> None:
        environment = self._next_environment()
        ask, stands = self._standing(environment)
        if not stands.granted and not stands.rejected_by and self.passing.break_for(environment):
            ask, stands = self._standing(environment)
        if stands.granted and not stands.agreed:
            self._done(f"approval {approval.role}", "skipped", f"{stands.glass} broke the glass")
            return
        if stands.granted:
            self._done(f"approval {approval.role}", "pass", stands.words(approval.role))
            return
        self._done(f"approval {approval.role}", "refused" if stands.rejected_by else "waiting", stands.missing)
        raise stopped(self.walk, self.release, ask, stands)

    def _deploy(self, environment: str) -> None:
        ask, stands = self._standing(environment)
        nobody = bool(ask.uncertain) and not ask.roles and self.walk.policy.environment(environment).protected
        if not (nobody and not stands.glass and self.passing.break_for(environment)):
            check_somebody_is_asked(self.walk, ask, stands)
        stage = f"deploy {environment}"
        self.passing.check(environment, self.judged.verdicts)
        check_remeasured(self.walk, read_ledger(self.project), self.release, environment)
        wanted = want(
            self.project, self.walk, self.release, environment, standing=lambda t: self._stands(t, environment),
            now=self.clock(), plan=self.plan,
        )  # fmt: skip
        if wanted is None:
            since = serving_since(self.walk, read_ledger(self.project), self.release, environment)
            self._done(
                stage, "healthy", f"serving {short(self.release)}" + (f" since {since:%F %T} UTC" if since else "")
            )
            return
        self.tell(Event("", "note", f"waiting for {environment} to answer, at most {self.answer_seconds:.0f} s"))
        try:
            wait_for_answer(self.project, self.walk, environment, wanted, seconds=self.answer_seconds)
        except LockgateError as error:
            self._done(stage, "silent" if isinstance(error, ServiceUnavailable) else "refused", str(error.value))
            raise
        self._done(stage, "healthy", f"serving {short(self.release)}")

    def _standing(self, environment: str) -> tuple[Ask, Standing]:
        """Who is asked before an environment, and who has answered; the page they are asked with is made first."""
        trust = read_ledger(self.project)
        ask = self._ask_of(trust, environment)
        if ask.roles:
            self._keep_page(trust, environment)
        return ask, self._stands(trust, environment)

    def _stands(self, trust: Trusted, environment: str) -> Standing:
        page = self.page if self._ask_of(trust, environment).roles else ""
        current = binding(
            trust, release=self.release, environment=environment, policy=self.walk.digest, page=page, plan=self.plan
        )
        return standing(trust, current, ask=self._ask_of(trust, environment), now=self.clock())

    def _ask_of(self, trust: Trusted, environment: str) -> Ask:
        return self.walk.ask(trust, self.release, environment)

    def _keep_page(self, trust: Trusted, environment: str) -> None:
        """The page for everybody who decides before an environment; kept for a release that failed, too."""
        before = fold(trust, approved_only=self.walk.approved_only).of(environment).opponent(self.release)
        ask = self._ask_of(trust, environment)
        self.page = keep_page(
            self.project,
            self.walk,
            trust,
            self.judged,
            release=self.release,
            live=before,
            environment=environment,
            ask=ask,
            trace=self.ran.planned.graph.trace,
            now=self.clock(),
            tell=self.tell,
        )

    def _next_environment(self) -> str:
        """The environment that the stages from here on lead to."""
        after = self.walk.stages[self.position :]
        return next((s.environment for s in after if isinstance(s, DeployTo)), self.walk.environments[-1])

    def _judge(self) -> Judged:
        made = made_in(self.walk, self.ran)
        material = material_for(
            self.project, self.walk, read_ledger(self.project), self.release, made, served=self.served
        )
        return judge(self.project, self.walk, material, trace=self.ran.planned.graph.trace, tell=self.tell)

    def _done(self, stage: str, outcome: str, text: str) -> None:
        done = StageRecord(stage, outcome, text)
        self.stages.append(done)
        self.say(done)
