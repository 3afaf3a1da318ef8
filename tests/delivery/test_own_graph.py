"""A graph from the shared store is whoever's who can write there: what decides what is let in captures its own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from journeys.walking import Lockgate
from lockgate.delivery import graph as graphs
from lockgate.delivery.graph import graph_of
from lockgate.delivery.walk import walk_of
from lockgate.project import Project, open_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    Lockgate(tmp_path)("init", "--template", "gitlab", "shop")
    found = open_project(tmp_path / "shop")
    graph_of(found, now_ns=time.time_ns())
    return found


def poisoned(project: Project) -> None:
    """All deployments come before the gates and the approvals, in the record that every working copy shares."""
    asked = [list(project.settings.pipelines), sorted(s.name for s in project.settings.sources)]
    key = graphs._content_key(project, asked)
    record = json.loads(json.dumps(project.results("graphs").get(key)))
    moved = 0
    for pipeline in record["pipelines"].values():
        stages = pipeline.get("stages") or []
        pipeline["stages"] = sorted(stages, key=lambda s: s["kind"] != "deploy_to")
        moved += pipeline["stages"] != stages
    assert moved == 1
    project.results("graphs").put(key, record)
    (project.home / "graph.json").unlink()


def test_who_decides_takes_no_stages_from_the_store(project: Project) -> None:
    honest = walk_of(project, graph_of(project, now_ns=time.time_ns()))
    poisoned(project)
    taken = walk_of(project, graph_of(project, now_ns=time.time_ns()))
    assert taken.stages != honest.stages, "a step's result is believed, and so is this: docs/trust.md"
    for _ in range(2):  # also when the last one was remembered, and when its own is
        own = walk_of(project, graph_of(project, now_ns=time.time_ns(), own=True))
        assert (own.stages, own.digest) == (honest.stages, honest.digest)
