"""`gate backtest`: past days through today's policy, and the error that followed each.

Every day is trained on what was known then, bundled, and judged by today's gates against the release that would have been
live. What it shipped answers until the next one is shipped. Then what was asked from that day on is looked up in the holdout
of a later day, and answered by the release of the day and by what was live without it. Nothing is said in the ledger and no
environment is asked; what is made is stored under fingerprints, so a second backtest does nothing twice.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.backtest.aside import Aside, set_aside
from lockgate.delivery.backtest.days import grid, later
from lockgate.delivery.backtest.past import Past, past_of
from lockgate.delivery.comparison.answers import answers, answers_by, why_not
from lockgate.delivery.comparison.mixing import in_one_line
from lockgate.delivery.graph import graph_of
from lockgate.delivery.history import measured_in
from lockgate.delivery.judge import Judged, Material, judge, judged_by
from lockgate.delivery.keep import keep_value
from lockgate.delivery.lineage import code_files, commit_of
from lockgate.delivery.measuring import PATH, json_step, load_json, measure, measured_with
from lockgate.delivery.releases import build_release
from lockgate.delivery.run import run, sources_of
from lockgate.delivery.walk import walk_of
from lockgate.errors import IntegrityError, LockgateError, PermissionRefused, ServiceUnavailable
from lockgate.gates.history import History, Measured
from lockgate.gates.measure import INPUTS
from lockgate.gates.replay import counted, decided, weighed
from lockgate.records.backtest import Backtest, Followed, ReplayedDay
from lockgate.records.decisions import GateResult
from lockgate.records.evidence import Estimate
from lockgate.records.ledger import EMPTY
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.delivery.run import RunRecord
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node

__all__ = ["Wish", "backtest"]

OURS = (ServiceUnavailable, IntegrityError, PermissionRefused)
"""What is wrong with the machine or the store, and says nothing about a day."""
NOT_YET = "not known yet: no holdout asks for days after it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to replay.

    Attributes:
        until: the last day; None: the day the project believes it is.
        follow_days: how many days after each are looked at; None: until the next one.
        accepted: people accept every uncertain gate; else such a release waits and what was live stays.
    """

    since: dt.date
    until: dt.date | None = None
    every_days: int = 7
    follow_days: int | None = None
    accepted: bool = False
    params: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, "Mapping[str, Json]"])


def backtest(
    project: Project, wish: Wish, *, now: dt.datetime, tell: Callable[[Event], None] = lambda _: None
) -> Backtest:
    """Replay, day by day. A day that cannot be made stands in the answer with its reason.

    Raises:
        UsageError: days that make no sense; a source that does not say what of it was known when.
        NotFound: nothing was known on the first day; no delivery pipeline or policy.
    """
    now_ns = int(now.timestamp() * 1e9)
    graph = graph_of(project, now_ns=now_ns)
    walk, today = walk_of(project, graph), project.as_of(now.date())
    days = grid(wish.since, wish.until or today, wish.every_days, today=today)
    after = later(days[-1], wish.every_days, today=today)
    times = tuple((walk.training.predictor or {}).get("state", {}).values())
    names = sources_of(graph, walk.training.nodes)
    tell(Event("", "note", "looking at what the sources held on each day"))
    past = past_of(project, names, (*days, *after), times=times, now_ns=now_ns)
    scratch = project.home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-backtest-", dir=scratch) as folder:  # a killed one is swept
        aside = set_aside(project, graph, Path(folder), params=wish.params, now=now)
        replaying = _Replaying(project, aside, past, wish, now, tell)
        began = time.monotonic()
        made = replaying.go(days, after)
    gates = aside.walk.gates.items()
    stops, passes, asked = counted(made)
    return Backtest(
        project=project.settings.name, since=days[0], until=days[-1], every_days=wish.every_days,
        follow_days=wish.follow_days or wish.every_days, policy=walk.digest, metric=replaying.metric, days=made,
        false_stops=stops, false_passes=passes, asked=asked, shown=past.shown, accepted=wish.accepted,
        not_judged=tuple(n for n, g in gates if "served" in g["takes"]), seconds=round(time.monotonic() - began, 1),
    )  # fmt: skip


