"""Measure every gate on a release, through the engine, and let the rules decide.

Scoring the holdout is a step like any other: done once per release and holdout, wherever the store is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from lockgate import codecs
from lockgate.build.execute import Event
from lockgate.declare import Gate
from lockgate.delivery.judging.inspecting import artifact_steps, contracts_of
from lockgate.delivery.judging.measuring import answering, measure, measured_with
from lockgate.errors import IntegrityError, NotFound
from lockgate.gates.measure import INPUTS
from lockgate.gates.policy import limits_for
from lockgate.gates.rules import judge as judge_by_rule
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence, Verdict
from lockgate.records.graph import Definition, Node, Trace
from lockgate.records.wire import from_json

if TYPE_CHECKING:
    from lockgate.delivery.walk import Walk
    from lockgate.project import Project
    from lockgate.records.plan import StepRecord

__all__ = ["NOTHING_JUDGED", "Judged", "Material", "evidence_behind", "evidence_in", "judge", "judged_by"]

EVIDENCE = "lockgate.records.evidence:Evidence"
ANSWERS = ("scored", "champion", "replayed")
COMPARED = ("better", "not_worse", "superior", "alike", "parity_of_errors", "no_slice_worse", "no_step_back")
"""Rules of gates whose metric can say which of two answers is better: such a metric is what a page is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a release is judged on: digests of releases, and stored artifacts.

    Attributes:
        live: the release it would replace, or None.
        served: what the deployed release answered over HTTP, once it was asked.
        live_manifest: of the release it would replace. card: what `lockgate.toml` says for the model card.
        training_table: all rows that the model was fitted on, if the pipeline names them.
        contracts: folder that a gate names → consumers' contracts in it.
        history: what approved releases measured.
    """

    release: str
    live: str | None
    holdout: Artifact
    trained: Artifact | None
    manifest: Artifact
    served: Artifact | None = None
    live_manifest: Artifact | None = None
    card: Artifact | None = None
    training_table: Artifact | None = None
    contracts: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    history: Artifact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Evidence and verdict per gate, in the declared order; and what else was made on the way."""

    evidence: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]
    artifacts: Mapping[str, Artifact]
    steps: tuple[StepRecord, ...]


NOTHING_JUDGED = Judged(evidence={}, verdicts={}, artifacts={}, steps=())


def judge(
    project: Project, walk: Walk, material: Material, *, trace: Trace, tell: Callable[[Event], None] = lambda _: None,
    only: Collection[str] | None = None, anew: bool = False,
) -> Judged:  # fmt: skip
    """Measure all gates whose inputs exist now; `integration` waits for `served`.

    Args:
        trace: that of the graph the walk was read from: a gate's code must still be the text that it captured.
        only: these gates, and the releases' answers, which every result and every page names.
        anew: nothing that is stored counts, neither answers nor what was measured on them.
    """
    nodes = _nodes(walk, material)
    if only is not None:
        nodes = _behind(nodes, [n for n in nodes if n in ANSWERS or n.removeprefix("gate.") in only])
    releases = {"@release": material.release} | ({"@live": material.live} if material.live else {})
    done = measure(project, nodes, releases=releases, given=_given(material), trace=trace, tell=tell, anew=anew)
    evidence = {n: _evidence(project, walk, n, done.artifacts, done.steps) for n in walk.gates if f"gate.{n}" in nodes}
    verdicts = {n: _verdict(walk, n, e, done.artifacts) for n, e in evidence.items()}
    return Judged(evidence=evidence, verdicts=verdicts, artifacts=done.artifacts, steps=done.steps)


def _nodes(walk: Walk, material: Material) -> dict[str, Node]:
    """Scoring first, then a node per gate that can be measured."""
    packages = measured_with(walk)
    found = [
        answering("scored", "lockgate.release.scoring:scored", {"release": "@release", "holdout": "@holdout"}, packages)
    ]
    if material.live:
        found.append(
            answering(
                "champion", "lockgate.release.scoring:scored", {"release": "@live", "holdout": "@holdout"}, packages
            )
        )
    if material.trained:
        found.append(
            answering(
                "replayed",
                "lockgate.release.scoring:replayed",
                {"release": "@release", "trained": "@trained"},
                packages,
            )
        )
    found += artifact_steps(walk, packages, has_training_table=material.training_table is not None)
    given = _given(material)
    wired = {"release": "@manifest", "bundle": "@release", **{n.name: n.name for n in found}}
    named = {"served": "@served", "history": "@history", "live": "@live_manifest", "card": "@card"}
    wired |= {name: given_as for name, given_as in named.items() if given_as in given}
    for name, captured in walk.gates.items():
        if "served" in captured["takes"] and material.served is None:
            continue
        folder = contracts_of(captured["params"].get("consumers"))
        found.append(_gate(name, captured, wired | ({"contracts": folder} if folder in given else {})))
    return {n.name: n for n in found}


