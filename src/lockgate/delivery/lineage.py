"""Where a release comes from: code, data, parameters, steps; the commit of its files, and who wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.errors import UsageError
from lockgate.git_calls import asked
from lockgate.records.digest import digest
from lockgate.records.release import Lineage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lockgate.delivery.run import RunRecord
    from lockgate.project import Project
    from lockgate.records.digest import Json
    from lockgate.records.graph import Node, PipelineInfo

__all__ = [
    "Origin",
    "check_whole_history",
    "code_authors",
    "code_digest",
    "code_files",
    "commit_of",
    "lineage_of",
]

Origin = tuple[str, bool]
"""The commit of a release's files, and whether any of them differs from it."""


def lineage_of(
    project: Project, pipeline: PipelineInfo, record: RunRecord, *, project_files: str, origin: Origin | None = None
) -> Lineage:
    """Code, data, parameters and the step results a release is made of; nothing about when or where.

    Args:
        project_files: digest of the snapshot that the release carries.
        origin: commit and whether files differ from it, when it is known already.
    """
    planned = record.planned
    nodes = [planned.graph.nodes[n] for n in record.artifacts if n in planned.graph.nodes]
    commit, dirty = origin or commit_of(project.root, code_files(pipeline, record))
    published = {
        n.rpartition(".")[2]: n
        for p in planned.graph.pipelines.values()
        for n in p.nodes
        if n.rpartition(".")[2] in p.publishes
    }
    promised = {n.name: c for n in nodes if (c := planned.graph.extra.get("contracts", {}).get(n.name))}
    accepted = {s.name: {"accepted": s.reason} for s in record.steps if s.action == "reuse" and s.reason}
    steps: dict[str, Mapping[str, Json]] = {
        n.name: {
            **accepted.get(n.name, {}),
            "artifact": record.artifacts[n.name].digest,
            "code": code_digest(n),
        }
        for n in nodes
    }
    parameters = {n.name: dict(planned.known.parameters.get(n.name.rpartition(".")[2], {})) for n in nodes}
    return Lineage(
        commit=commit,
        dirty=dirty,
        sources={n: s.identity for n, s in planned.sources.items()},
        datasets={d: record.artifacts[n].digest for d, n in published.items() if n in record.artifacts},
        parameters={
            n: {**dict(planned.graph.nodes[n].parameters), **p}
            for n, p in parameters.items()
            if planned.graph.nodes[n].parameters
        },
        steps=steps,
        extra={
            "definitions": {d.name: d.digest for n in nodes for d in n.definitions},
            "project": project_files,
            **({"contracts": promised} if promised else {}),
        },
    )


def code_files(pipeline: PipelineInfo, record: RunRecord) -> list[str]:
    """Every file whose definitions a release's steps or its predictor can reach."""
    nodes = [n for name, n in record.planned.graph.nodes.items() if name in record.artifacts]
    return sorted(
        {d.file for n in nodes for d in n.definitions if d.file} | set((pipeline.predictor or {}).get("files", ()))
    )


def code_digest(node: Node) -> str:
    """Of every definition that a step can reach."""
    return digest("code", sorted([d.name, d.digest] for d in node.definitions))


def commit_of(root: Path, files: Sequence[str]) -> tuple[str, bool]:
    """The last commit that touched these files, and whether any of them differs from it. Without git: ("", True)."""
    commit = asked(root, "log", "-1", "--format=%H", "--", *files)
    changed = asked(root, "status", "--porcelain", "--", *files)
    return (commit or "", not commit or changed != "")


def code_authors(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Names and addresses of everybody who committed to these files."""
    lines = (asked(root, "log", "--format=%ae%n%an", "--", *files) or "").splitlines()
    return tuple(sorted({line.strip() for line in lines if line.strip()}))


def check_whole_history(root: Path) -> None:
    """Raise UsageError in a clone without its older commits: git would name the wrong people as authors."""
    if asked(root, "rev-parse", "--is-shallow-repository") == "true":
        raise UsageError(
            "this clone lacks older commits, so nobody can say who wrote the release", value="a shallow clone",
            allowed="a clone with its whole history; in a GitLab job: GIT_DEPTH: 0", next="git fetch --unshallow",
        )  # fmt: skip
