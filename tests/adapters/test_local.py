"""The store and the results in a folder: the exams, and what damage, a full disk and a missing permission do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from lockgate.adapters.local import LocalResults, LocalStore, LocalTogether
from lockgate.adapters.local_leases import LocalLeases
from lockgate.errors import IntegrityError, NotFound, ServiceUnavailable
from lockgate.records.digest import digest_bytes
from lockgate.records.held import Lease
from lockgate.testing.leases import MemoryLeases, lease_checks
from lockgate.testing.store import (
    MemoryResults,
    MemoryStore,
    results_checks,
    store_checks,
)


@pytest.mark.parametrize("check", store_checks(), ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", ["memory", "local", "folder with space ü"])
def test_the_store_exam(check: object, kind: str, tmp_path: Path) -> None:
    made = iter(range(100))
    check(MemoryStore if kind == "memory" else lambda: LocalStore(tmp_path / kind / str(next(made))))


@pytest.mark.parametrize("check", results_checks(), ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_the_results_exam(check: object, kind: str, tmp_path: Path) -> None:
    made = iter(range(100))
    check(MemoryResults if kind == "memory" else lambda: LocalResults(tmp_path / str(next(made))))


@pytest.mark.parametrize("check", lease_checks(), ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_the_leases_exam(check: object, kind: str, tmp_path: Path) -> None:
    made = iter(range(100))
    check(MemoryLeases if kind == "memory" else lambda: LocalLeases(tmp_path / str(next(made))))


def put(store: LocalStore, tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "output"
    path.write_bytes(data)
    return store.put(path)


def test_a_flipped_bit_anywhere_is_found_and_named(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    data = bytes(range(97))
    found = put(store, tmp_path, data)
    path = store.get(found)
    for place in range(len(data)):
        path.chmod(0o644)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IntegrityError) as error:
            store.get(found)
        assert error.value.exit_code == 4
        assert found in str(error.value)
    for cut in (0, 1, 50, 96):
        path.write_bytes(data[:cut])
        with pytest.raises(IntegrityError):
            store.get(found)


def test_objects_are_read_only(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    assert store.get(put(store, tmp_path, b"one")).stat().st_mode & 0o222 == 0


def test_what_a_killed_copy_left_behind_is_no_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    found = put(store, tmp_path, b"one")
    (store.get(found).parent / ".half.tmp").write_bytes(b"ha")
    assert list(store.list()) == [found]


def test_a_damaged_record_reads_as_absent_at_every_byte(tmp_path: Path) -> None:
    results = LocalResults(tmp_path)
    record = {"artifact": {"digest": "blake3:00"}, "seconds": 1.5, "names": ["a", "ü"]}
    results.put("blake3:" + "ab" * 32, record)
    path = next(p for p in tmp_path.rglob("*") if p.is_file())
    good = path.read_bytes()
    for place in range(len(good)):
        for bad in (
            good[:place],
            good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :],
            good[:place] + b"\x00" + good[place:],
        ):
            path.write_bytes(bad)
            found = results.get("blake3:" + "ab" * 32)
            assert found is None or found == record, f"byte {place}"
    for odd in (b"", b"[]", b"null", b'{"record": 1}', b"[" * 100_000, b'{"digest": 1, "record": {}}', b"\xff\xfe"):
        path.write_bytes(odd)
        assert results.get("blake3:" + "ab" * 32) is None
    results.put("blake3:" + "ab" * 32, record)
    assert results.get("blake3:" + "ab" * 32) == record


def test_a_record_that_is_a_folder_reads_as_absent(tmp_path: Path) -> None:
    results = LocalResults(tmp_path)
    (tmp_path / "ke" / "key").mkdir(parents=True)
    assert results.get("key") is None
    with pytest.raises(ServiceUnavailable):
        results.put("key", {})


def test_a_store_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    for act in (
        lambda: put(LocalStore(tmp_path / "store"), tmp_path, b"one"),
        lambda: LocalResults(tmp_path / "store").put("key", {}),
    ):
        with pytest.raises(ServiceUnavailable, match="does not answer") as error:
            act()
        assert error.value.exit_code == 5
    assert not LocalStore(tmp_path / "store").has(digest_bytes(b"one"))
    with pytest.raises(NotFound):
        LocalStore(tmp_path / "store").get(digest_bytes(b"one"))


AS_SOMEBODY_ELSE = pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody without permission takes root")


@AS_SOMEBODY_ELSE
def test_a_read_only_store_is_one_clear_error() -> None:
    """Root may write anywhere: a process that becomes nobody tries."""
    code = """
        import os, sys
        from pathlib import Path
        from lockgate.adapters.local import LocalResults, LocalStore, LocalTogether
        from lockgate.errors import ServiceUnavailable
        mine, store = Path(sys.argv[1]) / "mine", Path(sys.argv[1]) / "store"
        os.setuid(65534)
        (mine / "output").write_bytes(b"one")
        for act in (lambda: LocalStore(store).put(mine / "output"), lambda: LocalResults(store).put("key", {})):
            try:
                act()
            except ServiceUnavailable as error:
                assert "Permission denied" in str(error), error
            else:
                raise SystemExit("it wrote")
        assert (mine / "output").read_bytes() == b"one"
    """
    with tempfile.TemporaryDirectory() as folder:
        for path, mode in ((Path(folder), 0o755), (Path(folder) / "store", 0o555), (Path(folder) / "mine", 0o777)):
            path.mkdir(exist_ok=True)
            path.chmod(mode)
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit on file size stands for the disk: a write beyond it fails in the middle."""
    code = f"""
        import resource, signal
        from pathlib import Path
        from lockgate.adapters.local import LocalResults
        from lockgate.errors import ServiceUnavailable
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        results = LocalResults(Path({str(tmp_path)!r}))
        try:
            results.put("key", {{"text": "x" * 5000}})
        except ServiceUnavailable as error:
            assert "File too large" in str(error), error
        else:
            raise SystemExit("it wrote")
        assert results.get("key") is None
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_another_file_system_is_copied_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rename says that it crosses file systems."""
    plain = os.replace
    crossed: list[str] = []

    def replace(source: object, target: object) -> None:
        if not crossed:
            crossed.append(str(source))
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        plain(source, target)

    monkeypatch.setattr(os, "replace", replace)
    store = LocalStore(tmp_path / "store")
    found = put(store, tmp_path, b"one")
    assert store.get(found).read_bytes() == b"one"
    assert crossed
    assert list(store.list()) == [found]
    assert not (tmp_path / "output").exists()


