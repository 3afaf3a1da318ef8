"""What a delivery pipeline declares, put together with the policy: the way a release has to go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.declare import Approval, DeployTo, Gate, Pipeline, Stage
from lockgate.delivery.graph import graph_of
from lockgate.errors import NotFound, UsageError, did_you_mean
from lockgate.gates.binding import Ask, ask_for, results
from lockgate.gates.measure import INPUTS
from lockgate.gates.policy import (
    Policy,
    check_policy,
    declaration,
    parse_policy,
    policy_digest,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph, PipelineInfo
    from lockgate.records.trust import Trusted

__all__ = ["Walk", "walk_now", "walk_of"]


@dataclass(frozen=True, slots=True)
class Walk:
    """The stages of one delivery pipeline with everything that decides about them.

    Attributes:
        delivery, training: the two pipelines as captured.
        gates: gate name → what was captured about its code.
        digest: *the* policy digest: policy and declaration together.
        graph: where both pipelines come from.
    """

    delivery: PipelineInfo
    training: PipelineInfo
    stages: tuple[Stage, ...]
    gates: Mapping[str, Mapping[str, Json]]
    policy: Policy
    digest: str
    graph: Graph

    @property
    def environments(self) -> tuple[str, ...]:
        """In the order they are entered."""
        return tuple(s.environment for s in self.stages if isinstance(s, DeployTo))

    @property
    def wants_validators(self) -> bool:
        """Whether some environment wants gates measured again: else `validator` is a role like any free name (ADR 38)."""
        return any(self.policy.environment(e).remeasured for e in self.environments)

    def stages_before(self, environment: str) -> tuple[Stage, ...]:
        """Everything a release has met when it enters an environment."""
        for position, stage in enumerate(self.stages):
            if isinstance(stage, DeployTo) and stage.environment == environment:
                return self.stages[:position]
        return self.stages

    @property
    def policy_files(self) -> tuple[str, ...]:
        """Every file that can decide what a release is judged by, from the project's root.

        `policy.toml`, and all that declaring the pipelines read: the delivery's module, modules that it takes limits from,
        own gates' code, a reference population. Whatever is imported on the way can change a limit, so none is left out.
        """
        read = {f.path for f in self.graph.trace.files if not f.path.startswith("/")}
        coded = {d["file"] for gate in self.gates.values() for d in gate["definitions"] if d["file"]}
        module = self.delivery.module.replace(".", "/") + ".py"
        return tuple(sorted({"policy.toml", module, *read, *(f for f in coded if not f.startswith("/"))}))

    @property
    def approved_only(self) -> tuple[str, ...]:
        """Environments with an approval directly before them."""
        found: list[str] = []
        asked = False
        for stage in self.stages:
            asked = asked or isinstance(stage, Approval)
            if isinstance(stage, DeployTo):
                found += [stage.environment] if asked else []
                asked = False
        return tuple(found)

    def ask(self, trust: Trusted, release: str, environment: str) -> Ask:
        """What people are asked about a release before an environment; its uncertain gates are to be accepted by name."""
        found = results(trust.said, release=release, policy=self.digest)
        uncertain = [name for name, result in found.items() if result.verdict.outcome == "uncertain"]
        return ask_for(self.stages, environment, policy=self.policy, uncertain=uncertain)

    def check(self, environment: str) -> None:
        """Raise NotFound for an environment that no stage deploys to."""
        if environment not in self.environments:
            what = "the delivery pipeline does not deploy there"
            raise NotFound(
                what, value=environment, allowed=did_you_mean(environment, self.environments),
                next="lockgate status   (it lists them, in the order they are entered)",
            )  # fmt: skip


def walk_now(project: Project, *, now: dt.datetime, own: bool = False) -> Walk:
    """The delivery pipeline and the policy as the working copy says now. `own`: as of `graph_of`."""
    return walk_of(project, graph_of(project, now_ns=int(now.timestamp() * 1e9), own=own))


def walk_of(project: Project, graph: Graph) -> Walk:
    """Read the only delivery pipeline and `policy.toml`; check one against the other."""
    found = [p for p in graph.pipelines.values() if p.kind == "delivery"]
    if not found:
        raise NotFound(
            "this project has no delivery pipeline, so no releases", value=project.settings.name,
            allowed='Pipeline("…", kind="delivery", delivers=training, stages=[…])',
            next="declare one in a module of [project] pipelines",
        )  # fmt: skip
    if len(found) != 1 or found[0].delivers is None:
        raise UsageError(
            "the project needs exactly one delivery pipeline", value=", ".join(p.name for p in found),
            allowed='Pipeline("…", kind="delivery", delivers=training, stages=[…])',
        )  # fmt: skip
    delivery = found[0]
    training = graph.pipelines[found[0].delivers]
    _check_names(s["name"] for s in delivery.stages if s["kind"] == "gate")
    stages = tuple(_stage(s) for s in delivery.stages)
    policy = _policy(project)
    declared = Pipeline(delivery.name, kind="delivery", stages=stages)
    check_policy(policy, declared)
    captured = {s["name"]: s for s in delivery.stages if s["kind"] == "gate"}
    for gate in captured.values():
        _check_inputs(gate)
    return Walk(delivery, training, stages, captured, policy, policy_digest(policy, declaration(declared)), graph)


def _check_names(gates: Iterable[str]) -> None:
    """A gate's limits, result and waivers are found by its name; two of one name would be judged by each other's."""
    for name, times in Counter(gates).items():
        if times > 1:
            raise UsageError(
                "two gates of the delivery pipeline have one name", value=name, allowed="each name once",
                next=f'give one of them a name of its own: name="{name}_…"',
            )  # fmt: skip


def _check_inputs(gate: Mapping[str, Json]) -> None:
    """A gate's function asks by parameter name, for what there is."""
    unknown = [n for n in gate["takes"] if n not in INPUTS and n not in gate.get("optional", ())]
    if unknown:
        raise UsageError(
            "a gate asks for something that no release has", value=f"{gate['name']}({unknown[0]})",
            allowed=did_you_mean(unknown[0], INPUTS) + "; or a value in gates.custom(…)", next=str(gate.get("where", "")),
        )  # fmt: skip


def _policy(project: Project) -> Policy:
    path = project.root / "policy.toml"
    if not path.is_file():
        raise NotFound("no policy.toml beside lockgate.toml", value=str(project.root), next="lockgate init")
    return parse_policy(path.read_text(encoding="utf-8"))


def _stage(data: Mapping[str, Json]) -> Stage:
    if data["kind"] == "approval":
        return Approval(data["role"], data["valid_for"])
    if data["kind"] == "deploy_to":
        return DeployTo(data["environment"])
    return Gate(data["name"], data["evidence"], data["rule"], data["params"], data["limits"])
