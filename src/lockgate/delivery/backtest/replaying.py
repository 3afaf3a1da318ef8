"""One past day after the other: train on what was known, bundle, judge against what would have been live, decide."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from lockgate.build.execute import Event
from lockgate.delivery.comparison.mixing import in_one_line
from lockgate.delivery.evidence.measured import summarised
from lockgate.delivery.judging.history import measured_in
from lockgate.delivery.judging.judge import Judged, Material, judge
from lockgate.delivery.lineage import code_files, commit_of
from lockgate.delivery.put import keep_value
from lockgate.delivery.releases import build_release
from lockgate.delivery.run import run
from lockgate.errors import IntegrityError, LockgateError, PermissionRefused, ServiceUnavailable
from lockgate.gates.history import History, Measured
from lockgate.gates.replay import decided
from lockgate.records.backtest import ReplayedDay
from lockgate.records.decisions import GateResult
from lockgate.records.evidence import Estimate
from lockgate.records.ledger import EMPTY
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.delivery.backtest.aside import Aside
    from lockgate.delivery.backtest.past import Past
    from lockgate.delivery.run import RunRecord
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact

__all__ = ["OURS", "Replaying"]

OURS: Final = (ServiceUnavailable, IntegrityError, PermissionRefused)
"""What is wrong with the machine or the store, and says nothing about a day."""


@dataclass(slots=True)
class Replaying:
    """The days so far.

    Attributes:
        project: the real one, of which only the commits are read. aside: the copy in which everything happens.
        accepted: people accept every uncertain gate.
        live: the release that is live by now. measured: what shipped releases measured, for a ratchet.
        holdouts: day → the holdout that was made on it. metric: name, words, unit and better of what gates judge by.
    """

    project: Project
    aside: Aside
    past: Past
    now: dt.datetime
    tell: Callable[[Event], None]
    accepted: bool = field(kw_only=True)
    live: str | None = None
    measured: list[Measured] = field(default_factory=list[Measured])
    holdouts: dict[dt.date, Artifact | None] = field(default_factory=dict[dt.date, "Artifact | None"])
    metric: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def walk(self) -> Walk:
        return self.aside.walk

    def go(self, days: tuple[dt.date, ...]) -> tuple[ReplayedDay, ...]:
        """All of them, in order; what one ships is what the next is compared with."""
        made: list[ReplayedDay] = []
        for number, day in enumerate(days, 1):
            self.tell(Event("", "note", f"{day}  day {number} of {len(days)}"))
            began = time.monotonic()
            found = self._day(day)
            made.append(replace(found, seconds=round(time.monotonic() - began, 1)))
            if found.outcome == "shipped":
                self._ship(found)
        return tuple(made)

    def run(self, day: dt.date, *, only: str | None = None) -> RunRecord:
        """The training pipeline as of a day; `only`: no further than this step."""
        planned = self.aside.planned(self.past.sources[day], day, only=only)
        try:
            return run(self.aside.project, self.walk.delivery.name, now=self.now, agreed=planned, tell=self.tell)
        finally:
            self.aside.forget_views()

    def _day(self, day: dt.date) -> ReplayedDay:
        nothing = ReplayedDay(day=day, outcome="not made", live=self.live)
        try:
            ran = self.run(day)
            nothing = replace(nothing, **_counts(ran))
            if ran.error is not None:
                raise ran.error
            self.holdouts[day] = ran.artifacts[self.walk.training.holdout or ""]
            origin = commit_of(self.project.root, code_files(self.walk.training, ran))
            release = build_release(self.aside.project, self.walk.training, ran, origin=origin)
            manifest = keep_value(self.aside.project, to_json(release), dict)
            judged = self._judge(ran, release.digest, manifest)
        except OURS:
            raise
        except LockgateError as error:
            return replace(nothing, reason=in_one_line(error))
        verdicts = tuple(judged.verdicts.values())
        outcome, gate, reason = decided(verdicts, accepted=self.accepted)
        return replace(
            nothing, outcome=outcome, gate=gate, reason=reason, release=release.digest, verdicts=verdicts,
            predicted=self._predicted(judged),
        )  # fmt: skip

    def _judge(self, ran: RunRecord, release: str, manifest: Artifact) -> Judged:
        training = self.walk.training
        material = Material(
            release=release, live=self.live, holdout=ran.artifacts[training.holdout or ""],
            trained=ran.artifacts.get(training.trained_rows or ""), manifest=manifest, history=self._history(),
        )  # fmt: skip
        return judge(self.aside.project, self.walk, material, trace=self.aside.graph.trace, tell=self.tell)

    def _predicted(self, judged: Judged) -> Estimate | None:
        """The error on the holdout, as an evidence page would say it."""
        said = summarised(self.aside.project, self.walk, judged, trace=self.aside.graph.trace)
        if not self.metric:
            self.metric.update({n: str(v) for n, v in said.get("metric", {}).items()})
        return from_json(Estimate, said["overall"]) if "overall" in said else None

    def _ship(self, day: ReplayedDay) -> None:
        """It is live now, and what it measured counts for those that come."""
        self.live, holdout = day.release, self.holdouts.get(day.day)
        inputs = {"@holdout": holdout.digest} if holdout else {}
        for verdict in day.verdicts:
            said = GateResult(release=day.release, verdict=verdict, policy=self.walk.digest, log=EMPTY, inputs=inputs)
            if made := measured_in(said, day.day):
                self.measured.append(made)

    def _history(self) -> Artifact | None:
        """What shipped releases measured, if a gate asks for it."""
        if not any("history" in gate["takes"] for gate in self.walk.gates.values()):
            return None
        return keep_value(self.aside.project, History(measured=tuple(self.measured)), History)


def _counts(ran: RunRecord) -> dict[str, int]:
    return {"ran": sum(s.action == "run" for s in ran.steps), "reused": sum(s.action == "reuse" for s in ran.steps)}
