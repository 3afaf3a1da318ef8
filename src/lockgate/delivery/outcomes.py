"""What the steps of a run made, stored under their fingerprints: one by one, or a group with one wait for the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.build.machine import machine
from lockgate.records.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lockgate.build.saving import Unsaved
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node
    from lockgate.records.plan import Result

__all__ = ["Outcomes"]


class Outcomes:
    """Stores results. `last` learns the key of each node's; what a partition was made from, its step's result says.

    `keep_many` is None where groups are of no use: then a step's output has to be in the store before its result.
    """

    def __init__(self, project: Project, nodes: Mapping[str, Node], last: dict[str, str]) -> None:
        self._results, self._together = project.results("results"), project.together("results")
        self._nodes, self._last, self._machine = nodes, last, machine()

    def keep(self, node: str, key: str, result: Result) -> None:
        """Store one."""
        self._results.put(key, self._record(node, result))
        if node in self._nodes:
            self._last[node] = key

    @property
    def keep_many(self) -> Callable[[Sequence[Unsaved]], None] | None:
        """Stores a group, and the short values in it."""
        return self._keep_many if self._together else None

    def _keep_many(self, group: Sequence[Unsaved]) -> None:
        if self._together:
            objects = {u.result.artifact.object: u.text.encode() for u in group if u.text}
            self._together.put(objects, {u.key: self._record(u.node, u.result) for u in group})
            self._last.update({u.node: u.key for u in group})

    def _record(self, node: str, result: Result) -> dict[str, Json]:
        return {**to_json(result), "node": node, "machine": self._machine}
