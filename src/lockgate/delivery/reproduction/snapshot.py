"""Which of the project's files a release is made with: what the capture read, but not what only the delivery declares.

Stages and thresholds decide about a release and are no part of it: the same release is judged again when they change.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from lockgate.build.environment import hidden_file
from lockgate.build.names import SPELLED, read
from lockgate.records.snapshot import Snapshot, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from lockgate.project import Project
    from lockgate.records.graph import Graph

__all__ = ["needed_files", "take_snapshot", "withheld"]

LARGEST_BYTES = 5_000_000
READ = "file "
"""What the name of a definition begins with that is a file which was read on import; outside of the project it has no path."""


def take_snapshot(project: Project, graph: Graph, read: Callable[[list[str]], Mapping[str, bytes]]) -> Snapshot:
    """The project's files as the graph's capture saw them.

    Args:
        read: paths → bytes; raises when a file is no longer what the capture saw.
    """
    made_by = {p.module for p in graph.pipelines.values() if p.kind != "delivery"}
    modules = tuple(m for m in project.settings.pipelines if m in made_by)
    own = [f.path for f in graph.trace.files if not f.path.startswith(("/", ".."))]
    files = read(own)
    delivery_only = [m for m in project.settings.pipelines if m not in made_by]
    training = {n for p in graph.pipelines.values() if p.kind != "delivery" for n in p.nodes}
    reached = [d for n in training if n in graph.nodes for d in graph.nodes[n].definitions]
    named = {d.file for d in reached}
    kept = needed_files(files, modules=modules, delivery_only=delivery_only, named=named)
    sources = {s.name: s.kind for s in project.settings.sources}
    secret = {p for p in kept if withheld(p, size_bytes=len(files[p]))}
    outside = {d.name.removeprefix(READ) for d in reached if d.name.startswith(READ) and not d.file}
    return snapshot_of(
        {p: files[p] for p in kept if p not in secret}, modules=modules, sources=sources, left_out=(*secret, *outside)
    )


def withheld(path: str, *, size_bytes: int) -> bool:
    """Whether a file stays out of a release: it may hold a secret, or it is large.

    >>> withheld("config/secrets.toml", size_bytes=1), withheld("a.json", size_bytes=1), withheld("a.json", size_bytes=6_000_000)
    (True, False, True)
    """
    return hidden_file(path) or size_bytes > LARGEST_BYTES


def needed_files(
    files: Mapping[str, bytes], *, modules: Sequence[str], delivery_only: Sequence[str], named: Collection[str] = ()
) -> tuple[str, ...]:
    """All files but those that can be reached from the delivery's modules only; what no import names stays.

    Args:
        named: files that steps were found to use; they stay, however they are reached.

    >>> files = {"p.py": b"import q", "q.py": b"", "d.py": b"import p, rules", "rules.py": b"", "c.json": b"{}"}
    >>> needed_files(files, modules=["p"], delivery_only=["d"])
    ('c.json', 'p.py', 'q.py')
    """
    by_module = {_module_name(p): p for p in files if p.endswith(".py")}
    wanted = _reached(modules, files, by_module, imports=_possible_imports)
    spare = _reached(delivery_only, files, by_module, imports=_imports) - wanted - set(named)
    return tuple(sorted(set(files) - spare))


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _reached(
    modules: Iterable[str], files: Mapping[str, bytes], by_module: Mapping[str, str],
    *, imports: Callable[[bytes, list[str]], Iterator[str]],
) -> set[str]:  # fmt: skip
    found, todo = set[str](), list(modules)
    while todo:
        parts = todo.pop().split(".")
        for size in range(1, len(parts) + 1):  # importing a.b imports a
            path = by_module.get(".".join(parts[:size]))
            if path is not None and path not in found:
                found.add(path)
                todo += imports(files[path], _package(path))
    return found


def _package(path: str) -> list[str]:
    """What a relative import in this file is relative to."""
    return path.split("/")[:-1]


def _imports(text: bytes, package: list[str]) -> Iterator[str]:
    """Every name that an import statement anywhere in the text could mean as a module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def _possible_imports(text: bytes, package: list[str]) -> Iterator[str]:
    """Also what is imported by text, `import_module("rules")`, and every text that could name something in a module."""
    yield from _imports(text, package)
    for statement in ast.parse(text).body:
        reading = read(statement, package=".".join(package))
        yield from reading.references
        yield from (what.module for name, what in reading.imports if name.startswith(SPELLED))
