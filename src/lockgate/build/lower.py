"""Pipelines (values that hold functions) → nodes (data). Runs in the capture child only.

Names wire the graph: a parameter without a default is looked up among the pipeline's steps, then the sources,
then the datasets that other pipelines publish; two hits are an error.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from typing import TYPE_CHECKING, Any

from lockgate import codecs
from lockgate.build.closure import Project, closure
from lockgate.build.packages import Installed, editable_folder, site_folders
from lockgate.codecs import json_value
from lockgate.declare import Approval, DeployTo, Gate, Pipeline, Predictor, Step
from lockgate.errors import UsageError, did_you_mean
from lockgate.records.digest import Json
from lockgate.records.graph import AS_OF, Node, PipelineInfo
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["lower"]

FACADE = ("lockgate.step", "lockgate.predictor", "lockgate.Pipeline", "lockgate.Choices", "lockgate.Horizon",
          "lockgate.Html", "lockgate.Svg", "lockgate.approval", "lockgate.deploy_to", "lockgate.declare")  # fmt: skip
"""Declarations: they carry no behaviour into a step, so they are not part of its key."""


def lower(root: Path, modules: Sequence[str], sources: Sequence[str]) -> dict[str, Json]:
    """Lower every Pipeline value of the modules."""
    pipelines = _find_pipelines(modules)
    published = _published(pipelines)
    lowering = _Lowering(Project(root), Installed(), sources, published)
    nodes = {n.name: n for p, _ in pipelines for s in p.steps if (n := lowering.node(p, s))}
    infos = {p.name: lowering.info(p, module) for p, module in pipelines}
    ordered = _topological(nodes)
    return {
        "nodes": {n: to_json(node) for n, node in nodes.items()},
        "order": ordered,
        "pipelines": {n: to_json(i) for n, i in infos.items()},
        "packages": site_folders(),
        "editable": _editable_files(),
    }


def _find_pipelines(modules: Sequence[str]) -> list[tuple[Pipeline, str]]:
    found: dict[str, tuple[Pipeline, str]] = {}
    for module in modules:
        for value in vars(sys.modules[module]).values():
            if isinstance(value, Pipeline):
                known = found.setdefault(value.name, (value, module))
                if known[0] is not value:
                    raise UsageError("two pipelines have one name", value=value.name, allowed="one name, one pipeline")
    if not found:
        raise UsageError("no Pipeline value in the modules", value=", ".join(modules), next="see [project] pipelines in lockgate.toml")
    return list(found.values())


def _published(pipelines: Sequence[tuple[Pipeline, str]]) -> dict[str, str]:
    """Dataset name → node that makes it."""
    published: dict[str, str] = {}
    for pipeline, _ in pipelines:
        names = [s.name for s in pipeline.steps]
        for name in pipeline.publishes:
            if name not in names:
                raise UsageError("a pipeline publishes what none of its steps makes", value=f"{pipeline.name}: {name}", allowed=did_you_mean(name, names))
            if name in published:
                raise UsageError("two pipelines publish one dataset", value=name, allowed="one publisher per dataset")
            published[name] = f"{pipeline.name}.{name}"
    return published


class _Lowering:
    """What lowering needs to know beside the step itself."""

    def __init__(self, project: Project, installed: Installed, sources: Sequence[str], published: Mapping[str, str]) -> None:
        self.project = project
        self.installed = installed
        self.sources = sources
        self.published = published

    def node(self, pipeline: Pipeline, step: Step[..., object]) -> Node:
        """Lower one step."""
        function = step.function
        hints = _hints(function)
        if "return" not in hints:
            raise UsageError("a step has no return annotation", value=step.name, allowed="the type it returns", next=_where(function))
        inputs, parameters = self._wire(pipeline, function)
        code = closure(self.project, [(function.__module__, function.__qualname__)])
        return Node(
            name=f"{pipeline.name}.{step.name}",
            target=f"{function.__module__}:{function.__qualname__}",
            inputs=inputs,
            input_types={n: codecs.type_name(_required(hints, n, function)) for n in inputs},
            parameters=parameters,
            type=codecs.type_name(hints["return"]),
            codec=codecs.codec_for(hints["return"]),
            definitions=code.definitions,
            packages=self.installed.reached(m for m in code.third_party if not m.startswith(FACADE)),
            checked=step.contract is not None,
            isolate=step.isolate,
        )

    def _wire(self, pipeline: Pipeline, function: Callable[..., object]) -> tuple[dict[str, str], dict[str, Json]]:
        inputs: dict[str, str] = {}
        parameters: dict[str, Json] = {}
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise UsageError("a step cannot take *args or **kwargs", value=f"{function.__name__}: {name}", next=_where(function))
            if parameter.default is not parameter.empty:
                parameters[name] = json_value.encode(parameter.default)
            else:
                inputs[name] = self.resolve(pipeline, name, function)
        return inputs, parameters

    def resolve(self, pipeline: Pipeline, name: str, function: Callable[..., object]) -> str:
        """Find what a parameter's name means."""
        if name == "as_of":
            return AS_OF
        own = [f"{pipeline.name}.{name}"] if name in [s.name for s in pipeline.steps] else []
        hits = own + [f"source:{name}" for s in self.sources if s == name]
        if not own and name in self.published:
            hits.append(self.published[name])
        if len(hits) == 1:
            return hits[0]
        known = [*(s.name for s in pipeline.steps), *self.sources, *self.published]
        what = "a parameter's name means two things" if hits else "a parameter names nothing known"
        raise UsageError(what, value=f"{function.__name__}({name})", allowed=", ".join(hits) or did_you_mean(name, known), next=_where(function))

    def info(self, pipeline: Pipeline, module: str) -> PipelineInfo:
        """Lower what later stages need of a pipeline."""
        def wired(name: str | None, function: Callable[..., object] = _nothing) -> str | None:
            return None if name is None else self.resolve(pipeline, name, function)

        return PipelineInfo(
            name=pipeline.name,
            kind=pipeline.kind,
            module=module,
            nodes=tuple(f"{pipeline.name}.{s.name}" for s in pipeline.steps),
            publishes=tuple(pipeline.publishes),
            predictor=self._predictor(pipeline, pipeline.predictor) if pipeline.predictor else None,
            holdout=wired(pipeline.holdout),
            trained_rows=wired(pipeline.trained_rows),
            delivers=pipeline.delivers.name if pipeline.delivers else None,
            stages=tuple(self._stage(s) for s in pipeline.stages),
        )

    def _predictor(self, pipeline: Pipeline, predictor: Predictor) -> dict[str, Json]:
        """The predictor's wiring, its code files, and the packages it reaches."""
        function = predictor.function
        hints = _hints(function)
        requests = next(iter(inspect.signature(function).parameters))
        names = [n for n in inspect.signature(function).parameters if n not in (requests, "as_of")]
        targets = [(f.__module__, f.__qualname__) for f in (function, predictor.explain, predictor.request, predictor.response) if f is not None]
        code = closure(self.project, targets)
        return {
            "target": f"{function.__module__}:{function.__qualname__}",
            "variable": next(k for k, v in vars(sys.modules[function.__module__]).items() if v is predictor),
            "inputs": {n: self.resolve(pipeline, n, function) for n in names},
            "input_types": {n: codecs.type_name(_required(hints, n, function)) for n in names},
            "state": dict(predictor.state),
            "modules": list(code.modules),
            "files": sorted(str(f.relative_to(self.project.root)) for m in code.modules if (f := self.project.file(m))),
            "definitions": [to_json(d) for d in code.definitions],
            "packages": list(self.installed.reached([*(m for m in code.third_party if not m.startswith(FACADE)), "lockgate"])),
        }

    def _stage(self, stage: object) -> dict[str, Json]:
        """A stage as data; of a gate also what its evidence function takes and what its code can reach."""
        if isinstance(stage, Approval):
            return {"kind": "approval", "role": stage.role, "valid_for": stage.valid_for}
        if isinstance(stage, DeployTo):
            return {"kind": "deploy_to", "environment": stage.environment}
        if not isinstance(stage, Gate):
            raise UsageError("not a stage", value=repr(stage)[:80], allowed="gates.…(), approval(…), deploy_to(…)")
        function = _evidence_function(stage)
        code = closure(self.project, [(function.__module__, function.__qualname__)])
        return {
            "kind": "gate", "name": stage.name, "rule": stage.rule,
            "evidence": f"{function.__module__}:{function.__qualname__}",
            "takes": {n: codecs.type_name(codecs.plain(t)) for n, t in _hints(function).items() if n != "return"},
            "params": json_value.encode(dict(stage.params)), "limits": json_value.encode(dict(stage.limits)),
            "definitions": [to_json(d) for d in code.definitions],
            "packages": list(self.installed.reached([*code.third_party, "lockgate.gates"])),
        }  # fmt: skip


