"""What followed a replayed day: the requests that the holdout of a later day asks from then on, answered with and without its release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from lockgate.build.execute import Event
from lockgate.delivery.backtest.days import soonest
from lockgate.delivery.backtest.replaying import OURS
from lockgate.delivery.comparison.answers import answers, answers_by, why_not
from lockgate.delivery.comparison.mixing import in_one_line
from lockgate.delivery.judging.judge import judged_by
from lockgate.delivery.judging.measuring import PATH, json_step, load_json, measure, measured_with
from lockgate.errors import LockgateError, StepFailed
from lockgate.gates.measure import INPUTS
from lockgate.gates.replay import weighed
from lockgate.records.backtest import Followed, ReplayedDay
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from lockgate.delivery.backtest.aside import Aside
    from lockgate.delivery.run import RunRecord
    from lockgate.records.artifact import Artifact
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node

__all__ = ["Following"]

NOT_YET = "not known yet: no holdout asks for days after it"


class Run(Protocol):
    """The training pipeline as of a day, no further than a step."""

    def __call__(self, day: dt.date, *, only: str) -> RunRecord: ...


@dataclass(slots=True)
class Following:
    """Looks at later days, in the copy of the project.

    Attributes:
        days: all that may be looked at, ascending; of those that were not replayed, the holdout alone is made.
        holdouts: day → what was made; None where that failed.
        asked: day → the days on which its holdout asks.
    """

    aside: Aside
    run: Run
    days: tuple[dt.date, ...]
    follow_days: int
    tell: Callable[[Event], None]
    metric: Mapping[str, str]
    holdouts: dict[dt.date, Artifact | None]
    asked: dict[dt.date, tuple[dt.date, ...]] = field(default_factory=dict[dt.date, "tuple[dt.date, ...]"])

    def of(self, day: ReplayedDay) -> ReplayedDay:
        """The day with what followed, or why nothing is known of that."""
        if not day.release:
            return replace(day, unknown="there is no release")
        self.tell(Event("", "note", f"{day.day}  what followed"))
        try:
            place = soonest(day.day, [d for d in self.days if d > day.day], self._asked, days=self.follow_days)
            if place is None:
                return replace(day, unknown=NOT_YET)
            found = self._followed(day, *place)
        except OURS:
            raise
        except LockgateError as error:
            return replace(day, unknown=in_one_line(error))
        return weighed(replace(day, followed=found), better=self.metric.get("better", "lower"))

    def _asked(self, seen: dt.date) -> tuple[dt.date, ...]:
        if seen not in self.asked:
            holdout, node = self._holdout(seen), json_step(
                "asked", "lockgate.release.scoring:asked", {"holdout": "@holdout"}, {"holdout": PATH}, {}, self._packages
            )  # fmt: skip
            said: Json = self._made(node, holdout, {}) if holdout else {}
            self.asked[seen] = tuple(dt.date.fromisoformat(d) for d in said)
        return self.asked[seen]

    def _holdout(self, seen: dt.date) -> Artifact | None:
        if seen not in self.holdouts:
            name = self.aside.walk.training.holdout or ""
            self.holdouts[seen] = self.run(seen, only=name).artifacts.get(name)
        return self.holdouts[seen]

    def _followed(self, day: ReplayedDay, seen: dt.date, since: dt.date) -> Followed:
        """Both answers to what was asked from `since` on."""
        holdout, by = self._holdout(seen), judged_by(self.aside.walk)
        assert holdout
        sides = {"ours": day.release} | ({"theirs": day.live} if day.live else {})
        absent = {} if day.live else {"theirs": None}
        until = since + dt.timedelta(days=self.follow_days)
        asked: dict[str, Json] = {
            **absent, "since": since.isoformat(), "until": until.isoformat(), "metric": by["metric"], "baseline": by["baseline"],
        }  # fmt: skip
        inputs, types = {s: answers_by(s) for s in sides}, dict.fromkeys(sides, INPUTS["scored"])
        node = json_step("followed", "lockgate.evaluation.following:followed", inputs, types, asked, self._packages)
        found = self._made(node, holdout, sides)
        if "ours" not in found:
            raise StepFailed("nothing was asked about the days after it", value=f"{since} to {until}")
        return from_json(Followed, {**found, "seen": seen.isoformat()})

    def _made(self, node: Node, holdout: Artifact, sides: Mapping[str, str]) -> Json:
        """What a step makes of a holdout and of the answers of these releases to it."""
        nodes = {n.name: n for n in (*(answers(s, self._packages) for s in sides), node)}
        done = measure(
            self.aside.project, nodes, releases={f"@{s}": r for s, r in sides.items()}, given={"@holdout": holdout},
            trace=self.aside.graph.trace, tell=self.tell,
        )  # fmt: skip
        if node.name not in done.artifacts:
            raise done.error or StepFailed("what followed cannot be measured", value=why_not(done, node.name))
        return load_json(self.aside.project, done.artifacts[node.name])

    @property
    def _packages(self) -> tuple[str, ...]:
        return measured_with(self.aside.walk)
