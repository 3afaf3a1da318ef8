"""Many small files of a source: kept in packs, shown to steps as they were, checked when they are taken out, packed again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.sources import keeping, packs, seeing, views
from lockgate.delivery.sources.materialise import materialise
from lockgate.delivery.sources.packs import Pack, Packed, packs_in
from lockgate.delivery.sources.seeing import Seen, see
from lockgate.delivery.sources.versions import newest_version
from lockgate.errors import IntegrityError, ServiceUnavailable
from lockgate.project import Project, open_project
from lockgate.records.digest import digest_bytes
from lockgate.records.listing import NOWHERE

TOML = '[project]\nname = "p"\npipelines = []\n[sources.notes]\nkind = "file"\npath = "notes"\n'


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "FEWEST", 3)
    monkeypatch.setattr(packs, "PACK_BYTES", 40)
    monkeypatch.setattr(packs, "SMALL_BYTES", 20)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made(tmp_path / "project", {f"{n}.txt": f"note {n}" for n in range(4)})


def made(root: Path, files: dict[str, str]) -> Project:
    (root / "notes").mkdir(parents=True)
    (root / "lockgate.toml").write_text(TOML)
    write(root, files)
    return open_project(root)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / "notes" / name).parent.mkdir(exist_ok=True, parents=True)
        (root / "notes" / name).write_text(text)


def seen(project: Project) -> Seen:
    return see(project, now_ns=0)["notes"]


def shown(view: Path) -> dict[str, str]:
    return {str(p.relative_to(view)): p.read_text() for p in view.rglob("*") if p.is_file()}


def newest(project: Project) -> tuple[Pack, ...]:
    version = newest_version(project, "notes")
    return version.packs if version else ()


def test_small_files_lie_in_a_pack_and_large_ones_alone(project: Project) -> None:
    write(project.root, {"large.txt": "x" * 21, "deep/er/5.txt": "note 5"})
    view = materialise(project, seen(project))
    assert shown(view) == {f"{n}.txt": f"note {n}" for n in range(4)} | {
        "large.txt": "x" * 21,
        "deep/er/5.txt": "note 5",
    }
    (pack,) = newest(project)
    listed = seen(project).identity
    assert set(project.store.list()) == {pack.data, pack.index, listed, digest_bytes(b"x" * 21)}
    assert (view / "large.txt").is_symlink()
    assert (view / "1.txt").stat().st_mode & 0o777 == 0o444


def test_few_files_are_objects_of_their_own(tmp_path: Path) -> None:
    project = made(tmp_path / "p", {"a": "1", "b": "2"})
    view = materialise(project, seen(project))
    assert not newest(project)
    assert (view / "a").is_symlink()


def test_the_next_version_adds_only_what_is_new(project: Project) -> None:
    materialise(project, seen(project))
    (first,) = newest(project)
    write(project.root, {f"new{n}": f"new {n}" for n in range(3)} | {"0.txt": "other"})
    view = materialise(project, seen(project))
    assert newest(project) == tuple(sorted((first, *set(newest(project)) - {first})))
    assert len(newest(project)) == 2
    assert shown(view)["0.txt"] == "other"


def test_a_pack_that_is_hardly_wanted_any_more_is_left(project: Project) -> None:
    write(project.root, {f"{n}.txt": "old" + str(n) for n in range(9)})
    materialise(project, seen(project))
    before = newest(project)
    for n in range(1, 9):
        (project.root / "notes" / f"{n}.txt").write_text(f"new {n}")
    materialise(project, seen(project))
    assert len(set(newest(project)) & set(before)) < len(before)


def test_too_many_packs_become_few(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_PACKS", 2)
    for n in range(6):
        write(project.root, {f"r{n}-{i}": f"r{n} {i}" for i in range(3)})
        view = materialise(project, seen(project))
        assert shown(view) == {p.name: p.read_text() for p in (project.root / "notes").iterdir()}
    monkeypatch.setattr(packs, "PACK_BYTES", 2**20)
    materialise(project, seen(project))
    assert len(newest(project)) == 1


def test_a_changed_file_is_not_packed_under_its_old_digest(project: Project) -> None:
    old = seen(project)
    write(project.root, {"2.txt": "changed"})
    with pytest.raises(ServiceUnavailable, match="changed while it was read"):
        materialise(project, old)
    assert not newest(project)
    assert not list((project.store_folder / "tmp").iterdir())


def test_a_version_seen_again_is_recorded_where_it_lies_now(project: Project) -> None:
    first = seen(project)
    materialise(project, first)
    (lost,) = newest(project)
    write(project.root, {f"new{n}": f"new {n}" for n in range(3)})
    project.store.delete(lost.data)
    materialise(project, seen(project))
    for n in range(3):
        (project.root / "notes" / f"new{n}").unlink()
    materialise(project, seen(project))
    record = project.results("sources").get(first.identity) or {}
    assert packs_in(record) == newest(project)
    assert all(project.store.has(o) for p in packs_in(record) for o in p.objects)


def test_a_view_that_somebody_touched_is_mended(project: Project) -> None:
    view = materialise(project, seen(project))
    (view / "1.txt").chmod(0o644)
    (view / "1.txt").write_text("falsified")
    (view / "2.txt").unlink()
    (view / "3.txt").unlink()
    (view / "3.txt").symlink_to(project.root / "notes" / "3.txt")
    assert shown(materialise(project, seen(project))) == {f"{n}.txt": f"note {n}" for n in range(4)}
    assert not (view / "3.txt").is_symlink()


def test_without_the_files_a_view_comes_from_the_store(project: Project, tmp_path: Path) -> None:
    was = seen(project)
    materialise(project, was)
    stored = dataclasses.replace(was, here=NOWHERE, recorded=True, packs=newest(project))
    shutil.rmtree(project.home / "tmp")
    assert shown(materialise(project, stored)) == {f"{n}.txt": f"note {n}" for n in range(4)}


@pytest.mark.parametrize(
    "text", ["{", "{}", "[[1, 2]]", '[["a", -1]]', '[["a", 1, 2]]', '[["a", true]]', '["ab"]', "[[]]"]
)
def test_what_is_no_index_is_refused(project: Project, text: str) -> None:
    pack = Pack(keep_bytes(project, b"abc"), keep_bytes(project, text.encode()))
    with pytest.raises(IntegrityError, match="not the index of a pack"):
        Packed(project.store, (pack,))


@pytest.mark.parametrize(
    "entries", [[["blake3:" + "0" * 64, 3]], [[digest_bytes(b"abcd"), 4]], [[digest_bytes(b"bc"), 2]]]
)
def test_an_index_that_lies_gives_no_bytes(project: Project, entries: list[list[object]]) -> None:
    pack = Pack(keep_bytes(project, b"abc"), keep_bytes(project, json.dumps(entries).encode()))
    packed = Packed(project.store, (pack,))
    with pytest.raises(IntegrityError, match="names other bytes"):
        packed.read(str(entries[0][0]))


@pytest.mark.parametrize("packs", [1, "ab", [1], [["a"]], [["a", 1]], {"a": "b"}, [["a", "b", "c"]]])
def test_what_is_no_list_of_packs_counts_as_none(packs: object) -> None:
    assert packs_in({"packs": packs}) == ()


@pytest.mark.parametrize("part", ["data", "index"])
def test_a_lost_part_is_packed_again_from_the_files(project: Project, part: str) -> None:
    materialise(project, seen(project))
    version = newest_version(project, "notes")
    assert version is not None
    lost = getattr(newest(project)[0], part)
    bytes_before = project.store.get(lost).read_bytes()
    project.store.delete(lost)
    places = list((project.root / "notes").iterdir())
    draft = packs.again(project, version, places, lost)
    assert draft is not None
    assert draft.read_bytes() == bytes_before
    assert packs.again(project, version, places[1:], lost) is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    versions=st.lists(
        st.dictionaries(st.sampled_from("abcdefghij"), st.text("xyz", max_size=24), min_size=1), min_size=1, max_size=5
    )
)
def test_every_version_is_shown_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, versions: list[dict[str, str]]
) -> None:
    project = made(tmp_path_factory.mktemp("history"), {})
    history: list[tuple[Seen, dict[str, str]]] = []
    for files in versions:
        for path in (project.root / "notes").iterdir():
            path.unlink()
        write(project.root, files)
        now = seen(project)
        assert shown(materialise(project, now)) == files
        history.append((dataclasses.replace(now, here=NOWHERE, recorded=True, packs=newest(project)), files))
    shutil.rmtree(project.home / "tmp")
    for then, files in history:
        assert shown(materialise(project, then)) == files


def test_a_view_that_nobody_uses_becomes_the_next_one(project: Project) -> None:
    view = materialise(project, seen(project))
    kept = (view / "1.txt").stat().st_ino
    write(project.root, {"new/4.txt": "more"})
    (project.root / "notes" / "3.txt").unlink()
    after = materialise(project, seen(project))
    assert shown(after) == {"0.txt": "note 0", "1.txt": "note 1", "2.txt": "note 2", "new/4.txt": "more"}
    assert (after / "1.txt").stat().st_ino == kept
    assert not view.exists()


def test_a_view_in_use_stays_as_it_is(project: Project) -> None:
    was = seen(project)
    with views.in_use(project, was):
        view = materialise(project, was)
        write(project.root, {"2.txt": "other"})
        assert shown(materialise(project, seen(project)))["2.txt"] == "other"
        assert shown(view) == {f"{n}.txt": f"note {n}" for n in range(4)}


def test_what_was_put_into_a_view_does_not_come_along(project: Project) -> None:
    view = materialise(project, seen(project))
    (view / ".planted").write_text("x")
    write(project.root, {"2.txt": "other"})
    after = materialise(project, seen(project))
    assert set(shown(after)) == {f"{n}.txt" for n in range(4)}
    write(project.root, {"2.txt": "note 2"})
    assert set(shown(materialise(project, seen(project)))) == {f"{n}.txt" for n in range(4)}


def test_a_view_of_a_version_without_a_record_is_left(project: Project) -> None:
    was = seen(project)
    view = materialise(project, was)
    project.results("sources").delete(was.identity)
    write(project.root, {"2.txt": "other"})
    assert shown(materialise(project, seen(project)))["2.txt"] == "other"
    assert shown(view) == {f"{n}.txt": f"note {n}" for n in range(4)}


def test_a_file_that_goes_away_while_it_is_looked_at_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> tuple[str | None, ...]:
        return (None, *(f"blake3:{n}" for n in range(3)))

    monkeypatch.setattr(seeing, "read_digests", gone)
    with pytest.raises(ServiceUnavailable, match="changed while it was read"):
        seen(project)
