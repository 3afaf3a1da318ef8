"""Putting a version back beside somebody who writes, and one that somebody with other aims has written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from lockgate.delivery.data import checkout as module
from lockgate.delivery.data.add import add
from lockgate.delivery.data.checkout import checkout
from lockgate.delivery.data.states import states
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.sources.history import history_of, note
from lockgate.delivery.sources.materialise import materialise
from lockgate.delivery.sources.seeing import see
from lockgate.delivery.sources.versions import SourceVersion, keep_version, source_key
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.project import Project, open_project
from lockgate.records.digest import digest

TOML = '[project]\nname = "p"\npipelines = []\n[sources.notes]\nkind = "file"\npath = "notes"\n'
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "lockgate.toml").write_text(TOML)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a").write_text("one")
    return open_project(tmp_path)


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_written_meanwhile_is_not_lost(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`a` would be replaced, `b` removed."""
    first = add(project, "notes", now=NOW).line.version
    for file in ("a", "b"):
        (project.root / "notes" / file).write_text("two")
    add(project, "notes", now=NOW)
    as_it_was = vars(module)["_check_places"]

    def write(*arguments: Any) -> None:
        as_it_was(*arguments)
        (project.root / "notes" / name).write_text("an hour of work")

    monkeypatch.setattr(module, "_check_places", write)
    with pytest.raises(ServiceUnavailable, match="changed while it was put back"):
        checkout(project, "notes", first, now=NOW)
    assert (project.root / "notes" / name).read_text() == "an hour of work"
    checkout(project, "notes", first, now=NOW, discard=True)
    assert {p.name: p.read_text() for p in (project.root / "notes").iterdir()} == {"a": "one"}


@pytest.mark.parametrize("name", [".git/config", "deep/.envrc", "../a", "/a"])
def test_a_planted_version_writes_no_hidden_file_and_none_elsewhere(project: Project, name: str) -> None:
    files = ((name, keep_bytes(project, b"evil")),)
    planted = SourceVersion(source="notes", identity=digest("source", files), files=files)
    keep_version(project, planted)
    seen = see(project, now_ns=0)["notes"]
    add(project, "notes", now=NOW)
    key = digest("source-history", ["p", "notes"])
    record = project.results("sources").get(key)
    assert record is not None
    project.results("sources").put(key, {"history": [{**record["history"][0], "version": planted.identity}]})
    with pytest.raises(IntegrityError):
        checkout(project, "notes", "latest", now=NOW)
    assert see(project, now_ns=0)["notes"].identity == seen.identity


def test_what_is_neither_here_nor_in_the_store_is_absent(project: Project) -> None:
    seen = see(project, now_ns=0)["notes"]
    materialise(project, seen)
    note(project, seen, now=NOW, by="run")
    (project.root / "notes" / "a").unlink()
    assert [s.state for s in states(project, now=NOW)] == ["kept"]
    for key in (seen.identity, source_key(project, "notes")):
        project.results("sources").delete(key)
    assert [s.state for s in states(project, now=NOW)] == ["absent"]


@pytest.mark.parametrize("planted", [5, [1], None, "x"])
def test_a_record_that_is_no_object_counts_as_none(project: Project, planted: Any) -> None:
    version = add(project, "notes", now=NOW).line.version
    project.results("sources").put(version, planted)
    assert project.results("sources").get(version) is None
    with pytest.raises(NotFound, match="not in the store any more"):
        checkout(project, "notes", "latest", now=NOW)


@pytest.mark.parametrize("planted", [5, [5], {"a": 1}, [{"version": 5}]])
def test_a_history_that_is_none_is_said_to_be(project: Project, planted: Any) -> None:
    project.results("sources").put(digest("source-history", ["p", "notes"]), {"history": planted})
    with pytest.raises(IntegrityError, match="Line"):
        history_of(project, "notes")


def test_a_list_that_is_too_deep_is_none(project: Project) -> None:
    deep = keep_bytes(project, b"[" * 100_000)
    project.results("sources").put(deep, {"name": "notes"})
    project.results("sources").put(source_key(project, "notes"), {"version": deep})
    add(project, "notes", now=NOW)
