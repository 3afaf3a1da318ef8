"""`gitlab render` and `gitlab check`: the declared pipelines as GitLab's files, and whether the committed ones are still those."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.declare import Pipeline
from lockgate.delivery.graph import graph_of
from lockgate.delivery.walk import Walk, walk_of
from lockgate.durable import write_atomic
from lockgate.errors import UsageError
from lockgate.forge import gitlab_checks, gitlab_yaml
from lockgate.forge.declared import Declared, Made
from lockgate.forge.gitlab_includes import Sources, gathered
from lockgate.forge.gitlab_root import additions
from lockgate.forge.gitlab_yaml import FILE, MARK, ROOT
from lockgate.forge.jobs import Has, job_graph
from lockgate.forge.settings import GitlabSettings
from lockgate.gates.policy import declaration
from lockgate.git_calls import asked
from lockgate.records.frozen import frozen

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Graph
    from lockgate.records.jobs import JobGraph

__all__ = ["Checked", "Rendered", "check", "declared", "render", "yaml_files"]

ADDED = "is not in the declaration: an addition of yours; remove line 1 to keep it"
NOT_INCLUDED = f"{ROOT} does not include {FILE}"
INSTALLED = re.compile(r"(?:--requirement|-r)[ =]([^\s$]+)")
EMPTY = "this project has neither steps nor a delivery pipeline"


@frozen(kw_only=True)
class Rendered:
    """What `render` did.

    Attributes:
        wrote, same: files that are new or changed, and those that were so already.
        include: lines to put into a `.gitlab-ci.yml` that somebody else wrote; empty when it is ours.
        warnings: what will keep the pipeline from working as it is, one sentence each.
    """

    graph: JobGraph
    wrote: tuple[str, ...]
    same: tuple[str, ...]
    include: tuple[str, ...]
    warnings: tuple[str, ...]


@frozen(kw_only=True)
class Checked:
    """What `check` found.

    Attributes:
        stale: what differs from the present declaration, one line each.
        added: what somebody added to a root file of ours, by name; each is in `stale`, too.
        findings: what is wrong with the files as they are.
        looked: False: the YAML reader is not installed, and only the text was compared.
    """

    stale: tuple[str, ...]
    findings: tuple[gitlab_checks.Finding, ...]
    looked: bool = True
    added: tuple[str, ...] = ()


def render(project: Project, *, now: dt.datetime, has: Has, force: bool = False) -> Rendered:
    """Write the pipeline's file, and the root file unless it is somebody else's. `has`: whether a command exists.

    Raises UsageError, and writes nothing, where that would delete what somebody added to the root file; not with `force`.
    """
    graph, text = _rendering(project, now=now, has=has)
    root = _text_of(project, ROOT)
    if (added := _added(root)) and not force:
        raise UsageError(
            f"rendering would delete what somebody added to {ROOT}", value=", ".join(added),
            next=f"remove the first line of {ROOT}: then the file is yours, and left alone. Or lockgate gitlab render --force",
        )  # fmt: skip
    files = {FILE: text} | ({ROOT: gitlab_yaml.root_file()} if _ours(root) else {})
    changed = tuple(n for n, t in files.items() if _text_of(project, n) != t)
    for name in changed:
        write_atomic(project.root / name, files[name].encode())
    return Rendered(
        graph=graph, wrote=changed, same=tuple(n for n in files if n not in changed),
        include=() if _ours(root) else _lacking(str(root), graph), warnings=tuple(_warnings(project)),
    )  # fmt: skip


def check(project: Project, *, now: dt.datetime, has: Has) -> Checked:
    """Compare the committed files with what would be rendered, and look for what lets something past a gate. Writes nothing."""
    graph, text = _rendering(project, now=now, has=has)
    root, committed = _text_of(project, ROOT), _text_of(project, FILE)
    added = _added(root)
    stale = [*_differences(FILE, committed, text), *(f"{ROOT}: {n} {ADDED}" for n in added)]
    if _ours(root) and not added:
        stale += _differences(ROOT, root, gitlab_yaml.root_file())
    if root is None or committed is None:
        return Checked(stale=tuple(stale), findings=(), added=added)
    try:
        sources = _sources(project)
    except ImportError:
        gone = () if FILE in root else (NOT_INCLUDED,)
        return Checked(stale=(*stale, *gone), findings=(), looked=False, added=added)
    if FILE not in sources.files:
        return Checked(stale=(*stale, NOT_INCLUDED), findings=(), added=added)
    allowed = frozenset((project.settings.gitlab or GitlabSettings()).includes)
    findings = gitlab_checks.check(sources, graph, text, allowed=allowed)
    shown = tuple(f for f in findings if not (stale and _only_stale(f)))
    return Checked(stale=tuple(stale), findings=shown, added=added)


def _only_stale(f: gitlab_checks.Finding) -> bool:
    """A difference of our own file that lets nothing past is said already, as stale."""
    return f.check == gitlab_checks.CHANGED and f.file == FILE


def declared(project: Project, graph: Graph) -> tuple[Declared, Walk | None]:
    """What the project declares, as far as it decides about jobs. Raises UsageError when there is nothing to run."""
    pipelines = _in_order(graph)
    if not pipelines:
        raise UsageError("there is nothing to render", value=EMPTY, allowed="a Pipeline in [project] pipelines")
    if not any(p.kind == "delivery" for p in graph.pipelines.values()):
        return Declared(pipelines=pipelines), None
    walk = walk_of(project, graph)
    unprotected = [e for e in walk.environments if not walk.policy.environment(e).protected]
    attested = [e for e in walk.environments if walk.policy.environment(e).grade == "attested"]
    says: Json = declaration(Pipeline(walk.delivery.name, kind="delivery", stages=walk.stages))
    return Declared(
        pipelines=pipelines, delivers=walk.training.name, stages=walk.stages, unprotected=tuple(unprotected),
        attested=tuple(attested), says=says,
    ), walk  # fmt: skip


def _rendering(project: Project, *, now: dt.datetime, has: Has) -> tuple[JobGraph, str]:
    settings = project.settings.gitlab or GitlabSettings()
    found, walk = declared(project, graph_of(project, now_ns=int(now.timestamp() * 1e9)))
    for name in {**settings.urls, **settings.tiers}:
        if walk:
            walk.check(name)
    graph = job_graph(found, settings, has=has)
    return graph, gitlab_yaml.render(graph, settings)


def _in_order(graph: Graph) -> tuple[Made, ...]:
    """Data and training pipelines, each behind those it reads from."""
    home = {n: p.name for p in graph.pipelines.values() for n in p.nodes}
    reads: dict[str, set[str]] = {p.name: set() for p in graph.pipelines.values() if p.nodes and p.kind != "delivery"}
    for node in graph.nodes.values():
        reads[home[node.name]] |= {home[i] for i in node.inputs.values() if i in home} - {home[node.name]}
    order = [n for name in reads for n in _behind(name, reads, ())]
    kinds = {p.name: p.kind for p in graph.pipelines.values()}
    return tuple(Made(name=n, kind=kinds[n], needs=tuple(sorted(reads[n]))) for n in dict.fromkeys(order))


def _behind(name: str, reads: dict[str, set[str]], above: tuple[str, ...]) -> Iterator[str]:
    """What a pipeline needs, then itself. Two that read from each other cannot be two jobs."""
    if name in above:
        circle = " → ".join((*above[above.index(name) :], name))
        raise UsageError("pipelines read from each other, so neither can be a job before the other", value=circle)
    for needed in sorted(reads[name]):
        yield from _behind(needed, reads, (*above, name))
    yield name


def _warnings(project: Project) -> Iterator[str]:
    settings, forge = project.settings, project.settings.gitlab or GitlabSettings()
    if not project.is_shared:
        yield "the store is a folder of each working copy, so jobs share nothing: set [store] url in lockgate.toml"
    if settings.ledger is None and not project.is_shared:
        yield "the ledger is a folder of each working copy, so no decision is seen: set [ledger] url in lockgate.toml"
    for file in dict.fromkeys(f for line in forge.setup for f in INSTALLED.findall(line)):
        if not (project.root / file).is_file():
            yield f"{file} is not there, and each job installs from it: write it, or set [gitlab] setup in lockgate.toml"


def _ours(root: str | None) -> bool:
    return root is None or root.startswith(MARK)


def _added(root: str | None) -> tuple[str, ...]:
    return additions(root, gitlab_yaml.root_file()) if root and _ours(root) else ()


def _lacking(root: str, graph: JobGraph) -> tuple[str, ...]:
    """What a hand-written root file must say to take ours in."""
    include = () if FILE in root else ("include:", f"  - local: {FILE}")
    stages = re.search(r"^stages:", root, re.MULTILINE)
    return (*include, *(("stages:", *(f"  - {s}" for s in graph.stages)) if stages else ()))


def _differences(name: str, committed: str | None, rendered: str) -> Iterator[str]:
    """Block by block: what is missing, more or changed."""
    if committed is None:
        yield f"{name} is not there"
        return
    then, now = _blocks(committed), _blocks(rendered)
    for block in {**then, **now}:
        if block not in then:
            yield f"{name}: {block} is missing here"
        elif block not in now:
            yield f"{name}: {block} is not in the declaration"
        elif then[block] != now[block]:
            old, new = _first_unlike(then[block], now[block])
            yield f"{name}: {block} changed: {old} → {new}"
    if then == now and committed != rendered:
        yield f"{name} changed: spaces, empty lines or the order of its parts"


def _blocks(text: str) -> dict[str, list[str]]:
    """A file's paragraphs by their keys; one of comments alone is its head."""
    found: dict[str, list[str]] = {}
    for paragraph in text.split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines()]
        key = next((line for line in lines if not line.startswith("#")), "its head")
        found[key.partition(": ")[0].removesuffix(":").strip('"')] = lines
    return found


def _first_unlike(then: list[str], now: list[str]) -> tuple[str, str]:
    for old, new in zip([*then, "nothing"], [*now, "nothing"], strict=False):
        if old != new:
            return old, new
    return then[-1], now[-1]


def _text_of(project: Project, name: str) -> str | None:
    path = project.root / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _sources(project: Project) -> Sources:
    """The root file and what it includes, as they lie in the working copy."""
    try:
        return gathered(ROOT, lambda name: _text_of(project, name), lambda: yaml_files(project.root))
    except ValueError as error:
        raise UsageError(
            "a file of the pipeline is not YAML", value=str(error)[:200], next="lockgate gitlab render"
        ) from error


def yaml_files(root: Path) -> list[str]:
    """Names that `*` in an include may mean, as GitLab sees them: also in hidden folders, and `.YML`. A cache that git ignores is none."""
    files = asked(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", errors="surrogateescape")
    if files is None:
        listed = [(Path(folder) / f).relative_to(root).as_posix() for folder, _, files in os.walk(root) for f in files]
    else:
        listed = files.split("\0")
    return [n for n in listed if n.lower().endswith((".yml", ".yaml"))]