def test_the_knobs_fail_as_told(tmp_path: Path) -> None:
    store = MemoryStore(fail_call=2, drop_writes=1)
    lost = put(store, tmp_path, b"one")
    with pytest.raises(ServiceUnavailable):
        store.has(lost)
    assert not store.has(lost)
    kept = put(store, tmp_path, b"two")
    store.objects[kept] = b"too"
    with pytest.raises(IntegrityError):
        store.get(kept)
    results = MemoryResults(drop_writes=1)
    results.put("a", {})
    results.put("b", {})
    assert (results.get("a"), results.get("b")) == (None, {})
    with pytest.raises(ValueError, match="JSON"):
        results.put("c", {"x": float("nan")})


def test_file_sources(tmp_path: Path) -> None:
    from lockgate.adapters.files import FileSource

    for name in ("data/a b.csv", "data/ü.csv", "data/deep/c.txt", "data/.hidden/d.csv", "data/.e", "one", "dir.csv/f"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    def names(path: str) -> list[str]:
        return list(FileSource(tmp_path, path).files().names)

    assert names("data") == ["a b.csv", "deep/c.txt", "ü.csv"]
    assert names("data/*.csv") == ["a b.csv", "ü.csv"]
    assert names("data/**/*.txt") == ["deep/c.txt"]
    assert names(str(tmp_path / "data" / "*.csv")) == ["a b.csv", "ü.csv"]
    assert names("one") == ["one"]
    assert names("dir.csv") == ["f"]
    assert names("*/f") == ["dir.csv/f"]
    assert names("nothing") == names("nothing/*.csv") == []


def test_a_group_is_what_store_and_results_read(tmp_path: Path) -> None:
    store, results = LocalStore(tmp_path), LocalResults(tmp_path / "results")
    data = {digest_bytes(b"%d" % n): b"%d" % n for n in range(20)}
    records = {f"blake3:{n:064x}": {"n": n, "artifact": d} for n, d in enumerate(data)}
    LocalTogether(tmp_path, "results").put(data, records)
    assert {d: store.get(d).read_bytes() for d in store.list()} == data
    assert {h.key: results.get(h.key) for h in results.held()} == records
    assert {store.get(d).stat().st_mode & 0o777 for d in data} == {0o444}


def test_a_group_keeps_what_is_whole_and_replaces_what_is_damaged(tmp_path: Path) -> None:
    store, group = LocalStore(tmp_path / "store"), LocalTogether(tmp_path / "store", "results")
    whole, damaged = (put(store, tmp_path, text) for text in (b"whole", b"damaged"))
    kept = store.get(whole)
    os.utime(kept, (1, 1))
    number = kept.stat().st_ino
    store.get(damaged).chmod(0o644)
    store.get(damaged).write_bytes(b"damage!")
    group.put({whole: b"whole", damaged: b"damaged"}, {})
    assert store.get(damaged).read_bytes() == b"damaged"
    assert kept.stat().st_ino == number
    assert kept.stat().st_mtime > 1  # young again, for whoever collects garbage


def test_a_group_on_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ServiceUnavailable, match="No space left"):
        LocalTogether(tmp_path, "results").put({digest_bytes(b"1"): b"1"}, {"key": {}})
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def lease(owner: str, *, until_s: float = 1e12) -> Lease:
    return Lease(owner=owner, until_s=until_s, lasts_s=10.0)


