"""`deliver --to ENV --here`: take one release into one environment, by what the ledger holds about it. Nothing is judged here.

A job that deployed this release before, run again when another is live, goes back to it: that is `rollback`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lockgate.build.execute import Event
from lockgate.delivery.approval.approvals import stands_now
from lockgate.delivery.approval.missing import check_somebody_is_asked, stopped
from lockgate.delivery.chosen import chosen
from lockgate.delivery.delivered import StageRecord
from lockgate.delivery.deployment import serving_since, wait_for_answer, want
from lockgate.delivery.evidence.page import page_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.check_recorded import check_recorded
from lockgate.delivery.judging.check_remeasured import check_remeasured
from lockgate.delivery.propose import may_deliver
from lockgate.delivery.rollback import rollback
from lockgate.delivery.walk import walk_now
from lockgate.deploy.environments import fold
from lockgate.errors import LockgateError, WaitingForHuman
from lockgate.records.digest import short

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.chosen import Chosen
    from lockgate.delivery.walk import Walk
    from lockgate.deploy.environments import Environment
    from lockgate.gates.approvals import Standing
    from lockgate.project import Project
    from lockgate.records.forge_job import ForgeJob
    from lockgate.records.trust import Trusted

__all__ = ["DeliveredHere", "deliver_here", "goes_back"]

Went = Literal["delivered", "rolled-back", "served-already", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredHere:
    """How a release came into one environment; `went` is empty when it did not, and `error` says why."""

    release: str
    environment: str
    went: Went
    stages: tuple[StageRecord, ...]
    error: LockgateError | None = None


def deliver_here(
    project: Project, environment: str, ref: str | None = None, *, clock: Callable[[], dt.datetime], answer_seconds: float,
    job: ForgeJob | None = None, tell: Callable[[Event], None] = lambda _: None,
    say: Callable[[StageRecord], None] = lambda _: None,
) -> DeliveredHere:  # fmt: skip
    """Check what is recorded, write the wish, and wait for the server's answer.

    Args:
        ref: a release; None: the pipeline's, or outside of one the newest.
        answer_seconds: how long the environment may be silent.

    Raises NotFound or PermissionRefused before anything is looked at; how the rest ends stands in the record.
    """
    may_deliver(project)
    walk, trust = walk_now(project, now=clock()), read_ledger(project)
    walk.check(environment)
    picked = chosen(walk, trust, ref, job)
    return _Here(project, walk, environment, picked, job, clock, answer_seconds, tell, say).go(trust)


@dataclass(slots=True)
class _Here:
    """One release on its way into one environment."""

    project: Project
    walk: Walk
    environment: str
    picked: Chosen
    job: ForgeJob | None
    clock: Callable[[], dt.datetime]
    answer_seconds: float
    tell: Callable[[Event], None]
    say: Callable[[StageRecord], None]
    stages: list[StageRecord] = field(default_factory=list[StageRecord])

    @property
    def release(self) -> str:
        return self.picked.release

    def go(self, trust: Trusted) -> DeliveredHere:
        went: Went = ""
        error: LockgateError | None = None
        try:
            there = fold(trust, approved_only=self.walk.approved_only).of(self.environment)
            went = self._back(there) if goes_back(there, self.picked) else self._up(trust)
        except LockgateError as stopping:
            error = stopping
        return DeliveredHere(
            release=self.release, environment=self.environment, went=went, stages=tuple(self.stages), error=error
        )

    def _up(self, trust: Trusted) -> Went:
        found = check_recorded(self.walk, trust, self.release, self.environment, now=self.clock())
        for gate, (result, waived) in found.items():
            self._done(gate, "waived" if waived else result.verdict.outcome, waived or result.verdict.reason)
        self._check_people(trust)
        check_remeasured(self.walk, trust, self.release, self.environment)
        wanted = want(self.project, self.walk, self.release, self.environment, standing=self._stands, now=self.clock())
        if wanted is None:
            since = serving_since(self.walk, read_ledger(self.project), self.release, self.environment)
            return self._serves("served-already", f" since {since:%F %T} UTC" if since else "")
        return self._answered(wanted, "delivered")

    def _check_people(self, trust: Trusted) -> None:
        ask = self.walk.ask(trust, self.release, self.environment)
        stands = self._stands(trust)
        check_somebody_is_asked(self.walk, ask, stands)
        if not ask.roles:
            return
        self._done(
            "approval", "pass" if stands.agreed and stands.granted else "skipped" if stands.granted else "waiting",
            stands.missing or "; ".join(f"{r.role}: {', '.join(r.people)}" for r in stands.roles),
        )  # fmt: skip
        if not self._page(trust):
            raise WaitingForHuman(
                f"no evidence page of release {short(self.release)} for {self.environment} is signed yet",
                value=stands.missing, next=f"lockgate approvals {self.environment}",
            )  # fmt: skip
        if not stands.granted:
            raise stopped(self.walk, self.release, ask, stands)

    def _stands(self, trust: Trusted) -> Standing:
        ask = self.walk.ask(trust, self.release, self.environment)
        page = self._page(trust) if ask.roles else ""
        return stands_now(self.walk, trust, self.release, ask, page=page, now=self.clock())

    def _page(self, trust: Trusted) -> str:
        kept = page_of(self.project, self.walk, trust, release=self.release, environment=self.environment)
        return kept.sha256 if kept else ""

    def _back(self, there: Environment) -> Went:
        live = there.live.release if there.live else ""
        served = next(s for s in reversed(there.history) if s.release == self.release)
        self._done(
            f"rollback {self.environment}", "going back",
            f"{short(self.release)} served here until {served.until:%F %T} UTC, and {short(live)} is live now",
        )  # fmt: skip
        if there.wanted and there.wanted.release == self.release:  # asked for already; the answer was not in
            return self._answered(there.wanted.entry, "rolled-back")
        reason = f"job {self.job.job} of {self.job.words} ran again" if self.job else "deliver --here"
        _, entry = rollback(self.project, self.environment, to=self.release, reason=reason, now=self.clock())
        return self._answered(entry.digest, "rolled-back")

    def _answered(self, wanted: str, went: Went) -> Went:
        self.tell(Event("", "note", f"waiting for {self.environment} to answer, at most {self.answer_seconds:.0f} s"))
        wait_for_answer(self.project, self.walk, self.environment, wanted, seconds=self.answer_seconds)
        return self._serves(went, "")

    def _serves(self, went: Went, since: str) -> Went:
        self._done(f"deploy {self.environment}", "healthy", f"serving {short(self.release)}{since}")
        return went

    def _done(self, stage: str, outcome: str, text: str) -> None:
        done = StageRecord(stage, outcome, text)
        self.stages.append(done)
        self.say(done)


def goes_back(there: Environment, picked: Chosen) -> bool:
    """Whether this is an old job that runs again, or a release that was named: it served here, and another is live.

    A pipeline that proposed the release after it served here is a new one. It goes the way up: what a person took away
    does not come back because a schedule ran.
    """
    served = [s for s in there.history if s.release == picked.release]
    if not served or there.live is None or there.live.release == picked.release or picked.by == "newest":
        return False
    return picked.said is None or picked.said.entry.seq < served[-1].want.seq
