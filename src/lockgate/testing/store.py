"""A store and results in memory with knobs to fail, and the exams that every store and every results pass.

for check in store_checks():
    check(lambda: MyStore(...))  # a new, empty one each time
"""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import IntegrityError, LockgateError, NotFound, ServiceUnavailable
from lockgate.records.digest import canonical, digest_bytes, digest_file, sha256_bytes
from lockgate.records.held import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lockgate.ports import Results, Store
    from lockgate.records.digest import Json

__all__ = ["MemoryResults", "MemoryStore", "results_checks", "store_checks"]


class _Knobs:
    """What goes wrong, counted down by the calls.

    Attributes:
        fail_call: the number of the call, from 1, that raises ServiceUnavailable and does nothing; 0: none.
        drop_writes: how many of the next writes are acknowledged and lost.
    """

    def __init__(self, *, fail_call: int, drop_writes: int) -> None:
        self.fail_call = fail_call
        self.drop_writes = drop_writes
        self.calls = 0

    def called(self) -> None:
        """Count a call; fail if it is the one."""
        self.calls += 1
        if self.calls == self.fail_call:
            raise ServiceUnavailable("the store does not answer", value=f"call {self.calls}")

    def writes(self) -> bool:
        """Whether the write at hand is kept."""
        if self.drop_writes:
            self.drop_writes -= 1
            return False
        return True


