"""The captured graph: everything planning needs to know about a project, without importing it."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.records.digest import Json
from lockgate.records.frozen import field, frozen

__all__ = ["AS_OF", "Definition", "Each", "FileState", "Graph", "Node", "PipelineInfo", "Trace"]

AS_OF = "@as_of"
"""The name under which the project's day is wired to a parameter `as_of`."""


@frozen
class Definition:
    """One top-level definition that a step can reach. `digest` ignores comments, docstrings and layout."""

    name: str
    file: str
    line: int
    digest: str


@frozen(kw_only=True)
class Each:
    """A step that runs once per partition.

    Attributes:
        period: `day`, `week`, `month` or `year`.
        by: the date column that decides where a row belongs.
        lookback: how many periods before its own a partition sees.
        cut: the inputs that are cut to what a partition sees, sorted; they come from nodes that make datasets.
    """

    period: str
    by: str
    lookback: int
    cut: tuple[str, ...]


@frozen(kw_only=True)
class Node:
    """One step as the engine sees it; it knows no stage, no approval, no deployment.

    Attributes:
        name: unique in the project, `pipeline.step`.
        target: `module:qualname` of the function.
        inputs: parameter → node name, `source:NAME` or `@as_of`.
        input_types: parameter → `module:qualname` of its annotation.
        parameters: parameter → default.
        type: of the output, `module:qualname`.
        codec: of the output.
        definitions: the code closure.
        widened: which modules count as a whole and why; for people, part of no key.
        packages: `distribution==version` it reaches, with what these require.
        checked: the step declares a contract.
        doc: what its docstring says first; part of no key.
        each: it runs once per partition, and its output is a dataset.
        sandbox: False: the step asked to run without.
        allow: what the sandbox leaves open beside the inputs: `network`, or paths to read.
        memory_mb, timeout_s: limits; a step that breaks one is ended.
        retries: how often it runs again after an error that is marked retryable.
        command: the program that it starts, or the output of one that it takes (`build/program.py`); None: a function.
    """

    name: str
    target: str
    inputs: Mapping[str, str]
    input_types: Mapping[str, str]
    parameters: Mapping[str, Json]
    type: str
    codec: str
    definitions: tuple[Definition, ...]
    packages: tuple[str, ...]
    checked: bool = False
    doc: str = ""
    each: Each | None = None
    sandbox: bool = True
    allow: tuple[str, ...] = ()
    memory_mb: int | None = None
    timeout_s: float | None = None
    retries: int = 0
    widened: tuple[str, ...] = ()
    command: Mapping[str, Json] | None = None

    @property
    def guard(self) -> str:
        """What its sandbox shuts, in words: `on`, `on but for …`, `off`."""
        if not self.sandbox:
            return "off"
        return f"on but for {', '.join(self.allow)}" if self.allow else "on"


@frozen(kw_only=True)
class PipelineInfo:
    """A declared pipeline: its kind, its nodes in order, and what later stages need of it."""

    name: str
    kind: str
    module: str
    nodes: tuple[str, ...]
    publishes: tuple[str, ...] = ()
    predictor: Mapping[str, Json] | None = None
    holdout: str | None = None
    trained_rows: str | None = None
    delivers: str | None = None
    stages: tuple[Mapping[str, Json], ...] = ()
    training_table: str | None = None


@frozen
class FileState:
    """A file as it was seen. The five numbers are a shortcut that is not trusted within 2 s of `seen_ns`."""

    path: str
    state: tuple[int, int, int, int, int]
    seen_ns: int
    digest: str


@frozen(kw_only=True)
class Trace:
    """What the capture looked at; while all of it holds, nothing of the user's needs importing.

    Attributes:
        interpreter: version, implementation and platform.
        files: project files read.
        listings: folder → digest of its Python file names.
        environment: name asked for → digest of the value, or None when it was absent.
        packages: `site-packages` folders → mtime_ns.
        preload: third-party modules that the pipelines import, for the worker template.
    """

    interpreter: str
    files: tuple[FileState, ...]
    listings: Mapping[str, str]
    environment: Mapping[str, str | None]
    packages: Mapping[str, int]
    preload: tuple[str, ...]


@frozen(kw_only=True)
class Graph:
    """Nodes, their topological order, the pipelines they belong to, and the trace under which this is true.

    `extra["packages"]`: `distribution==version` of all that importing the pipelines loads.
    `extra["contracts"]`: node name → what its step's contract promises, for contracts that can describe themselves.
    """

    nodes: Mapping[str, Node]
    order: tuple[str, ...]
    pipelines: Mapping[str, PipelineInfo]
    trace: Trace
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
