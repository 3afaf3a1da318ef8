"""The project's graph: from memory while its trace holds, from the shared store, or captured anew."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.build.trace import holds, interpreter, site_folders, take_trace
from lockgate.durable import write_atomic
from lockgate.errors import IntegrityError
from lockgate.records.digest import canonical, digest, digest_file
from lockgate.records.graph import Graph
from lockgate.records.wire import from_json, to_json

if TYPE_CHECKING:
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Trace

__all__ = ["graph_of"]

OWN = "lockgate"
"""The field of a stored graph that says where its machine has Lockgate."""


def graph_of(project: Project, *, now_ns: int, own: bool = False) -> Graph:
    """Answer the graph. Imports nothing of the user's while the trace of the last capture holds.

    `own`: only what this working copy captured itself. Whoever writes to the shared store can write another graph there, with
    other stages and another holdout; who decides what is let in takes none from it.
    """
    asked = [list(project.settings.pipelines), sorted(s.name for s in project.settings.sources)]
    known = _remembered(project, asked, own=own)
    if known is not None and holds(known.trace, project.root) is None:
        return known
    key = _content_key(project, asked)
    graph = None if own else _shared(project, key, now_ns=now_ns)
    captured = graph is None
    if graph is None:
        from lockgate.build.capture import capture  # a no-op run does not come here

        graph = capture(project.root, project.settings.pipelines, sources=asked[1], now_ns=now_ns)
        graph = _seen_here(graph, graph.trace)
        project.results("graphs").put(key, to_json(graph, brief=True))
    with contextlib.suppress(OSError):  # a shortcut: without it the next command captures again
        kept = {"asked": asked, "graph": to_json(graph, brief=True), "captured": captured}
        write_atomic(project.home / "graph.json", canonical(kept), sync=False)
    return graph


def _remembered(project: Project, asked: list[list[str]], *, own: bool) -> Graph | None:
    try:
        kept = json.loads((project.home / "graph.json").read_bytes())
        fits = kept["asked"] == asked and (kept.get("captured") is True or not own)
        return from_json(Graph, kept["graph"]) if fits else None
    except (OSError, ValueError, KeyError, TypeError, IntegrityError):
        return None


def _shared(project: Project, key: str, *, now_ns: int) -> Graph | None:
    """A graph that another working copy captured, if everything its capture looked at is the same here."""
    try:
        record = project.results("graphs").get(key)
        if record is None:
            return None
        graph = from_json(Graph, record)
        theirs = str(graph.extra.get(OWN, ""))
        now = take_trace(project.root, _looked_at(graph.trace, theirs), now_ns=now_ns)
    except (OSError, IntegrityError):
        return None
    if _content(now, _own_folder()) != _content(graph.trace, theirs):
        return None
    return _seen_here(graph, now)


def _seen_here(graph: Graph, trace: Trace) -> Graph:
    """A graph with what its capture looked at as it is on this machine."""
    from dataclasses import replace  # not for a no-op run: it is slow to load

    return replace(graph, trace=trace, extra={**graph.extra, OWN: _own_folder()})


def _looked_at(trace: Trace, theirs: str) -> dict[str, Json]:
    """What that capture looked at, with this machine's Lockgate in place of that one's, which lay in `theirs`."""
    own = _own_files()
    return {
        "files": [*(f.path for f in trace.files if not _is_below(f.path, theirs)), *own],
        "listings": [*(n for n in trace.listings if not _is_below(n, theirs)), *{os.path.dirname(f) for f in own}],
        "environment": trace.environment,
        "preload": trace.preload,
    }


def _content(trace: Trace, own: str) -> list[Json]:
    """A trace without stat numbers and without Lockgate's own files, which the key has."""
    files = {f.path: f.digest for f in trace.files if not _is_below(f.path, own)}
    return [
        files,
        {n: d for n, d in trace.listings.items() if not _is_below(n, own)},
        dict(trace.environment),
        trace.interpreter,
    ]


def _is_below(path: str, folder: str) -> bool:
    """Whether an absolute path is a folder or lies in it; nothing lies in a folder that nobody named."""
    return bool(folder) and (path == folder or path.startswith(folder + os.sep))


def _own_folder() -> str:
    import lockgate

    return os.path.dirname(os.path.abspath(lockgate.__file__))


def _content_key(project: Project, asked: list[list[str]]) -> str:
    """Digest of every Python file of the project, the installed distributions and the interpreter."""
    from lockgate.build.loading import is_project_path

    root = str(project.root)
    files: list[list[str]] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and is_project_path(os.path.join(folder, f), root)
        )
        paths = [os.path.join(folder, n) for n in sorted(names) if n.endswith(".py")]
        files += [[os.path.relpath(p, root), digest_file(Path(p))] for p in paths if os.path.isfile(p)]
    installed = sorted(e.name for p in site_folders() for e in os.scandir(p) if e.name.endswith(".dist-info"))
    own = [[os.path.basename(p), digest_file(Path(p))] for p in _own_files()]
    return digest("graph", [asked, files, installed, own, interpreter()])


def _own_files() -> list[str]:
    """Lockgate's own files when it is an editable install; a released one is known by its version."""
    folder = Path(_own_folder())
    return [] if folder.parent.name == "site-packages" else sorted(str(p) for p in folder.rglob("*.py"))