@dataclass(slots=True)
class _Replaying:
    """The days so far: what is live, and the holdout of each day."""

    project: Project
    aside: Aside
    past: Past
    wish: Wish
    now: dt.datetime
    tell: Callable[[Event], None]
    live: str | None = None
    holdouts: dict[dt.date, Artifact | None] = field(default_factory=dict[dt.date, "Artifact | None"])
    asked_on: dict[dt.date, tuple[dt.date, ...]] = field(default_factory=dict[dt.date, "tuple[dt.date, ...]"])
    metric: dict[str, str] = field(default_factory=dict[str, str])
    measured: list[Measured] = field(default_factory=list[Measured])

    @property
    def walk(self) -> Walk:
        return self.aside.walk

    @property
    def follow_days(self) -> int:
        return self.wish.follow_days or self.wish.every_days

    def go(self, days: tuple[dt.date, ...], after: tuple[dt.date, ...]) -> tuple[ReplayedDay, ...]:
        made: list[ReplayedDay] = []
        for number, day in enumerate(days, 1):
            self.tell(Event("", "note", f"{day}  day {number} of {len(days)}"))
            began = time.monotonic()
            found = self._day(day)
            made.append(replace(found, seconds=round(time.monotonic() - began, 1)))
            if found.outcome == "shipped":
                self._ship(found)
        self.tell(Event("", "note", "looking at what followed each day"))
        return tuple(self._with_what_followed(m, (*days, *after)) for m in made)

    def _day(self, day: dt.date) -> ReplayedDay:
        """Train as of the day, bundle, judge, decide."""
        nothing = ReplayedDay(day=day, outcome="not made", live=self.live)
        try:
            ran = self._run(day)
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
        outcome, gate, reason = decided(verdicts, accepted=self.wish.accepted)
        return replace(
            nothing, outcome=outcome, gate=gate, reason=reason, release=release.digest, verdicts=verdicts,
            predicted=self._predicted(judged),
        )  # fmt: skip

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

    def _run(self, day: dt.date, *, only: str | None = None) -> RunRecord:
        planned = self.aside.planned(self.past.sources[day], day, only=only)
        try:
            return run(self.aside.project, self.walk.delivery.name, now=self.now, agreed=planned, tell=self.tell)
        finally:
            self.aside.forget_views()

    def _judge(self, ran: RunRecord, release: str, manifest: Artifact) -> Judged:
        training = self.walk.training
        material = Material(
            release=release, live=self.live, holdout=ran.artifacts[training.holdout or ""],
            trained=ran.artifacts.get(training.trained_rows or ""), manifest=manifest, history=self._history(),
        )  # fmt: skip
        return judge(self.aside.project, self.walk, material, trace=self.aside.graph.trace, tell=self.tell, paged=False)

    def _predicted(self, judged: Judged) -> Estimate | None:
        summary = judged.artifacts.get("summary")
        said: Mapping[str, Json] = load_json(self.aside.project, summary) if summary else {}
        self.metric = self.metric or {n: str(v) for n, v in said.get("metric", {}).items()}
        return from_json(Estimate, said["overall"]) if "overall" in said else None

    # ── what followed ───────────────────────────────────────────────────────

    def _with_what_followed(self, day: ReplayedDay, days: tuple[dt.date, ...]) -> ReplayedDay:
        if not day.release:
            return replace(day, unknown="there is no release")
        try:
            seen = self._seen(day.day, tuple(d for d in days if d > day.day))
            if seen is None:
                return replace(day, unknown=NOT_YET)
            found = self._followed(day, seen)
        except OURS:
            raise
        except LockgateError as error:
            return replace(day, unknown=in_one_line(error))
        return weighed(replace(day, followed=found), better=self.metric.get("better", "lower"))

    def _seen(self, day: dt.date, days: tuple[dt.date, ...]) -> dt.date | None:
        """The later day whose holdout asks soonest after this one, and about as many days as are looked at."""
        best: tuple[dt.date, dt.date] | None = None
        for seen in days:
            since = self._asked_since(seen, day)
            if since is None:
                continue
            if since + dt.timedelta(days=self.follow_days) <= seen:
                return seen if best is None or since <= best[0] else best[1]
            if best is None or since <= best[0]:
                best = (since, seen)
        return best[1] if best else None

    def _asked_since(self, seen: dt.date, day: dt.date) -> dt.date | None:
        """The first day on or after this one on which the holdout of a later day asks."""
        if seen not in self.asked_on:
            self.asked_on[seen] = self._asked(seen)
        return min((d for d in self.asked_on[seen] if d >= day), default=None)

    def _asked(self, seen: dt.date) -> tuple[dt.date, ...]:
        holdout = self._holdout(seen)
        if holdout is None:
            return ()
        node = json_step(
            "asked", "lockgate.release.scoring:asked", {"holdout": "@holdout"}, {"holdout": PATH}, {}, self._packages
        )
        return tuple(dt.date.fromisoformat(d) for d in self._made(node, {"@holdout": holdout}, {}))

    def _holdout(self, seen: dt.date) -> Artifact | None:
        """Of a day that was not replayed, it alone is made; None where that fails."""
        if seen not in self.holdouts:
            name = self.walk.training.holdout or ""
            self.holdouts[seen] = self._run(seen, only=name).artifacts.get(name)
        return self.holdouts[seen]

    def _followed(self, day: ReplayedDay, seen: dt.date) -> Followed:
        since = self._asked_since(seen, day.day) or day.day
        until = since + dt.timedelta(days=self.follow_days)
        by = judged_by(self.walk)
        sides = {"ours": day.release} | ({"theirs": day.live} if day.live else {})
        asked: dict[str, Json] = {
            "since": since.isoformat(), "until": until.isoformat(), "metric": by["metric"], "baseline": by["baseline"],
            **({} if day.live else {"theirs": None}),
        }  # fmt: skip
        inputs = {s: answers_by(s) for s in sides}
        node = json_step(
            "followed",
            "lockgate.evaluation.following:followed",
            inputs,
            dict.fromkeys(sides, INPUTS["scored"]),
            asked,
            self._packages,
        )
        found = self._made(node, {"@holdout": self.holdouts[seen]}, sides)
        return from_json(
            Followed, {**found, "seen": seen.isoformat(), **({} if "ours" in found else {"ours": NOTHING})}
        )

    def _made(self, node: Node, given: Mapping[str, Artifact | None], sides: Mapping[str, str]) -> Json:
        """What a step makes of the answers of these releases."""
        nodes = {n.name: n for n in (*(answers(s, self._packages) for s in sides), node)}
        done = measure(
            self.aside.project, nodes, releases={f"@{s}": r for s, r in sides.items()},
            given={n: a for n, a in given.items() if a}, trace=self.aside.graph.trace, tell=self.tell,
        )  # fmt: skip
        if node.name not in done.artifacts:
            raise done.error or LockgateError("what followed cannot be measured", value=why_not(done, node.name))
        return load_json(self.aside.project, done.artifacts[node.name])

    @property
    def _packages(self) -> tuple[str, ...]:
        return measured_with(self.walk)


NOTHING: Mapping[str, Json] = to_json(Estimate(name="error", value=None, why="nothing was asked about these days"))


def _counts(ran: RunRecord) -> dict[str, int]:
    return {"ran": sum(s.action == "run" for s in ran.steps), "reused": sum(s.action == "reuse" for s in ran.steps)}
