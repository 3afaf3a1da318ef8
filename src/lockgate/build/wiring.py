"""What a step's parameters mean: names wire the graph.

A parameter without a default is looked up among the pipeline's steps, then the sources, then the datasets that other
pipelines publish; two hits are an error. One with a default is a parameter that `lockgate.toml` and `--param` may set.
"""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any, cast

from lockgate import codecs
from lockgate.codecs import json_value
from lockgate.errors import LockgateError, UsageError, did_you_mean
from lockgate.records.digest import Json, canonical
from lockgate.records.graph import AS_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockgate.declare import Pipeline, Step
    from lockgate.declare_command import Command

__all__ = ["Wiring", "address", "hints_of", "limits_of", "required", "where"]


class Wiring:
    """Finds what names mean in one project."""

    def __init__(self, pipelines: Sequence[Pipeline], sources: Sequence[str]) -> None:
        self._sources = sources
        self._published = _published(pipelines)
        self._steps = {p.name: {n: None for s in p.steps for n in s.names} for p in pipelines}
        for name in (*(n for p in pipelines for s in p.steps for n in s.names), *sources):
            if name == "as_of":
                raise UsageError(
                    "a name means two things", value=name, allowed="as_of is the project's day; call it otherwise"
                )

    def wire(self, pipeline: Pipeline, function: Callable[..., object]) -> tuple[dict[str, str], dict[str, Json]]:
        """A step's inputs (parameter → where it comes from) and its parameters (name → default as JSON)."""
        inputs: dict[str, str] = {}
        parameters: dict[str, Json] = {}
        hints = hints_of(function)
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise UsageError(
                    "a step cannot take *args, **kwargs or parameters without a name",
                    value=f"{function.__name__}: {name}", next=where(function),
                )  # fmt: skip
            if parameter.default is parameter.empty:
                inputs[name] = self.resolve(pipeline, name, function)
            else:
                parameters[name] = _default(function, name, parameter.default, hints)
        return inputs, parameters

    def resolve(self, pipeline: Pipeline, name: str, function: Callable[..., object] | Command | None = None) -> str:
        """Find what a name means; `function` None: the pipeline itself asks."""
        if name == "as_of" and function is not None:
            return AS_OF
        steps = self._steps[pipeline.name]
        hits = [f"{pipeline.name}.{name}"] if name in steps else []
        hits += [f"source:{name}"] if name in self._sources else []
        hits += [self._published[name]] if name in self._published else []
        hits = list(dict.fromkeys(hits))
        if len(hits) == 1:
            return hits[0]
        asker = (
            f"{getattr(function, 'name', None) or cast('Any', function).__name__}({name})"
            if function
            else f"{pipeline.name}: {name}"
        )
        raise UsageError(
            "a name means two things" if hits else "a name that nothing here has",
            value=asker,
            allowed=", ".join(hits) or did_you_mean(name, [*steps, *self._sources, *self._published]),
            next=where(function) if function else "",
        )


def address(step: Step[..., object]) -> str:
    """`module:qualname` under which a step's process will find it. Raises UsageError when it would find something else."""
    function = step.function
    name = f"{function.__module__}:{function.__qualname__}"
    found: object
    try:
        found = cast("object", codecs.resolve(name))
    except (AttributeError, ImportError):
        found = None
    if found is step or (found is function and step.contract is None and step.partitioned is None):
        return name
    raise UsageError(
        "a step cannot be found by its name", value=name.replace(":", "."),
        allowed="a function at the top level of a module, decorated there with @step", next=where(function),
    )  # fmt: skip


def limits_of(step: Step[..., object] | Command) -> dict[str, Any]:
    """What `@step` says about how it runs, checked, as fields of its node."""
    given = step.limits
    checks = {
        "memory_mb": (given.memory_mb is None or given.memory_mb > 0, "a whole number of MiB above 0"),
        "timeout_s": (given.timeout_s is None or given.timeout_s > 0, "seconds above 0"),
        "retries": (given.retries >= 0, "0 or more"),
        "allow": (
            all(given.allow) and (given.sandbox or not given.allow),
            "network, or paths; nothing beside sandbox=False",
        ),
    }
    for name, (holds, allowed) in checks.items():
        if not holds:
            raise UsageError(
                "a step's limit cannot be", value=f"{step.name}: {name}={getattr(given, name)!r}", allowed=allowed, next=where(step),
            )  # fmt: skip
    return {n: getattr(given, n) for n in ("sandbox", "memory_mb", "timeout_s", "retries")} | {
        "allow": tuple(given.allow)
    }


def hints_of(function: Callable[..., object]) -> dict[str, Any]:
    """The resolved annotations of a function."""
    try:
        return typing.get_type_hints(function)
    except (NameError, AttributeError) as error:
        raise UsageError(
            "an annotation names something unknown", value=f"{function.__name__}: {error}", next=where(function)
        ) from error


def required(hints: Mapping[str, Any], name: str, function: Callable[..., object]) -> Any:
    """The annotation of an input; an input without one is an error."""
    if name not in hints:
        raise UsageError(
            "an input has no annotation",
            value=f"{function.__name__}({name})",
            allowed="the type the step wants",
            next=where(function),
        )
    return hints[name]


def where(function: object) -> str:
    """Which line to edit, for messages: the file as it lies in the project, with the folders of its package."""
    plain = inspect.unwrap(cast("Any", function))
    if (code := getattr(plain, "__code__", None)) is None:
        return ""
    *folders, file = code.co_filename.split("/")
    packages = plain.__module__.count(".") + (file == "__init__.py")
    return f"edit {'/'.join([*folders[len(folders) - packages :], file])}:{code.co_firstlineno}"


def _published(pipelines: Sequence[Pipeline]) -> dict[str, str]:
    """Dataset name → node that makes it."""
    published: dict[str, str] = {}
    for pipeline in pipelines:
        names = [n for s in pipeline.steps for n in s.names]
        for name in pipeline.publishes:
            if name not in names:
                raise UsageError(
                    "a pipeline publishes what none of its steps makes",
                    value=f"{pipeline.name}: {name}",
                    allowed=did_you_mean(name, names),
                )
            if name in published:
                raise UsageError("two pipelines publish one dataset", value=name, allowed="one publisher per dataset")
            published[name] = f"{pipeline.name}.{name}"
    return published


def _default(function: Callable[..., object], name: str, default: object, hints: Mapping[str, Any]) -> Json:
    """A default as JSON, checked to come back as what the annotation says."""
    try:
        value = json_value.encode(default)
        canonical(value)
        if name in hints:
            json_value.decode(hints[name], value)
    except (LockgateError, TypeError, ValueError, KeyError) as error:
        raise UsageError(
            "a parameter's default cannot be written down", value=f"{function.__name__}({name}={default!r})"[:120],
            allowed="finite numbers, text, dates, dataclasses, and lists or dicts of these, as annotated", next=where(function),
        ) from error  # fmt: skip
    return value
