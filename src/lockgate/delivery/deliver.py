"""`deliver`: run what is missing, bundle a release if its digest is new, walk the stages as far as they go."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from lockgate.build.execute import Event
from lockgate.declare import Approval, DeployTo, Gate
from lockgate.delivery.ask import ask_environment
from lockgate.delivery.audit.kept import keep_evidence, keep_policy
from lockgate.delivery.claims import look, propose, record
from lockgate.delivery.delivered import Delivered, StageRecord
from lockgate.delivery.delivery_plan.agreed import check_agreed, check_live
from lockgate.delivery.deployment import serving_since, wait_for_answer, want
from lockgate.delivery.evidence.page import keep_page
from lockgate.delivery.glass import Hammer, may_break
from lockgate.delivery.history import history_of
from lockgate.delivery.identity import read_ledger, who
from lockgate.delivery.inspecting import card_of, kept_contracts, manifest_kept
from lockgate.delivery.judge import NOTHING_JUDGED, Judged, Material, judge
from lockgate.delivery.keep import keep_value
from lockgate.delivery.lineage import code_files
from lockgate.delivery.passing import Passing
from lockgate.delivery.releases import build_release, manifest_of
from lockgate.delivery.run import plan, run
from lockgate.delivery.walk import Walk, walk_now
from lockgate.deploy.environments import fold
from lockgate.errors import (
    LockgateError,
    PermissionRefused,
    ServiceUnavailable,
    StepFailed,
    WaitingForHuman,
)
from lockgate.gates.approvals import Standing, standing
from lockgate.gates.binding import Ask, binding
from lockgate.gates.history import History
from lockgate.gates.served import Served
from lockgate.records.digest import short
from lockgate.records.evidence import Verdict
from lockgate.records.people import DELIVERER
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.run import RunRecord
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.delivery_plan import DeliveryPlan
    from lockgate.records.digest import Json
    from lockgate.records.trust import Trusted

__all__ = ["deliver"]

POLL_SECONDS = 0.2
GATE_INPUTS = ("scored", "champion", "replayed", "@holdout", "@served")
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
) -> Delivered:
    """Walk one release up. Everything done stays done: the next `deliver` goes on where this one stopped.

    An environment that is silent for longer than `answer_seconds` ends the walk with ServiceUnavailable. `hammer`: break
    the glass where somebody would have to agree, or a gate failed; it is signed, flagged, and opens a review. `agreed`:
    carry out this plan or nothing; `to` and `params` are then its own.

    Raises what `run` failed with; how the walk itself ends stands in the record.
    """
    now = clock()
    me = who(project, read_ledger(project))
    if DELIVERER not in me.roles:
        held = ", ".join(me.roles) or "no role"
        raise PermissionRefused(f"{me.name} may not deliver", value=held, allowed=DELIVERER, next="lockgate people")
    walk = walk_now(project, now=now)
    to, params = (agreed.to, agreed.params) if agreed else (to, params)
    if to is not None:
        walk.check(to)
    if hammer is not None:
        may_break(project, walk, hammer)
    planned = plan(project, walk.delivery.name, now=now, params=params, graph=walk.graph)
    if agreed:
        check_agreed(project, agreed, walk, planned, read_ledger(project))
    ran = run(project, walk.delivery.name, now=now, tell=tell, agreed=planned)
    if ran.error is not None:
        raise ran.error
    manifest = build_release(project, walk.training, ran)
    keep_policy(project, walk)
    if agreed:
        check_live(agreed, walk, read_ledger(project), release=manifest.digest)
    propose(project, walk, manifest, me, code_files(walk.training, ran), now=clock())
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
    passing: Passing = field(init=False)

    def __post_init__(self) -> None:
        self.passing = Passing(self.project, self.walk, self.release, self.clock, self._done, self.hammer)

    def go(self, to: str | None) -> Delivered:
        error: LockgateError | None = None
        try:
            look(self.project, self.release, self._holdout().digest, now=self.clock())
            self.judged = self._judge()
            for position, stage in enumerate(self.walk.stages):
                self.position = position
                self._one(stage)
                if isinstance(stage, DeployTo) and stage.environment == to:
                    break
        except LockgateError as stopped:
            error = stopped
        return Delivered(
            release=self.release, run=self.ran.run, stages=tuple(self.stages), page=self.page, error=error,
            verdicts=tuple(self.judged.verdicts.values()), evidence=tuple(self.judged.evidence.values()),
        )  # fmt: skip

    def _one(self, stage: Gate | Approval | DeployTo) -> None:
        match stage:
            case Gate():
                self._gate(stage)
            case Approval():
                self._approval(stage)
            case DeployTo():
                self._deploy(stage.environment)

    def _gate(self, gate: Gate) -> None:
        if "served" in self.walk.gates[gate.name]["takes"] and self.served is None:
            self.served = self._ask(gate)
            self.judged = self._judge()
        verdict = self.judged.verdicts[gate.name]
        self._record(verdict)
        if verdict.outcome == "fail" and (why := self.passing.over(gate, self._next_environment())):
            self._done(gate.name, "waived", f"{why}. The gate itself failed: {verdict.reason}")
            return
        self._done(gate.name, verdict.outcome, verdict.reason)
        if verdict.outcome == "fail":
            self._keep_page(read_ledger(self.project), self._next_environment())
            what = f"gate {gate.name} failed"
            reason = textwrap.shorten(verdict.reason, 98 - len(what), placeholder=" …")  # the stage has said all of it
            raise StepFailed(
                what, value=reason, next=f"lockgate evidence {short(self.release)}{self.passing.how(gate)}"
            )

    def _approval(self, approval: Approval) -> None:
        environment = self._next_environment()
        ask, stands = self._standing(environment)
        if not stands.granted and not stands.rejected_by and self.passing.break_for(environment):
            ask, stands = self._standing(environment)
        if stands.granted and not stands.agreed:
            self._done(f"approval {approval.role}", "skipped", f"{stands.glass} broke the glass")
            return
        if stands.granted:
            names = ", ".join(p for r in stands.roles for p in r.people)
            self._done(
                f"approval {approval.role}",
                "pass",
                f"signed by {names}" + ("" if stands.four_eyes else " (own work, flagged)"),
            )
            return
        accept = "".join(f" --accept {g}" for g in ask.uncertain)
        asked = next((r.role for r in stands.roles if len(r.people) < r.need), approval.role)  # others may have signed
        self._done(f"approval {approval.role}", "refused" if stands.rejected_by else "waiting", stands.missing)
        if stands.rejected_by:
            raise StepFailed(
                "a person rejected this release", value=stands.missing, next="lockgate releases --rejected"
            )
        raise WaitingForHuman(
            f"release {short(self.release)} waits for a person before {environment}",
            value=stands.missing,
            next=f"lockgate evidence {short(self.release)}\n           "
            f'lockgate approve {short(self.release)} --role {asked} --reason "…"{accept}{self._where(approval, environment)}',
        )

    def _where(self, approval: Approval, environment: str) -> str:
        """The environment must be said when a role is asked before more than one."""
        return f" --env {environment}" if self.walk.stages.count(approval) > 1 else ""

    def _deploy(self, environment: str) -> None:
        rules = self.walk.policy.environment(environment)
        ask, stands = self._standing(environment)
        nobody = bool(ask.uncertain) and not ask.roles and rules.protected
        if nobody and not stands.glass and not self.passing.break_for(environment):
            raise WaitingForHuman(
                f"{environment} is protected and nobody is asked before it", value="uncertain: " + ", ".join(ask.uncertain),
                allowed="an approval stage before it, or `protected = false` in policy.toml",
            )  # fmt: skip
        stage = f"deploy {environment}"
        self.passing.check(environment, self.judged.verdicts)
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

    def _holdout(self) -> Artifact:
        return self.ran.artifacts[self.walk.training.holdout or ""]

    def _judge(self) -> Judged:
        trust = read_ledger(self.project)
        last = self.walk.environments[-1] if self.walk.environments else ""
        live = fold(trust, approved_only=self.walk.approved_only).of(last).opponent(self.release)
        material = Material(
            release=self.release,
            live=live,
            holdout=self._holdout(),
            trained=self.ran.artifacts.get(self.walk.training.trained_rows or ""),
            manifest=keep_value(self.project, to_json(manifest_of(self.project, self.release)), dict),
            served=self.served,
            live_manifest=manifest_kept(self.project, live),
            card=card_of(self.project),
            training_table=self.ran.artifacts.get(self.walk.training.training_table or ""),
            contracts=kept_contracts(self.project, self.walk),
            history=self._history(trust),
        )
        return judge(self.project, self.walk, material, trace=self.ran.planned.graph.trace, tell=self.tell)

    def _history(self, trust: Trusted) -> Artifact | None:
        """What approved releases measured, if a gate asks for it."""
        if not any("history" in gate["takes"] for gate in self.walk.gates.values()):
            return None
        return keep_value(self.project, history_of(trust, release=self.release), History)

    def _record(self, verdict: Verdict) -> None:
        inputs = {n: a.digest for n, a in self.judged.artifacts.items() if n in GATE_INPUTS}
        artifact = self.judged.artifacts.get(f"gate.{verdict.gate}")
        sha256 = keep_evidence(self.project, artifact) if artifact else ""
        record(self.project, self.walk, self.release, verdict, inputs, evidence_sha256=sha256, now=self.clock())

    def _ask(self, gate: Gate) -> Artifact:
        """Ask the environment that was entered last: holdout rows and consumers' requests, over HTTP."""
        before = self.walk.stages[: self.position]
        environment = next((s.environment for s in reversed(before) if isinstance(s, DeployTo)), None)
        if environment is None:
            raise StepFailed(
                f"gate {gate.name} needs a deployment before it",
                value=gate.name,
                allowed='deploy_to("staging") earlier',
            )
        found = ask_environment(
            self.project, environment, self.release,
            consumers=cast("str | None", gate.params.get("consumers")), wait_seconds=self.answer_seconds,
        )  # fmt: skip
        return keep_value(self.project, found, Served)

    def _done(self, stage: str, outcome: str, text: str) -> None:
        done = StageRecord(stage, outcome, text)
        self.stages.append(done)
        self.say(done)