class MemoryStore:
    """A `Store` that forgets when the process ends. `objects` may be damaged by a test, to see what notices.

    Knobs: `fail_call`, the number of the call that raises ServiceUnavailable; `drop_writes`, puts that are
    acknowledged and lost.
    """

    def __init__(self, *, fail_call: int = 0, drop_writes: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.knobs = _Knobs(fail_call=fail_call, drop_writes=drop_writes)
        self._folder = Path(tempfile.mkdtemp(prefix="lockgate-store-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def put(self, path: Path) -> str:
        """Take over a finished file."""
        self.knobs.called()
        data = path.read_bytes()
        path.unlink()
        found = digest_bytes(data)
        if self.knobs.writes():
            self.objects[found] = data
        return found

    def get(self, digest: str) -> Path:
        """A file with exactly these bytes."""
        self.knobs.called()
        if digest not in self.objects:
            raise NotFound("an object is not in the store", value=digest)
        data = self.objects[digest]
        if digest_bytes(data) != digest:
            raise IntegrityError("an object in the store is damaged", value=digest)
        path = self._folder / digest.rpartition(":")[2]
        path.write_bytes(data)
        return path

    def has(self, digest: str, *, sha256: str = "", size_bytes: int | None = None) -> bool:
        """Say whether the object is here, and has these bytes."""
        self.knobs.called()
        data = self.objects.get(digest)
        return data is not None and sha256 in ("", sha256_bytes(data)) and size_bytes in (None, len(data))

    def list(self) -> Iterator[str]:
        """Every digest held."""
        self.knobs.called()
        return iter(tuple(self.objects))

    def delete(self, *digests: str) -> None:
        """Forget objects."""
        self.knobs.called()
        for digest in digests:
            self.objects.pop(digest, None)

    def held(self, *, read: bool = False) -> Iterator[Held]:
        """Every object; all of them are young."""
        self.knobs.called()
        for digest, data in tuple(self.objects.items()):
            whole = not read or digest_bytes(data) == digest
            yield Held(key=digest, size_bytes=len(data), modified_s=time.time(), whole=whole)


class MemoryResults:
    """A `Results` that forgets when the process ends; knobs as in `MemoryStore`."""

    def __init__(self, *, fail_call: int = 0, drop_writes: int = 0) -> None:
        self.records: dict[str, Mapping[str, Json]] = {}
        self.knobs = _Knobs(fail_call=fail_call, drop_writes=drop_writes)

    def get(self, key: str) -> Mapping[str, Json] | None:
        """The record under a key, or None."""
        self.knobs.called()
        return self.records.get(key)

    def put(self, key: str, record: Mapping[str, Json]) -> None:
        """Write or replace the record under a key."""
        self.knobs.called()
        canonical(record)
        if self.knobs.writes():
            self.records[key] = record

    def held(self) -> Iterator[Held]:
        """Every record; all of them are young."""
        self.knobs.called()
        for key, record in tuple(self.records.items()):
            yield Held(key=key, size_bytes=len(canonical(record)), modified_s=time.time(), record=record)

    def delete(self, *keys: str) -> None:
        """Forget records."""
        self.knobs.called()
        for key in keys:
            self.records.pop(key, None)


def store_checks() -> Sequence[Callable[[Callable[[], Store]], None]]:
    """What any store must do; each check takes a function that makes a new, empty one."""
    return (
        _what_is_put_comes_back,
        _putting_again_changes_nothing,
        _equal_bytes_are_one_object,
        _the_empty_file_is_an_object,
        _a_large_file_comes_back,
        _put_takes_the_file_over,
        _what_is_not_there_is_not_found,
        _deleting_forgets,
        _many_are_deleted_at_once,
        _what_is_held_has_size_and_age,
        _putting_again_makes_young,
    )


def results_checks() -> Sequence[Callable[[Callable[[], Results]], None]]:
    """What any results must do; each check takes a function that makes a new, empty one."""
    return (
        _nothing_is_none,
        _a_record_comes_back,
        _a_record_is_replaced,
        _keys_do_not_touch,
        _odd_keys_work,
        _records_are_held_by_key,
        _deleting_forgets_a_record,
        _many_records_are_deleted_at_once,
    )


def _put(store: Store, data: bytes) -> str:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(data)
    return store.put(Path(file.name))


def _what_is_put_comes_back(make: Callable[[], Store]) -> None:
    store = make()
    found = _put(store, b"one")
    assert found == digest_bytes(b"one")
    assert store.has(found)
    assert store.has(found, sha256=sha256_bytes(b"one"), size_bytes=3)
    assert store.get(found).read_bytes() == b"one"
    assert list(store.list()) == [found]


def _putting_again_changes_nothing(make: Callable[[], Store]) -> None:
    store = make()
    assert len({_put(store, b"one") for _ in range(3)}) == 1
    assert len(list(store.list())) == 1


def _equal_bytes_are_one_object(make: Callable[[], Store]) -> None:
    store = make()
    assert _put(store, b"one") != _put(store, b"two")
    assert sorted(store.list()) == sorted({digest_bytes(b"one"), digest_bytes(b"two")})


def _the_empty_file_is_an_object(make: Callable[[], Store]) -> None:
    store = make()
    found = _put(store, b"")
    assert store.get(found).read_bytes() == b""
    assert store.has(found, sha256=sha256_bytes(b""), size_bytes=0)


def _a_large_file_comes_back(make: Callable[[], Store]) -> None:
    store = make()
    data = bytes(range(256)) * 20_000
    assert digest_file(store.get(_put(store, data))) == digest_bytes(data)


def _put_takes_the_file_over(make: Callable[[], Store]) -> None:
    store = make()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            path = Path(folder) / "with space ü"
            path.write_bytes(b"one")
            store.put(path)
            assert not path.exists()


def _what_is_not_there_is_not_found(make: Callable[[], Store]) -> None:
    store = make()
    absent = digest_bytes(b"absent")
    assert not store.has(absent)
    assert not store.has("")
    assert _refused(lambda: store.get(absent)) is NotFound
    assert _refused(lambda: store.get("blake3:../../etc/passwd")) is NotFound


def _deleting_forgets(make: Callable[[], Store]) -> None:
    store = make()
    found = _put(store, b"one")
    for _ in range(2):
        store.delete(found)
        assert not store.has(found)
    assert _refused(lambda: store.get(found)) is NotFound
    assert _put(store, b"one") == found
    assert store.has(found)


def _many_are_deleted_at_once(make: Callable[[], Store]) -> None:
    store = make()
    found = [_put(store, data) for data in (b"", b"one", b"two", b"three")]
    store.delete()
    store.delete(found[0], found[2], digest_bytes(b"absent"))
    assert sorted(store.list()) == sorted([found[1], found[3]])


def _what_is_held_has_size_and_age(make: Callable[[], Store]) -> None:
    store = make()
    found = {_put(store, data): len(data) for data in (b"", b"one", b"x" * 70_000)}
    held = list(store.held())
    assert {h.key: h.size_bytes for h in held} == found
    assert all(abs(h.modified_s - time.time()) < 120 for h in held)
    assert {(h.key, h.size_bytes, h.whole) for h in store.held(read=True)} == {(d, n, True) for d, n in found.items()}


def _putting_again_makes_young(make: Callable[[], Store]) -> None:
    store = make()
    _put(store, b"one")
    before = next(store.held()).modified_s
    time.sleep(1.1)  # S3 says whole seconds
    _put(store, b"one")
    assert next(store.held()).modified_s > before


def _nothing_is_none(make: Callable[[], Results]) -> None:
    assert make().get("blake3:" + "0" * 64) is None


def _a_record_comes_back(make: Callable[[], Results]) -> None:
    results = make()
    record = {"a": [1, 2.5, None, True, "é\n\u2028"], "b": {"c": {}}, "": ""}
    results.put("blake3:" + "1" * 64, record)
    assert results.get("blake3:" + "1" * 64) == record


def _a_record_is_replaced(make: Callable[[], Results]) -> None:
    results = make()
    for number in range(3):
        results.put("key", {"number": number})
    assert results.get("key") == {"number": 2}


def _keys_do_not_touch(make: Callable[[], Results]) -> None:
    results = make()
    for key in _KEYS:
        results.put(key, {"key": key})
    assert [results.get(k) for k in _KEYS] == [{"key": k} for k in _KEYS]


def _odd_keys_work(make: Callable[[], Results]) -> None:
    results = make()
    for key in ("source:a b", "source:ünï", "source:a/../../b", "source:..", "source:" + "x" * 400, "source:.hidden"):
        results.put(key, {"key": key})
        assert results.get(key) == {"key": key}


def _records_are_held_by_key(make: Callable[[], Results]) -> None:
    results = make()
    keys = [*_KEYS, "source:" + "x" * 400, "sha256:" + "0" * 64]
    for key in keys:
        results.put(key, {"key": key})
    assert sorted(h.key for h in results.held()) == sorted(keys)
    assert all(h.whole and h.size_bytes > 0 and h.record == {"key": h.key} for h in results.held())


def _many_records_are_deleted_at_once(make: Callable[[], Results]) -> None:
    results = make()
    for key in _KEYS:
        results.put(key, {})
    results.delete()
    results.delete(_KEYS[0], _KEYS[2], "absent")
    assert sorted(h.key for h in results.held()) == sorted([_KEYS[1], _KEYS[3]])


def _deleting_forgets_a_record(make: Callable[[], Results]) -> None:
    results = make()
    for key in (*_KEYS, "source:" + "x" * 400):
        results.put(key, {})
        for _ in range(2):
            results.delete(key)
        assert results.get(key) is None
    assert list(results.held()) == []


_KEYS = ("blake3:" + "ab" * 32, "blake3:" + "ac" * 32, "source:shop-sales", "source:shop-sale")


def _refused(act: Callable[[], object]) -> type[LockgateError] | None:
    try:
        act()
    except LockgateError as error:
        return type(error)
    return None
