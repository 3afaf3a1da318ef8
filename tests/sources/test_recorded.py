"""What a shared store records of a source is believed only where it has the identity it stands under, and makes no link outside."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lockgate.codecs import rows
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.reproduction import rebuild, rebuilding
from lockgate.delivery.sources.seeing import Seen
from lockgate.delivery.sources.materialise import materialise
from lockgate.delivery.sources.versions import version_under
from lockgate.errors import IntegrityError, NotFound
from lockgate.project import Project, open_project
from lockgate.records.digest import digest, digest_bytes
from lockgate.records.rows import Page, identity_of

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "deep" / "project"
    root.mkdir(parents=True)
    (root / "lockgate.toml").write_text('[project]\nname = "p"\npipelines = []\n')
    return open_project(root)


def record(project: Project, identity: str, files: Any, *, single: bool = True) -> None:
    project.results("sources").put(identity, {"files": files, "single": single, "name": "sales"})


@pytest.mark.parametrize("name", ["../../../../../../out.csv", "/tmp/out.csv", "a/../../out.csv", "", "a\0b", "a//b"])
def test_a_name_that_leaves_the_view_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    kept = keep_bytes(project, b"date\n")
    files = ((name, kept),)
    before = {p for p in tmp_path.rglob("*") if p.is_symlink()}
    with pytest.raises(IntegrityError, match="leaves the source's folder"):
        materialise(project, Seen("sales", digest("source", files), files, True, recorded=True))
    assert {p for p in tmp_path.rglob("*") if p.is_symlink()} == before


@pytest.mark.parametrize("field", ["name", "identity"])
def test_so_is_a_source_or_a_version_that_is_called_so(project: Project, field: str) -> None:
    given = {"name": "sales", "identity": "blake3:0", field: "x:../../.."}
    files = (("a.csv", keep_bytes(project, b"date\n")),)
    with pytest.raises(IntegrityError, match="leaves the source's folder"):
        materialise(project, Seen(given["name"], given["identity"], files, True, recorded=True))


def test_other_bytes_under_an_identity_are_not_what_a_release_saw(project: Project) -> None:
    true, false = keep_bytes(project, b"a,1\n"), keep_bytes(project, b"a,2\n")
    identity = digest("source", [["a.csv", true]])
    record(project, identity, [["a.csv", false]])
    assert version_under(project, identity) is None
    with pytest.raises(NotFound, match="source sales"):
        rebuild._source(project, project, "sales", identity, now=NOW)
    record(project, identity, [["a.csv", true]])
    assert rebuild._source(project, project, "sales", identity, now=NOW)["files"] == [["a.csv", true]]


def test_packed_files_come_along_to_another_store(project: Project, tmp_path: Path) -> None:
    data, index = (
        keep_bytes(project, b"ab"),
        keep_bytes(project, json.dumps([[digest_bytes(b"a"), 1], [digest_bytes(b"b"), 1]]).encode()),
    )
    files = [["a.txt", digest_bytes(b"a")], ["b.txt", digest_bytes(b"b")]]
    identity = digest("source", files)
    packed = {"files": files, "single": False, "name": "sales", "packs": [[data, index]]}
    project.results("sources").put(identity, packed)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lockgate.toml").write_text('[project]\nname = "p"\npipelines = []\n')
    other = open_project(tmp_path / "other")
    order = rebuild._source(project, other, "sales", identity, now=NOW)
    view = materialise(other, rebuilding._seen("sales", order))
    assert {p.name: p.read_text() for p in view.iterdir()} == {"a.txt": "a", "b.txt": "b"}
    project.store.delete(data)
    with pytest.raises(NotFound, match="source sales"):
        rebuild._source(project, project, "sales", identity, now=NOW)


@pytest.mark.parametrize("files", [None, 3, [3], [["a.csv"]], [["a.csv", 3]], {"a": "b"}])
def test_a_record_of_another_shape_is_none(project: Project, files: Any) -> None:
    record(project, "blake3:id", files)
    assert version_under(project, "blake3:id") is None


def test_several_files_are_no_single_one(project: Project) -> None:
    files = [[n, keep_bytes(project, n.encode())] for n in ("a", "b")]
    identity = digest("source", files)
    record(project, identity, files, single=True)
    found = version_under(project, identity)
    assert found is not None
    assert found.single is False


def test_rows_are_held_against_their_values(project: Project, tmp_path: Path) -> None:
    table = pl.DataFrame({"day": [dt.date(2026, 1, 1), None], "units": [1.5, 2.0], "note": [None, None]})
    pages: list[list[str]] = []
    kept: list[Page] = []
    for number, part in enumerate((table, table[:1])):
        value = rows.save_page(part, tmp_path / "page")
        pages.append([f"{number:06d}.arrow", project.store.put(tmp_path / "page")])
        kept.append(Page(object="", digest=value, rows=len(part)))
    identity = identity_of(rows.columns_of(table), kept)
    record(project, identity, pages, single=False)
    assert version_under(project, identity) is not None
    record(project, identity, pages[::-1], single=False)
    assert version_under(project, identity) is None
