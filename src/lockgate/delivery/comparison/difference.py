"""`diff`: what changes for users between two releases, and why.

Both answer the same requests: the holdout of the release that knows more days, each request from what was known on its own day.
What they differ in is changed one by one in the old release, and these releases answer the same requests, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.comparison.answers import answers, answers_by, fair_from, holdout_of, reasons, told, why_not
from lockgate.delivery.comparison.composition import factors_of, in_words
from lockgate.delivery.comparison.mixing import in_one_line, mixes
from lockgate.delivery.evidence.pack import names_of
from lockgate.delivery.graph import graph_of
from lockgate.delivery.identity import read_ledger
from lockgate.delivery.judging.judge import judged_by
from lockgate.delivery.judging.measuring import known_already, load_json, measure, measured_with
from lockgate.delivery.refs import live_of
from lockgate.delivery.releases import manifest_of, named
from lockgate.delivery.reproduction.other_packages import answers_elsewhere, needs_other_packages, reasons_elsewhere
from lockgate.delivery.show import diff as listed
from lockgate.delivery.walk import walk_of
from lockgate.errors import LockgateError, StepFailed
from lockgate.records.artifact import Artifact
from lockgate.records.movement import Attribution, Movement, ReleaseDifference, Unbuilt
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    import datetime as dt

    from lockgate.build.execute import Executed
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph
    from lockgate.records.release import Manifest

__all__ = ["compared_already", "difference"]

LARGEST = 20
UNKNOWN = ("unknown",)
SIDES = ("before", "after")
MUTE = "it was built, but cannot answer: "
CALLED = {"before": "the old release", "after": "the new release"}


def difference(
    project: Project, before: str, after: str, *, now: dt.datetime, quick: bool = False,
    tell: Callable[[Event], None] = lambda _: None,
) -> ReleaseDifference:  # fmt: skip
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
    made_of = ReleaseDifference(
        before=old.digest, after=new.digest, holdout="after" if new.as_of >= old.as_of else "before"
    )
    if old.digest == new.digest:
        return made_of
    made_of = replace(made_of, differences=listed(project, old, new), words=in_words(project, old, new))
    return _Comparing(project, walk, graph, old, new, now, tell).go(made_of, quick=quick)


def compared_already(project: Project, walk: Walk, before: str, after: str) -> Movement | None:
    """How the answers move between two releases (digests), if `difference` has compared them; nothing runs for it."""
    try:
        old, new = manifest_of(project, before), manifest_of(project, after)
        holdout = holdout_of(project, walk, new if new.as_of >= old.as_of else old)
        since = fair_from(project, (old, new))
    except LockgateError:
        return None
    packages, by = measured_with(walk), judged_by(walk)
    asked: dict[str, Json] = {"by": by["by"], "since": since, "metric": by["metric"], "number": LARGEST}
    nodes = (*(answers(side, packages) for side in SIDES), told("compared", SIDES, asked, packages))
    known = known_already(
        project, {n.name: n for n in nodes}, releases={"@before": before, "@after": after}, given={"@holdout": holdout},
    )  # fmt: skip
    found = known.get("compared")
    return from_json(Movement, load_json(project, found)) if found else None


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

    def go(self, found: ReleaseDifference, *, quick: bool) -> ReleaseDifference:
        try:
            holdout = holdout_of(self.project, self.walk, self.old if found.holdout == "before" else self.new)
            since = fair_from(self.project, (self.old, self.new))
            done = self._compare(holdout, since)
        except LockgateError as error:
            return replace(found, unanswered=in_one_line(error))
        if "compared" not in done.artifacts:
            return replace(found, unanswered=_unanswered(done))
        movement = from_json(Movement, load_json(self.project, done.artifacts["compared"]))
        if not quick and movement.same < movement.rows:
            try:
                found = self._split(found, holdout, since, {s: done.artifacts[answers_by(s)] for s in SIDES})
            except LockgateError as error:
                found = replace(found, unbuilt=(Unbuilt(factor="together", why=in_one_line(error)),))
        return self._explained(found, movement, done)

    @property
    def _packages(self) -> tuple[str, ...]:
        return measured_with(self.walk)

    @property
    def _asked(self) -> dict[str, Json]:
        return {"metric": judged_by(self.walk)["metric"], "number": LARGEST}

    def _compare(self, holdout: Artifact, since: str) -> Executed:
        """Both releases answer, and say why for the answers that differ most."""
        by = judged_by(self.walk)["by"]
        sides = {"before": self.old, "after": self.new}
        away = {n: r for n, r in sides.items() if needs_other_packages(self.project, r)}
        given = {answers_by(n): self._away(n, r, holdout) for n, r in away.items()}
        here = [n for n in SIDES if n not in away]
        nodes = (
            *(answers(side, self._packages) for side in here),
            told("compared", SIDES, {"by": by, "since": since, **self._asked}, self._packages),
            *(reasons(side, self._packages) for side in here),
        )
        done = measure(
            self.project, {n.name: n for n in nodes}, releases={f"@{n}": sides[n].digest for n in here},
            given={"@holdout": holdout, **given}, trace=self.graph.trace, tell=self.tell,
        )  # fmt: skip
        compared = done.artifacts.get("compared")
        said = {
            f"reasons_{n}": reasons_elsewhere(self.project, r, compared, tell=self.tell)
            for n, r in away.items()
            if compared
        }
        return replace(done, artifacts={**done.artifacts, **said})

    def _away(self, side: str, release: Manifest, holdout: Artifact) -> Artifact:
        try:
            return answers_elsewhere(self.project, release, holdout, tell=self.tell)
        except LockgateError as error:
            raise StepFailed(f"{CALLED[side]} cannot answer", value=in_one_line(error)) from error

    def _asked_of(self, made: Mapping[str, str], holdout: Artifact) -> tuple[dict[str, Artifact], list[Unbuilt]]:
        """Factor → answers of the release with only this one new; those that cannot answer, with the reason."""
        found, mute = dict[str, Artifact](), list[Unbuilt]()
        releases = {f: manifest_of(self.project, release) for f, release in made.items()}
        for factor in [f for f in made if needs_other_packages(self.project, releases[f])]:
            try:
                found[factor] = answers_elsewhere(self.project, releases[factor], holdout, tell=self.tell)
            except LockgateError as error:
                mute.append(Unbuilt(factor=factor, why=MUTE + in_one_line(error)))
            del releases[factor]
        done = measure(
            self.project, {answers_by(f): answers(f, self._packages) for f in releases},
            releases={f"@{f}": r.digest for f, r in releases.items()}, given={"@holdout": holdout},
            trace=self.graph.trace, tell=self.tell,
        )  # fmt: skip
        for factor in releases:
            if answers_by(factor) in done.artifacts:
                found[factor] = done.artifacts[answers_by(factor)]
            else:
                mute.append(Unbuilt(factor=factor, why=MUTE + why_not(done, answers_by(factor))))
        return found, mute

    def _split(
        self, found: ReleaseDifference, holdout: Artifact, since: str, answered: dict[str, Artifact]
    ) -> ReleaseDifference:
        """Why: build the old release with one thing from the new, let it answer, and split the change."""
        factors = factors_of(self.project, self.old, self.new) or UNKNOWN
        built: list[Manifest] = []
        if len(factors) > 1:
            made, lacking = mixes(self.project, self.old, self.new, factors, now=self.now, tell=self.tell)
            others, mute = self._asked_of(made, holdout)
            found = replace(found, unbuilt=(*lacking, *mute))
            answered = answered | others
            built = [manifest_of(self.project, release) for release in made.values()]
        try:
            days: dict[str, Json] = {"since": since, "fair_from": max(since, fair_from(self.project, built))}
            return replace(found, attribution=self._attributed(factors, answered, days))
        except LockgateError as error:  # what was compared stays
            lost = Unbuilt(factor="together", why=in_one_line(error))
            return replace(found, unbuilt=(*found.unbuilt, lost))

    def _attributed(
        self, factors: tuple[str, ...], answered: Mapping[str, Artifact], days: Mapping[str, Json]
    ) -> Attribution:
        absent: dict[str, Json] = {f: None for f in ("code", "data", "parameters", "packages") if f not in answered}
        asked = {**absent, "factors": list(factors), **self._asked, **days}
        node = told("attributed", tuple(answered), asked, self._packages)
        given = {answers_by(f): artifact for f, artifact in answered.items()}
        done = measure(
            self.project, {node.name: node}, releases={}, given=given, trace=self.graph.trace, tell=self.tell
        )
        if done.error is not None:
            raise done.error
        return from_json(Attribution, load_json(self.project, done.artifacts[node.name]))

    def _explained(self, found: ReleaseDifference, movement: Movement, done: Executed) -> ReleaseDifference:
        """Reasons of both releases, and what each factor did to an answer, beside the largest changes."""
        made = {side: done.artifacts.get(f"reasons_{side}") for side in SIDES}
        said = {side: load_json(self.project, artifact) for side, artifact in made.items() if artifact}
        missing = {side: why_not(done, f"reasons_{side}") for side in SIDES if side not in said}
        parts = found.attribution.parts if found.attribution else {}
        names, order = names_of(self.project, self.new), [f.name for f in self.new.predictor.request]
        rows = tuple(
            replace(
                row, parts=parts.get(str(row.position), {}), request=_ordered(row.request, order),
                labels={n: names[n][v] for n, v in row.request.items() if v in names.get(n, {})},
                reasons_before=_said(said, "before", at), reasons_after=_said(said, "after", at),
            )
            for at, row in enumerate(movement.largest)
        )  # fmt: skip
        return replace(found, movement=replace(movement, largest=rows), unexplained=missing)


def _unanswered(done: Executed) -> str:
    silent = [side for side in SIDES if answers_by(side) not in done.artifacts]
    return "; ".join(f"{CALLED[side]} cannot answer: {why_not(done, answers_by(side))}" for side in silent) or why_not(
        done, "compared"
    )


def _said(said: Mapping[str, list[list[str]]], side: str, at: int) -> tuple[str, ...]:
    return tuple(said[side][at]) if side in said else ()


def _ordered(request: Mapping[str, str], order: list[str]) -> dict[str, str]:
    """As the form asks for it; JSON has sorted the names."""
    return {n: request[n] for n in sorted(request, key=lambda n: order.index(n) if n in order else len(order))}