def test_leases_of_one_moment_share_a_file_and_are_given_back_one_by_one(tmp_path: Path) -> None:
    leases, mine = LocalLeases(tmp_path), lease("me")
    names = [f"blake3:{n:064x}" for n in range(5)]
    assert all(leases.take(n, mine) for n in names)
    assert len({p.stat().st_ino for p in (tmp_path / "leases").glob("[!.]*")}) == 1
    other = LocalLeases(tmp_path)
    assert not any(other.take(n, lease("other")) for n in names)
    assert [other.holder(n) for n in names] == [mine] * 5
    leases.drop(names[4], mine)
    leases.drop(names[0], mine)
    assert sorted(leases.names()) == names[1:4]
    assert leases.take(names[0], mine)  # though the one that it would share with is gone
    assert other.holder(names[0]) == mine
    assert other.take(names[4], lease("other"))
    leases.drop(names[4], mine)
    assert other.holder(names[4]) == lease("other")


def test_what_others_took_over_shares_nothing_any_more(tmp_path: Path) -> None:
    leases, mine, other = LocalLeases(tmp_path), lease("me"), LocalLeases(tmp_path)
    assert leases.take("one", mine)
    assert other.take("one", lease("other"), over=mine)
    assert leases.take("two", mine)
    assert other.holder("two") == mine
    assert other.holder("one") == lease("other")
    assert leases.renew("two", lease("me", until_s=2e12), before=mine)
    assert other.holder("one") == lease("other")


def test_a_lease_that_says_nothing_is_taken_once_nobody_can_be_writing_it(tmp_path: Path) -> None:
    """A kill between making a file and writing it, or a power cut."""
    leases = LocalLeases(tmp_path)
    (tmp_path / "leases").mkdir()
    path = tmp_path / "leases" / "one"
    path.touch()
    assert not leases.take("one", lease("me"))
    os.utime(path, (1, 1))
    assert leases.take("one", lease("me"))
    assert leases.holder("one") == lease("me")
