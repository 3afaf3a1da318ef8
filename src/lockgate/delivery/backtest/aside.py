"""A copy of the project to replay past days in: its code and policy in a folder of its own, the store shared, no ledger.

What is made there is stored under fingerprints, so that nothing is done twice. Nothing is said anywhere: the copy signs no
entry, asks no environment, and its runs are not among the project's.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.build.plan import make_plan
from lockgate.delivery.graph import graph_of
from lockgate.delivery.known import known_of
from lockgate.delivery.lineage import commit_of
from lockgate.delivery.run import Planned
from lockgate.delivery.walk import walk_of
from lockgate.errors import IntegrityError
from lockgate.project import Project
from lockgate.records.digest import digest, digest_bytes
from lockgate.records.graph import AS_OF

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.delivery.lineage import Origin
    from lockgate.delivery.sources.seeing import Seen
    from lockgate.delivery.walk import Walk
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph

__all__ = ["Aside", "set_aside"]


@dataclass(frozen=True, slots=True)
class Aside:
    """The copy. `origin`: commit of the project's files, and whether any differs from it."""

    project: Project
    graph: Graph
    walk: Walk
    origin: Origin
    params: Mapping[str, Mapping[str, Json]]

    def planned(self, sources: Mapping[str, Seen], as_of: dt.date, *, only: str | None = None) -> Planned:
        """The training pipeline as of a day; `only`: no further than this step."""
        targets = self.walk.training.nodes if only is None else (only,)
        externals = {f"source:{n}": s.identity for n, s in sources.items()} | {AS_OF: digest("day", as_of.isoformat())}
        known = known_of(self.project, externals, self.params)
        return Planned(self.graph, make_plan(self.graph, targets, known), known, sources, as_of, targets)

    def forget_views(self) -> None:
        """Remove what steps saw of the sources: no other day sees the same, and a large file a day fills a disk."""
        shutil.rmtree(self.project.home / "tmp" / "sources", ignore_errors=True)


def set_aside(
    project: Project, graph: Graph, folder: Path, *, params: Mapping[str, Mapping[str, Json]], now: dt.datetime
) -> Aside:
    """Copy what the graph's capture saw, and the policy, into an empty folder that the caller removes.

    Raises IntegrityError for a file that changed since it was captured, and what `walk_of` raises.
    """
    names = [f.path for f in graph.trace.files if not f.path.startswith(("/", ".."))]
    expected = {f.path: f.digest for f in graph.trace.files}
    for name in names:
        data = (project.root / name).read_bytes()
        if digest_bytes(data) != expected[name]:
            raise IntegrityError("code changed meanwhile", value=name, next="lockgate gate backtest")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "policy.toml").write_bytes((project.root / "policy.toml").read_bytes())
    copy = Project(folder, replace(project.settings, store=project.store_url, ledger=None, as_of_file=None, sinks=()))
    captured = graph_of(copy, now_ns=int(now.timestamp() * 1e9))
    parameters = {
        **project.settings.params,
        **{s: {**project.settings.params.get(s, {}), **v} for s, v in params.items()},
    }
    return Aside(copy, captured, walk_of(copy, captured), commit_of(project.root, names), parameters)
