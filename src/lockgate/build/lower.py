"""Pipelines (values that hold functions) → nodes (data). Runs in the capture child only."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from typing import TYPE_CHECKING, get_args, get_type_hints

from lockgate import codecs
from lockgate.build.acting import Effects
from lockgate.build.closure import closure
from lockgate.build.commands import Commands
from lockgate.build.modules import Project
from lockgate.build.packages import Installed
from lockgate.build.splitting import Splitting
from lockgate.build.trace import environment_digest
from lockgate.build.wiring import Wiring, address, hints_of, limits_of, required, where
from lockgate.codecs import json_value
from lockgate.declare import Approval, DeployTo, Gate, Horizon, Pipeline, Predictor, Step
from lockgate.declare_command import Command
from lockgate.errors import UsageError, did_you_mean
from lockgate.records.dataset import DATASET
from lockgate.records.digest import Json
from lockgate.records.graph import Definition, Node, PipelineInfo
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from lockgate.build.closure import Closure
    from lockgate.build.looking import Looking

__all__ = ["lower"]

SUMMARY_LENGTH = 300
FACADE = ("lockgate.step", "lockgate.predictor", "lockgate.Pipeline", "lockgate.Choices", "lockgate.Horizon", "lockgate.Range",
          "lockgate.Html", "lockgate.Svg", "lockgate.approval", "lockgate.deploy_to", "lockgate.command", "lockgate.declare",
          "lockgate.declare_command", "lockgate.declare_fields")  # fmt: skip
"""Declarations: they carry no behaviour into a step, so they are not part of its key."""

MEASURED_WITH = ("numpy", "scipy")
"""What Lockgate itself computes evidence with; its own metadata names them in an extra only."""


def lower(
    root: Path, modules: Sequence[str], sources: Sequence[str], *, looking: Looking, imported: Sequence[str] = ()
) -> dict[str, Json]:
    """Lower every Pipeline value of the modules. `looking` learns which files analysis read.

    `imported`: third-party modules that importing them loaded, whether a step reaches them or not.
    """
    pipelines = _find_pipelines(modules)
    lowering = _Lowering(root, looking, [p for p, _ in pipelines], sources)
    nodes: dict[str, Node] = {}
    for pipeline, _ in pipelines:
        for step in pipeline.steps:
            for node in lowering.nodes(pipeline, step):
                if nodes.setdefault(node.name, node) is not node:
                    raise UsageError(
                        "two steps have one name", value=node.name, allowed="one name, one step", next=where(step)
                    )
    infos = {p.name: lowering.info(p, module) for p, module in pipelines}
    nodes |= lowering.splitting.nodes
    ordered = _topological(nodes)
    lowering.note_files()
    return {
        "nodes": {n: to_json(node) for n, node in nodes.items()},
        "order": ordered,
        "pipelines": {n: to_json(i) for n, i in infos.items()},
        "packages": list(lowering.installed.reached(imported)),
        "contracts": {f"{p.name}.{s.name}": c for p, _ in pipelines for s in p.steps if (c := _promise(s))},
    }


def _summary(function: Callable[..., object]) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())[:SUMMARY_LENGTH]


def _find_pipelines(modules: Sequence[str]) -> list[tuple[Pipeline, str]]:
    found: dict[str, tuple[Pipeline, str]] = {}
    for module in modules:
        for value in vars(sys.modules[module]).values():
            if isinstance(value, Pipeline):
                known = found.setdefault(value.name, (value, module))
                if known[0] is not value:
                    raise UsageError("two pipelines have one name", value=value.name, allowed="one name, one pipeline")
    if not found:
        raise UsageError(
            "no Pipeline value in the modules",
            value=", ".join(modules),
            next="see [project] pipelines in lockgate.toml",
        )
    return list(found.values())


class _Lowering:
    """What lowering needs to know beside the step itself."""

    def __init__(self, root: Path, looking: Looking, pipelines: Sequence[Pipeline], sources: Sequence[str]) -> None:
        self.project = Project(root)
        self.effects = Effects(self.project)
        self.installed = Installed(root)
        self.looking = looking
        self.wiring = Wiring(pipelines, sources)
        self.splitting = Splitting(pipelines, self.installed.reached)

    def nodes(self, pipeline: Pipeline, step: Step[..., object] | Command) -> tuple[Node, ...]:
        """Lower one step; a command may give several."""
        if not isinstance(step, Command):
            return (self._node(pipeline, step),)
        inputs = {n: self.splitting.whole(self.wiring.resolve(pipeline, n, step)) for n in step.reads}
        return Commands(self.project.root, self.looking, self.installed).nodes(pipeline.name, step, inputs)

    def _node(self, pipeline: Pipeline, step: Step[..., object]) -> Node:
        function = step.function
        hints = hints_of(function)
        if "return" not in hints:
            raise UsageError(
                "a step has no return annotation", value=step.name, allowed="the type it returns", next=where(function)
            )
        target = address(step)
        inputs, parameters = self.wiring.wire(pipeline, function)
        types = {n: codecs.type_name(required(hints, n, function)) for n in inputs}
        each = self.splitting.each(step, types, codecs.type_name(hints["return"]))
        code = self._closure(target)
        return Node(
            name=f"{pipeline.name}.{step.name}",
            target=target,
            inputs=self.splitting.wired(inputs, each),
            input_types=types,
            parameters=parameters,
            type=codecs.type_name(hints["return"]),
            codec=DATASET if each else codecs.codec_for(hints["return"]),
            definitions=self._definitions(code, step.limits.environment),
            packages=self._packages(code),
            widened=code.widened,
            checked=step.contract is not None,
            doc=_summary(function),
            each=each,
            **limits_of(step),
        )

    def note_files(self) -> None:
        """Whatever analysis read counts as looked at."""
        for module in self.project.modules.values():
            if module is not None:
                self.looking.note_file(module.file, module.text)
        for name, found in self.installed.files().items():
            self.looking.note_file(name, found)

    def _whole(self, pipeline: Pipeline, name: str, function: Callable[..., object] | None = None) -> str:
        return self.splitting.whole(self.wiring.resolve(pipeline, name, function))

    def _closure(self, *targets: str) -> Closure:
        pairs = [(module, name) for module, _, name in (t.partition(":") for t in targets)]
        return closure(self.project, pairs, effects=self.effects)

    def _definitions(self, code: Closure, variables: Sequence[str] = ()) -> tuple[Definition, ...]:
        """The code, and what it looked at on import or will ask of the environment."""
        names = sorted({*code.environment, *variables})
        self.looking.environment.update(names)
        asked = [Definition(f"environment {n}", "", 0, environment_digest(n) or "absent") for n in names]
        looked = {d.name: d for d in (*asked, *self.looking.definitions(code.modules))}
        return (*code.definitions, *(d for _, d in sorted(looked.items())))

    def _packages(self, code: Closure, *more: str) -> tuple[str, ...]:
        return self.installed.reached([*(m for m in code.third_party if not m.startswith(FACADE)), *more])

    def info(self, pipeline: Pipeline, module: str) -> PipelineInfo:
        """Lower what later stages need of a pipeline: a table in one piece, whoever made it in partitions."""
        named = (pipeline.holdout, pipeline.trained_rows, pipeline.training_table)
        holdout, trained_rows, training_table = (n and self._whole(pipeline, n) for n in named)
        predictor = self._predictor(pipeline, pipeline.predictor) if pipeline.predictor else None
        joined = {holdout, trained_rows, training_table, *(predictor or {}).get("inputs", {}).values()} & set(
            self.splitting.nodes
        )
        return PipelineInfo(
            name=pipeline.name,
            kind=pipeline.kind,
            module=module,
            nodes=(*(f"{pipeline.name}.{n}" for s in pipeline.steps for n in s.names), *sorted(n for n in joined if n)),
            publishes=tuple(pipeline.publishes),
            predictor=predictor,
            holdout=holdout,
            trained_rows=trained_rows,
            delivers=pipeline.delivers.name if pipeline.delivers else None,
            stages=tuple(self._stage(s) for s in pipeline.stages),
            training_table=training_table,
        )

    def _predictor(self, pipeline: Pipeline, predictor: Predictor) -> dict[str, Json]:
        """The predictor's wiring, its code files, and the packages it reaches."""
        function = predictor.function
        hints = hints_of(function)
        requests = next(iter(inspect.signature(function).parameters))
        names = [n for n in inspect.signature(function).parameters if n not in (requests, "as_of")]
        parts = (function, predictor.explain, predictor.features, predictor.request, predictor.response)
        code = self._closure(*(f"{f.__module__}:{f.__qualname__}" for f in parts if f is not None))
        return {
            "target": f"{function.__module__}:{function.__qualname__}",
            "variable": next(k for k, v in vars(sys.modules[function.__module__]).items() if v is predictor),
            "inputs": {n: self._whole(pipeline, n, function) for n in names},
            "input_types": {n: codecs.type_name(required(hints, n, function)) for n in names},
            "state": dict(predictor.state),
            "dated": _dated(predictor),
            "modules": list(code.modules),
            "files": sorted(str(f.relative_to(self.project.root)) for m in code.modules if (f := self.project.file(m))),
            "definitions": [to_json(d) for d in self._definitions(code)],
            "packages": list(self._packages(code, "lockgate")),
            "imports": list(self.installed.reached(_imported(f for m in code.modules if (f := self.project.file(m))))),
            "measured_with": list(self.installed.reached(MEASURED_WITH)),
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
        code = self._closure(f"{function.__module__}:{function.__qualname__}")
        return {
            "kind": "gate", "name": stage.name, "rule": stage.rule,
            "evidence": f"{function.__module__}:{function.__qualname__}",
            **_taken(stage, function),
            "params": json_value.encode(dict(stage.params)), "limits": json_value.encode(dict(stage.limits)),
            "definitions": [to_json(d) for d in self._definitions(code)],
            "packages": list(self.installed.reached([*code.third_party, "lockgate.gates", *MEASURED_WITH])),
        }  # fmt: skip


def _promise(step: Step[..., object] | Command) -> Json:
    """What a step's contract promises, as data; None without one, or with one of somebody's own that cannot tell."""
    described = getattr(getattr(step, "contract", None), "described", None)
    return described() if callable(described) else None


def _dated(predictor: Predictor) -> bool:
    """What `PredictorSpec.dated` will say of the declaration."""
    marks = [m for h in get_type_hints(predictor.request, include_extras=True).values() for m in get_args(h)]
    taken = inspect.signature(predictor.function).parameters
    return bool(predictor.state) or "as_of" in taken or any(isinstance(m, Horizon) for m in marks)


def _imported(files: Iterable[Path]) -> list[str]:
    """Top-level names that files import, whether their code is reached or not: importing the files takes them all."""
    nodes = [n for f in files for n in ast.walk(ast.parse(f.read_bytes()))]
    names = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    return sorted({name.partition(".")[0] for name in names})


def _evidence_function(gate: Gate) -> Callable[..., object]:
    """The function that measures; built-in gates name theirs, so that declaring one imports no numpy."""
    if not isinstance(gate.evidence, str):
        return gate.evidence
    module, _, name = gate.evidence.partition(":")
    return getattr(importlib.import_module(module), name)


def _taken(gate: Gate, function: Callable[..., object]) -> dict[str, Json]:
    """What a gate's function asks for by name beside its declared parameters, and what of it may be left out."""
    parameters = inspect.signature(function).parameters
    if unused := sorted(set(gate.params) - set(parameters)):
        raise UsageError(
            "a gate has a parameter that its function does not take", value=f"{gate.name}: {unused[0]}",
            allowed=did_you_mean(unused[0], parameters), next=where(function),
        )  # fmt: skip
    takes = [n for n in parameters if n not in gate.params]
    optional = [n for n in takes if parameters[n].default is not inspect.Parameter.empty]
    return {"takes": takes, "optional": optional, "where": where(function)}


def _topological(nodes: Mapping[str, Node]) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    try:
        return list(
            TopologicalSorter(
                {n: sorted(i for i in node.inputs.values() if i in nodes) for n, node in nodes.items()}
            ).static_order()
        )
    except CycleError as error:
        raise UsageError("steps depend on each other in a circle", value=" → ".join(error.args[1])) from error
