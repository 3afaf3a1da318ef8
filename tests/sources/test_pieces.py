"""Large files in versions: what is new is kept, the rest is named; what is taken out is checked; what is lost is made again."""

from __future__ import annotations

import datetime as dt
import errno
import multiprocessing
import os
import random
import resource
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lockgate.delivery.data.add import add
from lockgate.delivery.put import keep_bytes
from lockgate.delivery.sources import keeping, pieces
from lockgate.delivery.sources.healing import made_again
from lockgate.delivery.sources.history import forget
from lockgate.delivery.sources.keeping import keep
from lockgate.delivery.sources.kept import Kept
from lockgate.delivery.sources.materialise import materialise
from lockgate.delivery.sources.pieces import Piece, parts_of, pieces_in
from lockgate.delivery.sources.seeing import Seen, see
from lockgate.delivery.sources.versions import SourceVersion, newest_version, version_under
from lockgate.delivery.turns import Turns
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.project import Project, open_project
from lockgate.records.digest import digest_bytes

TOML = '[project]\nname = "p"\npipelines = []\n[sources.table]\nkind = "file"\npath = "table.csv"\n'
OLD = random.Random(1).randbytes(40_000)
NEWS = random.Random(2).randbytes(500)
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LARGE_BYTES", 10_000)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made(tmp_path / "project")


def made(root: Path) -> Project:
    root.mkdir()
    (root / "lockgate.toml").write_text(TOML)
    return open_project(root)


def seen(project: Project, data: bytes) -> Seen:
    (project.root / "table.csv").write_bytes(data)
    return see(project, now_ns=0)["table"]


def newest(project: Project) -> SourceVersion:
    version = newest_version(project, "table")
    assert version is not None
    return version


def size_of(project: Project) -> int:
    return sum(h.size_bytes for h in project.store.held())


def test_the_next_version_keeps_only_what_is_new(project: Project) -> None:
    materialise(project, seen(project, OLD))
    before = size_of(project)
    file = materialise(project, seen(project, OLD + NEWS))
    assert file.read_bytes() == OLD + NEWS
    assert file.stat().st_mode & 0o777 == 0o444
    assert size_of(project) - before < len(NEWS) + 200
    assert newest(project).pieces == {
        digest_bytes(OLD + NEWS): (Piece(digest_bytes(OLD), 0, len(OLD)), Piece(digest_bytes(NEWS), 0, len(NEWS)))
    }


def test_pieces_of_a_file_in_pieces_lie_in_objects(project: Project) -> None:
    for data in (OLD, OLD + NEWS, OLD[:20_000] + NEWS + OLD[20_000:] + NEWS):
        materialise(project, seen(project, data))
    (found,) = newest(project).pieces.values()
    assert {p.object for p in found} <= set(project.store.list())
    assert [p.size_bytes for p in found][::2] == [20_000, 20_000]


@pytest.mark.parametrize(
    "data", [random.Random(3).randbytes(40_000), OLD[:12_000] + random.Random(3).randbytes(20_000)]
)
def test_a_file_that_is_mostly_new_is_kept_whole(project: Project, data: bytes) -> None:
    materialise(project, seen(project, OLD))
    materialise(project, seen(project, data))
    assert not newest(project).pieces
    assert project.store.has(digest_bytes(data))


def test_a_file_that_needs_little_of_much_is_kept_whole(project: Project) -> None:
    materialise(project, seen(project, OLD))
    materialise(project, seen(project, OLD[:15_000]))
    assert not newest(project).pieces
    assert project.store.has(digest_bytes(OLD[:15_000]))


def test_too_many_pieces_are_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_PIECES", 1)
    materialise(project, seen(project, OLD))
    materialise(project, seen(project, OLD[:20_000] + NEWS + OLD[20_000:]))
    assert not newest(project).pieces


