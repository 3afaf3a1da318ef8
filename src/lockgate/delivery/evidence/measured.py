"""What a page shows beside the gates' evidence, measured through the engine: once per release, and only when a page is made.

No rule reads any of it. A view that cannot be had is missing from the page and named there; it stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lockgate.build.execute import Event
from lockgate.delivery.evidence.recent_requests import asked_lately
from lockgate.delivery.judging.judge import judged_by
from lockgate.delivery.judging.measuring import PATH, json_step, load_json, measure, measured_with
from lockgate.delivery.put import keep_value
from lockgate.gates.measure import INPUTS
from lockgate.records.digest import Json

if TYPE_CHECKING:
    from lockgate.delivery.judging.judge import Judged
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import Node, Trace
    from lockgate.records.trust import Trusted

__all__ = ["Looked", "look_closer", "summarised"]

SCORED = INPUTS["scored"]
DICT = "builtins:dict"
VIEWS = {
    "summary": "numbers by group, horizon and day",
    "cases": "single cases in words",
    "moved": "which answers change against the live release",
    "distributions": "how values are spread in training, test and now",
    "explained": "what the release looks at",
    "reliability": "whether scores mean what they say",
    "rivals": "for whom it is better than something else",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """View → what was found. `missing`: each view that there is none of, with the reason, in words for the page."""

    views: Mapping[str, Json] = field(default_factory=dict[str, Json])
    missing: tuple[str, ...] = ()


def look_closer(
    project: Project, walk: Walk, trust: Trusted, judged: Judged, *, release: str, live: str | None, environment: str, trace: Trace,
    tell: Callable[[Event], None] = lambda _: None,
) -> Looked:  # fmt: skip
    """Find out everything that the page of this release shows beside verdicts."""
    now = asked_lately(project, trust, release=release, environment=environment)
    made = {n: a for n, a in judged.artifacts.items() if n in ("scored", "champion", "replayed", "@holdout")}
    if now is not None:
        made["now"] = keep_value(project, now, dict)
    nodes = {n.name: n for n in _nodes(walk, made, has_live=bool(live))}
    if not nodes:
        return Looked(missing=("everything beside the checks: the release did not answer its test",))
    releases = {"@release": release} | ({"@live": live} if live else {})
    done = measure(project, nodes, releases=releases, given=made, trace=trace, tell=tell)
    views = {n: load_json(project, a) for n, a in done.artifacts.items() if n in VIEWS}
    why = {s.name: " ".join(s.reason.split()) for s in done.steps}
    missing = [f"{VIEWS[n]}: {why.get(n) or 'it could not be measured'}" for n in nodes if n not in views]
    return Looked(views=views, missing=(*missing, *_not_there(made, environment)))


def summarised(project: Project, walk: Walk, judged: Judged, *, trace: Trace) -> Mapping[str, Json]:
    """The error on the whole test and by group, as a page would show it; empty where the release did not answer."""
    if "scored" not in judged.artifacts:
        return {}
    nodes, given = {"summary": _summary(walk)}, {"scored": judged.artifacts["scored"]}
    done = measure(project, nodes, releases={}, given=given, trace=trace)
    return load_json(project, done.artifacts["summary"]) if "summary" in done.artifacts else {}


def _summary(walk: Walk) -> Node:
    target = "lockgate.evaluation.summary:summary"
    return json_step("summary", target, {"scored": "scored"}, {"scored": SCORED}, judged_by(walk), measured_with(walk))


def _nodes(walk: Walk, made: Mapping[str, Artifact], *, has_live: bool) -> list[Node]:
    """A step per view whose inputs exist; what is not there is a parameter that is None."""
    if "scored" not in made:
        return []
    packages, by = measured_with(walk), judged_by(walk)
    found = [
        _summary(walk),
        json_step(
            "reliability", "lockgate.evaluation.reliability:reliability", {"scored": "scored"}, {"scored": SCORED},
            {"by": by["by"]}, packages,
        ),
        _cases(made, packages, has_live=has_live),
        _optional(
            "distributions", "lockgate.evaluation.distributions:distributions", made,
            {"scored": SCORED, "replayed": SCORED, "now": DICT}, {"by": by["by"]}, packages,
        ),
    ]  # fmt: skip
    asked = {"by": by["by"], "metric": by["metric"]}
    target = "lockgate.evaluation.rivals:rivals"
    found.append(_optional("rivals", target, made, {"scored": SCORED, "champion": SCORED}, asked, packages))
    if "champion" in made:
        sides = {"before": "champion", "after": "scored"}
        target = "lockgate.evaluation.movement:compared"
        found.append(json_step("moved", target, sides, dict.fromkeys(sides, SCORED), {**asked, "number": 0}, packages))
    if "@holdout" in made:
        inputs = {"release": "@release", "holdout": "@holdout"}
        target = "lockgate.release.importance:explained"
        found.append(
            json_step("explained", target, inputs, dict.fromkeys(inputs, PATH), {"metric": by["metric"]}, packages)
        )
    return found


def _cases(made: Mapping[str, Artifact], packages: tuple[str, ...], *, has_live: bool) -> Node:
    """Single answers; beside those of a live release, where it answered the same requests, which says why."""
    types = {"release": PATH, "scored": SCORED, "champion": SCORED, "live": PATH}
    given = {"release": "@release", "scored": "scored"}
    given |= {"champion": "champion", "live": "@live"} if has_live and "champion" in made else {}
    nothing = {n: None for n in types if n not in given}
    return json_step("cases", "lockgate.release.cases:cases", given, {n: types[n] for n in given}, nothing, packages)


def _optional(
    name: str, target: str, made: Mapping[str, Artifact], types: Mapping[str, str], parameters: Mapping[str, Json],
    packages: tuple[str, ...],
) -> Node:  # fmt: skip
    given = {n: n for n in types if n in made}
    nothing = {n: None for n in types if n not in made}
    return json_step(name, target, given, {n: types[n] for n in given}, {**parameters, **nothing}, packages)


def _not_there(made: Mapping[str, Artifact], environment: str) -> list[str]:
    lacking = {
        "champion": "what changes against a live release: none answers the same requests",
        "replayed": "how training rows are spread: the training pipeline names no `trained_rows`",
        "now": f"how the requests of today are spread: this machine has served none in {environment} before this release",
    }
    return [words for name, words in lacking.items() if name not in made]
