"""The project's graph: from memory while its trace holds, from the shared store, or captured anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.capture import capture
from lockgate.build.trace import holds, interpreter, take_trace
from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError
from lockgate.records.digest import canonical, digest
from lockgate.records.graph import Graph
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.project import Project

__all__ = ["graph_of"]


def graph_of(project: Project, *, now_ns: int) -> Graph:
    """Answer the graph. Imports nothing of the user's while the trace of the last capture holds."""
    asked = [list(project.settings.pipelines), sorted(s.name for s in project.settings.sources)]
    known = _remembered(project, asked)
    if known is not None and holds(known.trace, project.root) is None:
        return known
    key = _content_key(project, asked)
    graph = _shared(project, key, now_ns=now_ns) if key else None
    if graph is None:
        graph = capture(project.root, project.settings.pipelines, sources=asked[1], now_ns=now_ns)
        project.results("graphs").put(key, to_json(graph))
    write_atomic(project.home / "graph.json", canonical({"asked": asked, "graph": to_json(graph)}), sync=False)
    return graph


def _remembered(project: Project, asked: list[list[str]]) -> Graph | None:
    try:
        kept = json.loads((project.home / "graph.json").read_bytes())
        return from_json(Graph, kept["graph"]) if kept["asked"] == asked else None
    except (OSError, ValueError, KeyError, TypeError, IntegrityError):
        return None


def _shared(project: Project, key: str, *, now_ns: int) -> Graph | None:
    """A graph that another working copy captured from the same files, packages and interpreter."""
    record = project.results("graphs").get(key)
    if record is None:
        return None
    graph = from_json(Graph, record)
    looked_at = {
        "files": [f.path for f in graph.trace.files if not os.path.isabs(f.path)] + _own_files(),
        "listings": list(graph.trace.listings),
        "environment": list(graph.trace.environment),
        "packages": {p: os.stat(p).st_mtime_ns for p in _site_folders()},
        "preload": list(graph.trace.preload),
    }
    if any(v != os.environ.get(n) and digest("environment", os.environ.get(n)) != v for n, v in graph.trace.environment.items()):
        return None
    return Graph(nodes=graph.nodes, order=graph.order, pipelines=graph.pipelines, trace=take_trace(project.root, looked_at, now_ns=now_ns))


def _content_key(project: Project, asked: list[list[str]]) -> str:
    """Digest of every Python file of the project, the installed distributions and the interpreter."""
    files = sorted(p for p in project.root.rglob("*.py") if not any(part.startswith(".") for part in p.relative_to(project.root).parts))
    installed = sorted(e.name for p in _site_folders() for e in os.scandir(p) if e.name.endswith(".dist-info"))
    own = [[Path(p).name, Path(p).read_text(encoding="utf-8")] for p in _own_files()]
    content = [[p.relative_to(project.root).as_posix(), p.read_text(encoding="utf-8")] for p in files]
    return digest("graph", [asked, content, installed, own, interpreter()])


def _site_folders() -> list[str]:
    import sys

    return [p for p in sys.path if p.endswith(("site-packages", "dist-packages")) and os.path.isdir(p)]


def _own_files() -> list[str]:
    """Lockgate's own files when it is an editable install; a released one is known by its version."""
    import lockgate

    folder = Path(lockgate.__file__).parent
    return [] if folder.parent.name == "site-packages" else sorted(str(p) for p in folder.rglob("*.py"))
