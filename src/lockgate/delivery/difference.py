"""`diff`: what changes for users between two releases, and why.

Both answer the same requests: the holdout of the release that knows more days, each request from what was known on its own day.
What they differ in is changed one by one in the old release, and these releases answer the same requests, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.answers import answers_of, reasons_of
from lockgate.delivery.graph import graph_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judge import judged_by
from lockgate.delivery.known import remembered, stored_result
from lockgate.delivery.look import diff as listed
from lockgate.delivery.made_of import factors_of, in_words
from lockgate.delivery.measuring import json_step, load_json, measure, measured_with
from lockgate.delivery.mixing import in_one_line, mixes
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import manifest_of, named
from lockgate.delivery.walk import walk_of
from lockgate.errors import LockgateError, NotFound, StepFailed
from lockgate.gates.measure import INPUTS
from lockgate.records.artifact import Artifact
from lockgate.records.difference import Attribution, Difference, MovedAnswer, Movement, Unbuilt
from lockgate.records.digest import Json, short
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.graph import Graph
    from lockgate.records.release import Manifest

__all__ = ["difference"]

LARGEST = 20
UNKNOWN = ("unknown",)
SCORED = INPUTS["scored"]


def difference(
    project: Project, before: str, after: str, *, now: dt.datetime, quick: bool = False,
    tell: Callable[[Event], None] = lambda _: None,
) -> Difference:  # fmt: skip
    """Compare two releases.

    Args:
        before, after: `latest`, an environment, or the start of a digest.
        quick: leave out why: nothing is built.

    What cannot be asked or built stands in the answer with the reason. Raises NotFound for an unknown release.
    """
    graph = graph_of(project, now_ns=int(now.timestamp() * 1e9))
    walk = walk_of(project, graph)
    trust = read_ledger(project)
    live = live_of(walk, trust)
    old, new = (manifest_of(project, named(trust, ref, live)) for ref in (before, after))
    made_of = Difference(before=old.digest, after=new.digest, holdout="after" if new.as_of >= old.as_of else "before")
    if old.digest == new.digest:
        return made_of
    made_of = replace(made_of, differences=listed(project, old, new), words=in_words(project, old, new))
    return _Comparing(project, walk, graph, old, new, now, tell).go(made_of, quick=quick)


@dataclass(frozen=True, slots=True)
class _Comparing:
    """Two releases, and what is needed to ask them."""

    project: Project
    walk: Walk
    graph: Graph
    old: Manifest
    new: Manifest
    now: dt.datetime
    tell: Callable[[Event], None]

    def go(self, found: Difference, *, quick: bool) -> Difference:
        sides = {"before": self.old, "after": self.new}
        try:
            holdout = _holdout(self.project, self.walk, sides[found.holdout])
            answers = {name: self._answers(release, holdout) for name, release in sides.items()}
            compared = self._json("compared", answers, {"by": self._shown("by"), **self._asked})
        except LockgateError as error:
            return replace(found, unanswered=in_one_line(error))
        found = replace(found, movement=from_json(Movement, load_json(self.project, compared)))
        if not quick and found.movement and found.movement.same < found.movement.rows:
            found = self._split(found, holdout, answers)
        return self._explained(found, compared)

    def _answers(self, release: Manifest, holdout: Artifact) -> Artifact:
        return answers_of(self.project, self.walk, release, holdout, trace=self.graph.trace, tell=self.tell)

    def _shown(self, name: str) -> Json:
        return judged_by(self.walk)[name]

    @property
    def _asked(self) -> dict[str, Json]:
        return {"metric": self._shown("metric"), "number": LARGEST}

    def _json(self, name: str, answers: Mapping[str, Artifact], parameters: Mapping[str, Json]) -> Artifact:
        """One function of `evaluation.movement` on answers; inputs that there are not are None."""
        wired = {n: f"@{n}" for n in answers}
        node = json_step(
            name, f"lockgate.evaluation.movement:{name}", wired, dict.fromkeys(wired, SCORED), parameters,
            measured_with(self.walk),
        )  # fmt: skip
        given = {f"@{n}": a for n, a in answers.items()}
        done = measure(self.project, {name: node}, releases={}, given=given, trace=self.graph.trace, tell=self.tell)
        if done.error is not None:
            raise done.error
        return done.artifacts[name]

    def _split(self, found: Difference, holdout: Artifact, answers: dict[str, Artifact]) -> Difference:
        """Why: build what is needed, ask it, and split the change."""
        factors = factors_of(self.project, self.old, self.new) or UNKNOWN
        made, lacking = dict[str, str](), tuple[Unbuilt, ...]()
        if len(factors) > 1:
            made, lacking = mixes(self.project, self.old, self.new, factors, now=self.now, tell=self.tell)
        answered = dict(answers)
        for factor, release in made.items():
            try:
                answered[factor] = self._answers(manifest_of(self.project, release), holdout)
            except LockgateError as error:
                lacking = (*lacking, Unbuilt(factor=factor, why=f"it cannot answer: {in_one_line(error)}"))
        absent: dict[str, Json] = {f: None for f in ("code", "data", "parameters", "packages") if f not in answered}
        split = self._json("attributed", answered, {**absent, "factors": list(factors), **self._asked})
        attribution = from_json(Attribution, load_json(self.project, split))
        return replace(found, attribution=attribution, unbuilt=lacking)

    def _explained(self, found: Difference, compared: Artifact) -> Difference:
        """Reasons of both releases, and what each factor did to an answer, beside the largest changes."""
        if found.movement is None or not found.movement.largest:
            return found
        said, missing = dict[str, list[list[str]]](), dict[str, str]()
        for side, release in (("before", self.old), ("after", self.new)):
            try:
                said[side] = reasons_of(
                    self.project, self.walk, release, compared, trace=self.graph.trace, tell=self.tell
                )
            except LockgateError as error:
                missing[side] = in_one_line(error)
        parts = found.attribution.parts if found.attribution else {}
        rows = [_with(row, said, at, parts) for at, row in enumerate(found.movement.largest)]
        return replace(found, movement=replace(found.movement, largest=tuple(rows)), unexplained=missing)


def _with(
    row: MovedAnswer, said: Mapping[str, list[list[str]]], at: int, parts: Mapping[str, Mapping[str, str | None]]
) -> MovedAnswer:
    reasons = {side: tuple(rows[at]) for side, rows in said.items()}
    return replace(
        row, parts=parts.get(str(row.position), {}),
        reasons_before=reasons.get("before", ()), reasons_after=reasons.get("after", ()),
    )  # fmt: skip


def _holdout(project: Project, walk: Walk, release: Manifest) -> Artifact:
    """The requests that a release was judged on; found by its identity among all stored results."""
    name = walk.training.holdout or ""
    step = release.lineage.steps.get(name)
    if step is None:
        raise NotFound(
            f"release {short(release.digest)} has no step that makes a holdout under this name", value=name,
            allowed=", ".join(release.lineage.steps),
        )  # fmt: skip
    last = stored_result(project, remembered(project).get(name, ""))
    for result in (last, *_results(project)):
        if result is not None and result.artifact.digest == step["artifact"]:
            if project.store.has(result.artifact.object):
                return result.artifact
    raise NotFound(
        f"the holdout of release {short(release.digest)} is not in the store any more", value=str(step["artifact"]),
        next="lockgate deliver makes a release that can be compared",
    )  # fmt: skip


def _results(project: Project):  # pyright: ignore
    for held in project.results("results").held():
        yield stored_result(project, held.key if ":" in held.key else f"blake3:{held.key}") if held.whole else None
