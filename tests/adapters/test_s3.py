"""Store, results, leases and ledger in a real SeaweedFS: the exams, and what damage and wrong settings do."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from lockgate.adapters.local import LocalStore
from lockgate.adapters.s3.bucket import Bucket
from lockgate.adapters.s3.client import parse
from lockgate.adapters.s3.leases import S3Leases
from lockgate.adapters.s3.ledger import S3Ledger
from lockgate.adapters.bucket.results import BucketResults
from lockgate.adapters.bucket.store import BucketStore
from lockgate.errors import IntegrityError, LockgateError, MovedOn, NotFound, ServiceUnavailable, UsageError
from lockgate.records.digest import digest_bytes
from lockgate.records.ledger import EMPTY
from lockgate.testing.ledger import LEDGER_CHECKS, NOON, _envelope
from lockgate.testing.leases import lease_checks
from lockgate.testing.store import results_checks, store_checks

from adapters.seaweed import Seaweed

NUMBERS = itertools.count()


@pytest.fixture
def new(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """A URL with a prefix that nobody used."""
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    return lambda: s3.url(f"with space ü/{next(NUMBERS)}")


def store_at(url: str, folder: Path, **more: float) -> BucketStore:
    return BucketStore(Bucket(url), cache=LocalStore(folder), scratch=folder / "tmp", **more)


def put(store: BucketStore, tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "output"
    path.write_bytes(data)
    return store.put(path)


@pytest.mark.parametrize("check", store_checks(), ids=lambda c: c.__name__)
def test_the_store_exam(check: object, new: Callable[[], str], tmp_path: Path) -> None:
    made = iter(range(100))
    check(lambda: store_at(new(), tmp_path / str(next(made)), young_s=0.0))


@pytest.mark.parametrize("check", results_checks(), ids=lambda c: c.__name__)
def test_the_results_exam(check: object, new: Callable[[], str]) -> None:
    check(lambda: BucketResults(Bucket(new()), "results"))


@pytest.mark.parametrize("check", lease_checks(), ids=lambda c: c.__name__)
def test_the_leases_exam(check: object, new: Callable[[], str]) -> None:
    check(lambda: S3Leases(new()))


@pytest.mark.parametrize("check", LEDGER_CHECKS, ids=lambda c: c.__name__)
def test_the_ledger_exam(check: object, new: Callable[[], str], tmp_path: Path) -> None:
    made = iter(range(100))
    check(lambda: S3Ledger(new(), seen=tmp_path / str(next(made)) / "seen"))


def test_a_second_machine_reads_what_the_first_put(new: Callable[[], str], tmp_path: Path) -> None:
    url = new()
    data = b"x" * (40 << 20)  # more than one part
    found = put(store_at(url, tmp_path / "a"), tmp_path, data)
    second = store_at(url, tmp_path / "b")
    assert second.has(found)
    assert second.get(found).read_bytes() == data


def test_a_damaged_copy_in_the_cache_is_fetched_again(new: Callable[[], str], tmp_path: Path) -> None:
    store = store_at(new(), tmp_path / "a")
    found = put(store, tmp_path, b"one")
    path = store.get(found)
    path.chmod(0o644)
    path.write_bytes(b"two")
    assert store.get(found).read_bytes() == b"one"


def test_damage_in_the_bucket_is_found_on_the_way_in(new: Callable[[], str], tmp_path: Path) -> None:
    url = new()
    found = put(store_at(url, tmp_path / "a"), tmp_path, b"one")
    hex_ = found.removeprefix("blake3:")
    Bucket(url).write(f"objects/{hex_[:2]}/{hex_}", b"two")
    with pytest.raises(IntegrityError, match="damaged") as error:
        store_at(url, tmp_path / "b").get(found)
    assert error.value.exit_code == 4
    assert not list((tmp_path / "b").rglob("*-*"))  # no draft is left behind


def test_what_only_the_cache_has_is_not_had(new: Callable[[], str], tmp_path: Path) -> None:
    """Others rely on the bucket: an object that was collected there must be made or sent again."""
    url = new()
    found = put(store_at(url, tmp_path / "a"), tmp_path, b"one")
    store_at(url, tmp_path / "b").delete(found)
    store = store_at(url, tmp_path / "a")
    assert not store.has(found)
    assert put(store, tmp_path, b"one") == found
    assert store_at(url, tmp_path / "c").get(found).read_bytes() == b"one"


def test_a_record_that_is_damaged_reads_as_absent_and_is_held(new: Callable[[], str]) -> None:
    url = new()
    results = BucketResults(Bucket(url), "results")
    key = "blake3:" + "ab" * 32
    results.put(key, {"a": 1})
    good = Bucket(url).read(f"results/ab/{'ab' * 32}")
    assert good
    for bad in (
        b"",
        b"[]",
        good[0][:-1],
        good[0].replace(b'"a":1', b'"a":2'),
        good[0].replace(b'"key":"blake3:ab', b'"key":"blake3:ac'),
    ):
        Bucket(url).write(f"results/ab/{'ab' * 32}", bad)
        (held,) = results.held()
        assert not held.whole, bad
        assert held.key == "ab" * 32
    Bucket(url).write(f"results/ab/{'ab' * 32}", b"rubbish")
    assert results.get(key) is None
    results.delete("ab" * 32)
    assert list(results.held()) == []


def test_a_lease_that_cannot_be_read_locks_nobody_out(new: Callable[[], str]) -> None:
    from lockgate.records.held import Lease

    url = new()
    Bucket(url).write("leases/one", b"rubbish")
    leases = S3Leases(url)
    assert leases.take("one", Lease(owner="a", until_s=0.0, lasts_s=1.0))
    assert not leases.take("one", Lease(owner="b", until_s=0.0, lasts_s=1.0))


def test_of_many_that_append_at_once_one_comes_first(new: Callable[[], str], tmp_path: Path) -> None:
    """Six machines append until each has its word in: the chain holds and has every word once."""
    url = new()

    def machine(number: int) -> None:
        ledger = S3Ledger(url, seen=tmp_path / str(number) / "seen")
        for _ in range(100):
            try:
                ledger.append(_envelope(f"word {number}"), after=ledger.head(), time=NOON)
            except MovedOn:
                continue
            return

    threads = [threading.Thread(target=machine, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = S3Ledger(url, seen=tmp_path / "reader" / "seen").read()
    words = [e.envelope.statement().predicate["word"] for e in entries]
    assert sorted(words) == [f"word {n}" for n in range(6)]


def test_a_ledger_that_was_cut_or_rewritten_is_refused(new: Callable[[], str], tmp_path: Path) -> None:
    url = new()
    ledger = S3Ledger(url, seen=tmp_path / "seen")
    head = EMPTY
    for number in range(4):
        head = ledger.append(_envelope(str(number)), after=head, time=NOON).head
    last, middle = "ledger/000000003.json", "ledger/000000002.json"
    kept = {n: Bucket(url).read(n) for n in (last, middle)}
    for damage in (
        lambda: Bucket(url).delete(last),
        lambda: Bucket(url).delete(middle),
        lambda: Bucket(url).write(middle, (kept[middle] or (b"",))[0].replace(b'"seq":2', b'"seq":3')),
        lambda: Bucket(url).write(last, (kept[middle] or (b"",))[0]),
    ):
        damage()
        (tmp_path / "seen-entries.jsonl").unlink(missing_ok=True)
        with pytest.raises(IntegrityError):
            S3Ledger(url, seen=tmp_path / "seen").read()
        for name, value in kept.items():
            assert value
            Bucket(url).write(name, value[0])
    assert len(S3Ledger(url, seen=tmp_path / "seen").read()) == 4
    (tmp_path / "seen-entries.jsonl").write_bytes(b"rubbish\n")
    assert len(S3Ledger(url, seen=tmp_path / "seen").read()) == 4


def _ask(url: str, tmp_path: Path) -> LockgateError:
    with pytest.raises(LockgateError) as error:
        store_at(url, tmp_path).has(digest_bytes(b"one"))
    return error.value


def test_a_wrong_bucket_is_said(new: Callable[[], str], s3: Seaweed, tmp_path: Path) -> None:
    for bucket in ("nobodys-bucket", "xx"):
        error = _ask(s3.url("a", bucket=bucket), tmp_path)
        assert isinstance(error, ServiceUnavailable)
        assert "no such bucket" in error.what
        assert f"s3://{bucket}/a" in error.value
        assert error.next


def test_an_endpoint_that_is_down_is_said(new: Callable[[], str], tmp_path: Path) -> None:
    error = _ask("s3://bucket/a?endpoint=http://127.0.0.1:1", tmp_path)
    assert isinstance(error, ServiceUnavailable)
    assert "does not answer" in error.what
    assert "http://127.0.0.1:1" in error.value
    assert error.next


def test_a_wrong_key_is_said_and_not_shown(
    new: Callable[[], str], s3: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, secret in (("lockgate-test", "wrong-secret"), ("wrong-key", "wrong-secret")):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        error = _ask(s3.url("a"), tmp_path)
        assert isinstance(error, ServiceUnavailable)
        assert "refuses our credentials" in error.what
        assert "wrong" not in str(error)


def test_what_we_may_not_do_is_said(
    new: Callable[[], str], s3: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new()
    found = put(store_at(url, tmp_path / "a"), tmp_path, b"one")
    for name, value in s3.reading.items():
        monkeypatch.setenv(name, value)
    store = store_at(url, tmp_path / "b")
    assert store.get(found).read_bytes() == b"one"
    for refused in (lambda: store.delete(found), lambda: put(store, tmp_path, b"two")):
        with pytest.raises(ServiceUnavailable, match="refuses our credentials") as error:
            refused()
        assert "(AccessDenied)" in error.value.next
    assert [h.key for h in store.held()] == [found]


def test_damage_is_held_when_it_is_read(new: Callable[[], str], tmp_path: Path) -> None:
    url = new()
    first, second = (put(store_at(url, tmp_path / "a"), tmp_path, data) for data in (b"one", b"two"))
    hex_ = first.removeprefix("blake3:")
    store = store_at(url, tmp_path / "b")
    Bucket(url).write(f"objects/{hex_[:2]}/{hex_}", b"eno")
    assert {h.key: h.whole for h in store.held()} == {first: True, second: True}
    assert {h.key: h.whole for h in store.held(read=True)} == {first: False, second: True}
    assert not list((tmp_path / "b").rglob("*"))
    assert put(store, tmp_path, b"one") == first  # what was seen to be damaged is sent though it is there and young
    assert all(h.whole for h in store_at(url, tmp_path / "c").held(read=True))


class Counting(Bucket):
    """A bucket that counts what is sent to it."""

    sent = 0

    def send(self, name: str, path: Path) -> None:
        self.sent += 1
        super().send(name, path)


@pytest.mark.parametrize("size_bytes", [0, 4, 11 << 20], ids=["empty", "one piece", "three parts"])
def test_who_puts_next_believes_the_bytes_and_not_their_number(
    new: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    """Others of the same name and size may lie there; the same ones are not sent again, also where they went in parts."""
    monkeypatch.setattr("lockgate.adapters.s3.bucket.PART_BYTES", 5 << 20)  # the smallest part that S3 takes
    url, good = new(), b"g" * size_bytes
    found = put(store_at(url, tmp_path / "a"), tmp_path, good)
    bucket = Counting(url)
    store = BucketStore(bucket, cache=LocalStore(tmp_path / "b"), scratch=tmp_path / "b" / "tmp")
    put(store, tmp_path, good)
    assert bucket.sent == 0, "it is there and young"
    if good:
        Bucket(url).write(f"objects/{found[7:9]}/{found[7:]}", b"e" * size_bytes)
        put(store, tmp_path, good)
        assert bucket.sent == 1
        assert store_at(url, tmp_path / "c").get(found).read_bytes() == good


def test_no_credentials_is_said_at_once(
    new: Callable[[], str], s3: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    error = _ask(s3.url("a"), tmp_path)
    assert isinstance(error, ServiceUnavailable)
    assert "no credentials" in error.what
    assert "AWS_ACCESS_KEY_ID" in error.allowed


def test_the_shared_credentials_file_is_read(
    new: Callable[[], str], s3: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"[team]\naws_access_key_id = {s3.env['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {s3.env['AWS_SECRET_ACCESS_KEY']}\n"
    (tmp_path / "credentials").write_text(text)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = put(store_at(new(), tmp_path / "a"), tmp_path, b"one")
    assert found == digest_bytes(b"one")


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///a",
        "s3://b?endpiont=x",
        "s3://key:secret@b/a",
        "s3://b/a?access_key_id=k",
        "s3://b/a?token=t",
        "s3://b#a",
        "s3://b?credentials=mine",
    ],
)
def test_a_wrong_url_is_a_usage_error_that_shows_no_secret(url: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(url)
    assert "secret@" not in str(error.value)
    assert "=k" not in str(error.value)


def test_odd_digests_are_not_found(new: Callable[[], str], tmp_path: Path) -> None:
    store = store_at(new(), tmp_path / "a")
    for odd in ("", "blake3:", "blake3:../x", "sha256:" + "0" * 64):
        assert not store.has(odd)
        with pytest.raises(NotFound):
            store.get(odd)
