"""Write what steps made to where it is wanted, once each: the sink itself says what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.delivery.run import node_named
from lockgate.errors import NotFound, UsageError
from lockgate.project import adapter
from lockgate.records.rows import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.delivery.run import RunRecord
    from lockgate.ports import Sink
    from lockgate.project import Project, SinkSettings
    from lockgate.records.artifact import Artifact
    from lockgate.records.graph import Graph

__all__ = ["Written", "sinks_of", "write"]


@dataclass(frozen=True, slots=True)
class Written:
    """What went into one sink: rows sent now (0: it held the artifact already), and rows of the artifact."""

    name: str
    rows: int
    total: int
    artifact: str


def sinks_of(project: Project, graph: Graph, targets: Sequence[str]) -> tuple[tuple[SinkSettings, str], ...]:
    """The sinks that these targets feed, each with its node. Raises NotFound for a `from` that is no step."""
    found: list[tuple[SinkSettings, str]] = []
    for sink in project.settings.sinks:
        try:
            node = node_named(graph, sink.step)
        except NotFound as error:
            raise UsageError(
                "a sink is fed by no step of this project", value=f'{sink.name}: from = "{sink.step}"', allowed=error.allowed,
                next=f"edit [sinks.{sink.name}] in lockgate.toml",
            ) from error  # fmt: skip
        if node in targets:
            found.append((sink, node))
    return tuple(found)


def write(project: Project, sinks: Sequence[tuple[SinkSettings, str]], record: RunRecord) -> tuple[Written, ...]:
    """Bring every sink to what the run made; one that holds it already is left alone."""
    return tuple(_write(project, sink, record.artifacts[node]) for sink, node in sinks)


def _write(project: Project, settings: SinkSettings, artifact: Artifact) -> Written:
    sink: Sink = adapter("sqlite", "SqliteSink")(
        settings.name, project.root / settings.path, table=settings.table, mode=settings.mode, key=settings.key
    )
    held = sink.mark()
    if held is not None and held.artifact == artifact.digest:
        return Written(settings.name, 0, held.rows, artifact.digest)
    from lockgate.codecs import rows

    table = rows.table_of(project.store.get(artifact.object), sink=settings.name)
    new = table
    if settings.mode == "upsert":
        rows.unique(table, settings.key, sink=settings.name)
    if settings.mode == "append" and held is not None:
        _begins_with(settings, table, held, rows.prefix_identity)
        new = table[held.rows :]
    kinds, batches = rows.rows_of(new, sink=settings.name)
    wrote = sink.write(batches, kinds=kinds, mark=Mark(artifact.digest, len(table)), after=held)
    return Written(settings.name, len(new) if wrote else 0, len(table), artifact.digest)


def _begins_with(settings: SinkSettings, table: Any, held: Mark, identity: Any) -> None:
    """What is appended to must still be the table's beginning."""
    if len(table) < held.rows or identity(table, held.rows) != held.artifact:
        raise UsageError(
            "a sink that appends cannot follow: rows that were written before are not the same any more",
            value=f"{settings.name}: the first {held.rows} rows of {settings.step}",
            allowed='for mode = "append", a step whose table only grows at its end',
            next=f'set mode = "replace" or "upsert" in [sinks.{settings.name}]',
        )