def _nothing() -> None:
    """Stands for the pipeline's own declaration in messages."""


def _evidence_function(gate: Gate) -> Callable[..., object]:
    """The function that measures; built-in gates name theirs, so that declaring one imports no numpy."""
    if not isinstance(gate.evidence, str):
        return gate.evidence
    module, _, name = gate.evidence.partition(":")
    return getattr(importlib.import_module(module), name)


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise UsageError("an annotation names something unknown", value=f"{function.__name__}: {error}", next=_where(function)) from error


def _required(hints: Mapping[str, Any], name: str, function: Callable[..., object]) -> Any:
    if name not in hints:
        raise UsageError("an input has no annotation", value=f"{function.__name__}({name})", allowed="the type the step wants", next=_where(function))
    return hints[name]


def _where(function: Callable[..., object]) -> str:
    code = inspect.unwrap(function).__code__
    return f"edit {code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


def _topological(nodes: Mapping[str, Node]) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    try:
        return list(TopologicalSorter({n: sorted(i for i in node.inputs.values() if i in nodes) for n, node in nodes.items()}).static_order())
    except CycleError as error:
        raise UsageError("steps depend on each other in a circle", value=" → ".join(error.args[1])) from error


def _editable_files() -> list[str]:
    """Files of editable installs: their version says nothing, so the trace watches them."""
    from importlib import metadata

    folders = [editable_folder(d) for d in metadata.distributions() if '"editable"' in (d.read_text("direct_url.json") or "")]
    return sorted(str(f) for folder in folders if folder for f in folder.rglob("*.py"))