def test_a_damaged_version_before_is_no_help_and_no_harm(project: Project) -> None:
    materialise(project, seen(project, OLD))
    damage(project.store.get(digest_bytes(OLD)), OLD[:-1] + b"!")
    assert materialise(project, seen(project, OLD + NEWS)).read_bytes() == OLD + NEWS
    assert not newest(project).pieces


def test_a_file_that_changes_while_it_is_kept_is_refused(project: Project) -> None:
    materialise(project, seen(project, OLD))
    was = seen(project, OLD + NEWS)
    (project.root / "table.csv").write_bytes(OLD + NEWS[::-1])
    with pytest.raises(ServiceUnavailable, match="changed while it was read"):
        keep(project, was)


def test_what_is_taken_out_is_checked(project: Project, tmp_path: Path) -> None:
    base = keep_bytes(project, OLD)
    kept = Kept(project.store, (), {digest_bytes(OLD[1:]): (Piece(base, 0, 100),)})
    with pytest.raises(IntegrityError, match="give other bytes"):
        kept.write(digest_bytes(OLD[1:]), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(IntegrityError, match="ends behind its object"):
        list(parts_of(project.store, (Piece(base, len(OLD) - 1, 2),)))
    with pytest.raises(NotFound):
        list(parts_of(project.store, (Piece(digest_bytes(b"gone"), 0, 1),)))


@pytest.mark.parametrize(
    "found", [1, [], {"a": 1}, {"a": [1]}, {"a": [["x", 0]]}, {"a": [["x", -1, 1]]}, {"a": [["x", 0, True]]}]
)
def test_what_is_no_list_of_pieces_counts_as_none(found: Any) -> None:
    assert pieces_in({"pieces": found}) == {}


def test_new_bytes_that_are_lost_are_made_again_from_the_file(project: Project) -> None:
    materialise(project, seen(project, OLD))
    materialise(project, seen(project, NEWS + OLD + NEWS[:100]))
    version = newest(project)
    lost = digest_bytes(NEWS + NEWS[:100])
    project.store.delete(lost)
    records = {version.identity: project.results("sources").get(version.identity) or {}}
    draft = made_again(project, records, lost)
    assert draft is not None
    assert draft.read_bytes() == NEWS + NEWS[:100]
    project.store.delete(version.identity)
    draft = made_again(project, records, version.identity)
    assert draft is not None
    assert project.store.put(draft) == version.identity
    (project.root / "table.csv").write_bytes(OLD)
    assert made_again(project, records, lost) is None


def appended_with_few_open_files(root: Path) -> None:
    """Eighty appends where this process may open 20 files beside those that it has."""
    project, data = made(root), OLD
    keeping.LARGE_BYTES = 10_000
    most = len(os.listdir("/proc/self/fd")) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    file = materialise(project, seen(project, data))
    for number in range(80):
        data += bytes([number]) * 50
        file = materialise(project, seen(project, data))
    assert file.read_bytes() == data
    assert newest(project).pieces


def test_a_history_of_many_appends_needs_few_open_files(tmp_path: Path) -> None:
    # A process of its own: here, the threads of other tests open files, too.
    child = multiprocessing.get_context("spawn").Process(
        target=appended_with_few_open_files, args=(tmp_path / "project",)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_pieces_of_pieces_are_counted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_PIECES", 6)
    data = OLD
    for at in range(5_000, 40_000, 5_000):
        materialise(project, seen(project, data))
        data = data[:at] + b"!" + data[at:]
        assert all(len(p) <= 6 for p in newest(project).pieces.values())


def test_a_record_that_repeats_pieces_does_not_fill_the_disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    materialise(project, seen(project, OLD))
    planted = dict(project.results("sources").get(newest(project).identity) or {})
    planted["pieces"] = {digest_bytes(OLD): [[digest_bytes(OLD), 0, len(OLD)]] * 1000}
    project.results("sources").put(newest(project).identity, planted)
    monkeypatch.setattr(pieces, "_content", None)  # it is not put together
    materialise(project, seen(project, OLD + NEWS))
    assert project.store.has(digest_bytes(OLD + NEWS))


@pytest.mark.parametrize("moment", ["_gaps", "_composed"])
def test_a_file_that_is_cut_short_while_it_is_read_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """In a mapped file it would end the process (SIGBUS)."""
    seen(project, OLD * 3)
    add(project, "table", now=NOW)
    (project.root / "table.csv").write_bytes(OLD * 3 + NEWS)
    whole_one = getattr(pieces, moment)

    def cut(*arguments: Any, **named: Any) -> Any:
        os.truncate(project.root / "table.csv", 10)
        return whole_one(*arguments, **named)

    monkeypatch.setattr(pieces, moment, cut)
    with pytest.raises(ServiceUnavailable, match="changed while it was read"):
        add(project, "table", now=NOW)


def test_a_full_disk_is_named_and_not_filled_further(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(source: Path, copy: Path) -> None:
        copy.write_bytes(source.read_bytes()[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))

    seen(project, OLD * 3)
    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(ServiceUnavailable, match="the store has no room"):
        add(project, "table", now=NOW)
    assert not list((project.store_folder / "tmp").iterdir())


def test_what_is_added_while_garbage_is_collected_stays(project: Project) -> None:
    seen(project, OLD)
    version = add(project, "table", now=NOW).line.version
    forget(project, "table", version)
    seen(project, NEWS)
    add(project, "table", now=NOW)
    seen(project, OLD)
    with Turns(project.leases, result=lambda _: None, lasts_s=60) as turns, ThreadPoolExecutor() as pool:
        with turns.collecting():
            adding = pool.submit(add, project, "table", now=NOW)
            time.sleep(0.3)
            project.results("sources").delete(version)
            for lost in (version, digest_bytes(OLD)):
                project.store.delete(lost)
        adding.result(timeout=30)
    assert version_under(project, version)
    assert project.store.has(digest_bytes(OLD))


def test_what_comes_from_the_store_does_not_become_the_newest_again(tmp_path: Path) -> None:
    """Another working copy kept a newer version since it was seen."""
    shared = TOML + f'[store]\nurl = "file://{tmp_path / "store"}"\n'
    with_files, without = (made(tmp_path / name) for name in ("one", "two"))
    for root in (with_files.root, without.root):
        (root / "lockgate.toml").write_text(shared)
    with_files, without = open_project(with_files.root), open_project(without.root)
    materialise(with_files, seen(with_files, OLD))
    old = see(without, now_ns=0)["table"]
    materialise(with_files, seen(with_files, NEWS))
    materialise(without, old)
    assert newest(without).files == (("table.csv", digest_bytes(NEWS)),)


def damage(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


EDIT = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "append", "revert"]), st.integers(0, 45_000), st.integers(1, 9_000)
)


def edited(history: list[bytes], kind: str, at: int, size: int) -> bytes:
    data, news = history[-1], random.Random(at).randbytes(size)
    match kind:
        case "insert":
            return data[:at] + news + data[at:]
        case "delete":
            return data[:at] + data[at + size :]
        case "replace":
            return data[:at] + news + data[at + size :]
        case "append":
            return data + news
        case _:
            return history[at % len(history)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EDIT, min_size=1, max_size=8))
def test_every_version_of_a_history_is_given_back(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, int]]
) -> None:
    project = made(tmp_path_factory.mktemp("history") / "p")
    history, versions = [OLD], list[SourceVersion]()
    for edit in edits:
        history.append(edited(history, *edit))
    for data in history:
        materialise(project, seen(project, data or b"x"))
        versions.append(newest(project))
    shutil.rmtree(project.home / "tmp")
    for data, version in zip(history, versions, strict=True):
        (_, digest) = version.files[0]
        kept = Kept(project.store, version.packs, version.pieces)
        got = kept.read(digest) if digest in kept else project.store.get(digest).read_bytes()
        assert got == (data or b"x")