def _behind(nodes: Mapping[str, Node], wanted: Sequence[str]) -> dict[str, Node]:
    """These steps and what they read, in their order."""
    found = set(wanted)
    for name in reversed(tuple(nodes)):
        found |= {*nodes[name].inputs.values()} if name in found else set()
    return {n: node for n, node in nodes.items() if n in found}


def _gate(name: str, captured: Mapping[str, Json], wired: Mapping[str, str]) -> Node:
    takes = [n for n in INPUTS if n in captured["takes"]]
    inputs = {n: wired[n] for n in takes if n in wired}
    nothing = {n: None for n in INPUTS if n not in inputs}
    spec = {k: captured[k] for k in ("name", "evidence", "rule", "params")} | {"takes": takes}
    return Node(
        name=f"gate.{name}", target="lockgate.gates.stage:run_gate", inputs=inputs,
        input_types={n: INPUTS[n] for n in inputs}, parameters={"gate": spec, **nothing}, type=EVIDENCE, codec="json",
        definitions=tuple(Definition(**d) for d in captured["definitions"]), packages=tuple(captured["packages"]),
    )  # fmt: skip


def _given(material: Material) -> dict[str, Artifact]:
    found = {
        "@holdout": material.holdout,
        "@trained": material.trained,
        "@manifest": material.manifest,
        "@served": material.served,
        "@live_manifest": material.live_manifest,
        "@card": material.card,
        "@training_table": material.training_table,
        **{contracts_of(folder): a for folder, a in material.contracts.items()},
        "@history": material.history,
    }
    return {name: a for name, a in found.items() if a is not None}


def evidence_in(project: Project, stored: str) -> Evidence:
    """The evidence that an object of the store holds, by the codec that its step wrote it with."""
    return cast("Evidence", codecs.load("json", project.store.get(stored), Evidence))


def evidence_behind(project: Project, verdict: Verdict, *, params: Mapping[str, Json]) -> Evidence:
    """The evidence behind a signed verdict; the signed number alone, when its bytes are gone from the store."""
    try:
        return evidence_in(project, str(verdict.extra["object"]))
    except (KeyError, TypeError, ValueError, NotFound, IntegrityError):
        signed = verdict.extra.get("statistic")
        nothing = Estimate(name="nothing", value=None, why="its evidence is no longer in the store")
        statistic = from_json(Estimate, signed) if signed else nothing
        return Evidence(gate=verdict.gate, kind=verdict.kind, statistic=statistic, params=dict(params))


def _evidence(
    project: Project, walk: Walk, name: str, artifacts: Mapping[str, Artifact], steps: Sequence[StepRecord]
) -> Evidence:
    """What was measured; a gate that could not be measured is evidence without a number, which fails."""
    artifact = artifacts.get(f"gate.{name}")
    if artifact is not None:
        return evidence_in(project, artifact.object)
    why = next((s.reason for s in steps if s.name == f"gate.{name}"), "it was not measured")
    return Evidence(gate=name, kind=walk.gates[name]["rule"], statistic=Estimate(name="error", value=None, why=why))


def _verdict(walk: Walk, name: str, evidence: Evidence, artifacts: Mapping[str, Artifact]) -> Verdict:
    """The verdict, with the digest of its evidence and the object of the store that holds its bytes."""
    gate = next(s for s in walk.stages if isinstance(s, Gate) and s.name == name)
    verdict = judge_by_rule(evidence, gate.rule, limits_for(walk.policy, gate))
    artifact = artifacts.get(f"gate.{name}")
    if artifact is None:
        return replace(verdict, gate=name)
    return replace(verdict, gate=name, evidence=artifact.digest, extra={**verdict.extra, "object": artifact.object})


def judged_by(walk: Walk) -> dict[str, Json]:
    """What the page summarises: the columns, the metric and the baseline that the gates judge by."""
    params = [g["params"] for g in walk.gates.values()]
    columns = [p["by"] for p in params if isinstance(p.get("by"), list)]
    by = list(dict.fromkeys(c for some in columns for c in some if isinstance(c, str)))
    compared = [g["params"] for g in walk.gates.values() if g["rule"] in COMPARED]
    metric = next((p["metric"] for p in [*compared, *params] if "metric" in p), "wape")
    baseline = next((p["baseline"] for p in params if "baseline" in p), "")
    return {"by": by, "metric": metric, "baseline": baseline}
