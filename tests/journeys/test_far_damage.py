"""`store check` on a bucket: whatever lies there under a wrong name is found, named, and healed or forgotten."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lockgate.delivery.store.check import check
from lockgate.errors import ServiceUnavailable
from lockgate.project import KINDS, open_project
from lockgate.records.digest import digest_bytes, digest_file

from adapters.seaweed import Seaweed
from journeys.far import Far, counted, flipped, name_of, share
from journeys.test_packs import FILES, FLOW, TOML
from journeys.walking import GOOD, HUMAN, OUTSIDE, REFUSED, Lockgate, both, commit, copy, edit, make_shop

pytestmark = pytest.mark.sampled(4)

RECORDS = (
    "results",
    "graphs",
    "sources",
    "releases",
    "bundles",
    "pages",
    "policies",
    "measured",
    "summaries",
    "material",
)
DEAD_LEASE = {"owner": "nobody", "until_s": 1.0, "lasts_s": 1.0}


@pytest.fixture(scope="module")
def shop(s3: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """The first release is live in production; store, results, leases and ledger are in a bucket."""
    url = s3.url("far-damage")
    lockgate = share(make_shop(tmp_path_factory.mktemp("far") / "shop"), url)
    lockgate = Lockgate(lockgate.root, s3.env)
    commit(lockgate.root, "shared")
    lockgate("init", "--person", "ada")
    lockgate("people", "add", "bob", "--role", "product-owner", "--new-key", ".lockgate/bob")
    with both(lockgate):
        lockgate("deliver", expect=HUMAN)
        lockgate.approve()
        lockgate("deliver")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.env.items():
            patch.setenv(name, value)
        yield Far(lockgate, url)


@pytest.fixture
def here(shop: Far, tmp_path: Path) -> Iterator[Far]:
    """A copy to do with as one likes; the bucket is put back afterwards."""
    with shop.kept():
        yield Far(copy(shop.lockgate, tmp_path / "shop"), shop.url)


def page_of(far: Far) -> str:
    """The evidence page that Bob signed under: no machine has an unpacked copy of it."""
    (name,) = (n for n in far.names if n.startswith("pages/"))
    return far.record("pages", f"blake3:{name.rpartition('/')[2]}")["page"]


def damaged(far: Far) -> dict[str, str]:
    """Five objects in five ways; digest → a word of what it belongs to."""
    manifest = far.lockgate.json("show", "latest")
    release = manifest["release"]
    code = next(f for f in manifest["files"] if f["path"] == "code/shop/pipelines.py")["blake3"]
    source = digest_file(far.lockgate.root / "data" / "sales.csv")
    rows = f"blake3:{Path(far.lockgate.json('show', 'trained_rows')['path']).name}"
    page = page_of(far)
    listing = far.record("releases", release)["manifest"]
    for digest, change in {
        code: flipped, source: lambda d: d[: len(d) // 2], rows: lambda d: d + b"\0", page: lambda _: b"",
    }.items():  # fmt: skip
        far.bucket.write(name_of(digest), change(far.read(name_of(digest))))
    far.bucket.delete(name_of(listing))
    return {
        code: f"code/shop/pipelines.py of release {release[7:19]}", source: "sales.csv of source sales",
        rows: "the result of step shop.trained_rows", page: "the evidence page of release", listing: "the manifest of release",
    }  # fmt: skip


def test_a_whole_bucket_is_good_and_every_byte_counts(shop: Far, here: Far) -> None:
    found = here.lockgate.json("store", "check")
    assert found["good"] and found["faults"] == []
    assert found["objects"] == len(shop.objects)
    assert found["size_bytes"] == sum(len(shop.read(name_of(d))) for d in shop.objects)
    assert found["records"] == sum(n.partition("/")[0] in RECORDS for n in shop.names)


def test_every_flipped_object_is_found_and_nothing_else(here: Far) -> None:
    whole = {d for d in here.objects if here.read(name_of(d))}
    odd = set(sorted(whole)[::2])
    for digest in odd:
        here.bucket.write(name_of(digest), flipped(here.read(name_of(digest))))
    found = here.lockgate("store", "check", "--json", expect=REFUSED).json()
    assert {f["key"] for f in found["faults"]} == odd
    assert {(f["what"], f["state"]) for f in found["faults"]} == {("object", "damaged")}


def test_damage_is_named_and_healed_from_this_machines_copies(here: Far) -> None:
    with here.kept() as before:
        words = damaged(here)
        said = here.lockgate("store", "check", expect=REFUSED).out
        assert said.count("damaged object") == 4
        assert said.count("missing object") == 1
        for digest, word in words.items():
            assert digest in said
            assert word in said
        healed = here.lockgate("store", "check", "--heal").out
        assert healed.count("brought back from") == 5
        assert "0 damaged, 5 healed" in healed
        assert {n: here.read(n) for n in here.names if n.startswith("objects/")} == {
            n: d for n, d in before.items() if n.startswith("objects/")
        }
        assert here.lockgate("store", "check").code == GOOD


def test_elsewhere_it_is_healed_from_releases_and_sources_or_forgotten(here: Far, tmp_path: Path) -> None:
    there = here.elsewhere(tmp_path / "elsewhere")
    words = damaged(here)
    said = there.lockgate("store", "check", "--heal", expect=REFUSED).out
    for digest, word in words.items():
        assert digest in said
        assert word in said
    assert said.count("brought back from") == 3  # manifest and code of the unpacked release, the source's file
    assert "forgotten; the next run makes it again" in said
    assert "1 damaged, 4 healed" in said  # nothing has another copy of the page
    assert "next:       lockgate deliver" in said
    actions = there.lockgate.actions()
    assert actions == {"history": "reuse", "model": "reuse", "holdout": "reuse", "trained_rows": "run"}
    assert here.lockgate("store", "check", "--heal").out.count("brought back from") == 1  # who has it brings it back
    assert there.lockgate("store", "check").code == GOOD


def test_damaged_records_are_named_and_forgotten_or_written_again(here: Far) -> None:
    torn = {k: min(n for n in here.names if n.startswith(f"{k}/")) for k in RECORDS}
    for number, name in enumerate(torn.values()):
        whole = here.read(name)
        here.bucket.write(name, (whole[: len(whole) // 2], b"", flipped(whole))[number % 3])
    said = here.lockgate("store", "check", expect=REFUSED).out
    assert said.count("damaged record") == len(RECORDS)
    for name in torn.values():
        assert name.rpartition("/")[2] in said
    healed = here.lockgate("store", "check", "--heal").out
    assert "written again from" in healed
    assert healed.count("forgotten; to have it again") == len(RECORDS) - 1
    here.lockgate("run")
    assert here.lockgate("store", "check").code == GOOD


def test_a_release_that_the_bucket_lost_altogether_is_missed(here: Far) -> None:
    here.bucket.delete(next(n for n in here.names if n.startswith("releases/")))
    said = here.lockgate("store", "check", expect=REFUSED).out
    assert "missing record" in said and here.lockgate.ledger()[-1]
    assert "written again from" in here.lockgate("store", "check", "--heal").out
    assert here.lockgate("store", "check").code == GOOD


def test_a_damaged_entry_of_the_ledger_stops_the_check(here: Far) -> None:
    name = "ledger/000000005.json"
    here.bucket.write(name, flipped(here.read(name)))
    there = here.elsewhere(here.lockgate.root.parent / "elsewhere").lockgate
    (there.root / ".lockgate" / "ledger-seen-entries.jsonl").unlink()
    for command in (("check",), ("check", "--heal"), ("gc",)):
        assert "entry 5" in there("store", *command, expect=REFUSED).err


def test_what_a_source_lies_in_is_made_again_from_its_files(s3: Seaweed, shop: Far, tmp_path: Path) -> None:
    root, url = tmp_path / "many", s3.url("far-packs")
    (root / "notes").mkdir(parents=True)
    (root / "lockgate.toml").write_text(TOML)
    (root / "flow.py").write_text(FLOW)
    for n in range(FILES):
        (root / "notes" / f"{n:03d}.txt").write_text(f"note {n}")
    many = Far(share(Lockgate(root, s3.env), url), url)
    many.lockgate("run")
    before = {d: many.read(name_of(d)) for d in many.objects}
    whole = "".join(f"note {n}" for n in range(FILES)).encode()
    starts = {whole: "packed files", b'[["blake3:': "the index of packed files", b'["source"': "the list of files"}
    parts = {d: words for d, data in before.items() for start, words in starts.items() if data.startswith(start)}
    assert len(parts) == 3
    for digest, words in parts.items():
        many.bucket.write(name_of(digest), flipped(before[digest]))
        there = many.elsewhere(tmp_path / digest[-8:]).lockgate
        assert f"{words} of source notes" in there("store", "check", expect=REFUSED).out
        assert "made again" in there("store", "check", "--heal").out
        assert many.read(name_of(digest)) == before[digest]
    many.bucket.delete(name_of(next(d for d, words in parts.items() if words == "packed files")))
    shutil.rmtree(there.root / "notes")
    shutil.rmtree(there.root / ".lockgate" / "objects", ignore_errors=True)
    assert "bring the source's files" in there("store", "check", "--heal", expect=REFUSED).out


def test_nothing_is_downloaded_twice(here: Far, tmp_path: Path) -> None:
    """On a machine that has nothing: every object and record once, and little else is asked."""
    there = here.elsewhere(tmp_path / "elsewhere").lockgate
    with counted() as made:
        found = check(open_project(there.root))
    assert found.is_good
    read = Counter(str(name) for call, name in made if call in ("get", "get_range"))
    wanted = {n for n in here.names if n.partition("/")[0] in ("objects", *RECORDS)}
    assert wanted <= set(read)
    assert {n: times for n, times in read.items() if n in wanted and times > 1} == {}
    assert sum(call == "head" for call, _ in made) == 0
    assert (
        sum(call == "list" for call, _ in made) <= len(KINDS) + 3
    )  # records, objects, ledger, and whether it is there
    assert len(list((there.root / ".lockgate" / "objects").glob("??/*"))) == 2  # what lists others was kept


def test_a_killed_heal_loses_no_copy(here: Far) -> None:
    """It stops before the page is sent: the only copy of it, which it would have sent, is still there."""
    name = name_of(page_of(here))
    before = here.read(name)
    here.bucket.write(name, flipped(before))
    code = """
        import os, signal, obstore
        obstore.put = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        from lockgate.cli.main import main
        main(["store", "check", "--heal"])
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=here.lockgate.root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "brought back from" in here.lockgate("store", "check", "--heal").out
    assert here.read(name) == before


def test_a_store_that_goes_away_in_the_middle_makes_no_garbage(
    here: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever request is not answered: the collection stops, or finds what it would have found."""
    from lockgate.delivery.store import gc

    monkeypatch.setattr(gc, "time", types.SimpleNamespace(time=lambda: time.time() + 40 * 24 * 3600))
    there = here.elsewhere(tmp_path / "elsewhere").lockgate.root

    def found() -> set[str]:
        shutil.rmtree(there / ".lockgate" / "objects", ignore_errors=True)
        garbage = gc.find_garbage(open_project(there), now=dt.datetime.now(dt.UTC), keep_days=0)
        return {h.key for h in garbage.objects}

    with counted() as made:
        truth = found()
    refused = 0
    for number in range(1, len(made) + 1, 2):
        with monkeypatch.context() as patch:
            fail_call(patch, number)
            try:
                assert found() == truth, f"request {number} of {len(made)}: {made[number - 1]}"
            except ServiceUnavailable:
                refused += 1
    assert refused > len(made) / 4


def fail_call(patch: pytest.MonkeyPatch, number: int) -> None:
    """The request of this number is not answered."""
    import obstore
    from obstore.exceptions import GenericError

    calls = itertools.count(1)

    def failing(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(calls) == number:
                raise GenericError("no answer")
            return original(*arguments, **named)

        return call

    for name in ("get", "head", "list"):
        patch.setattr(obstore, name, failing(getattr(obstore, name)))


def test_an_endpoint_that_is_down_is_said(here: Far, s3: Seaweed) -> None:
    edit(here.lockgate.root, "lockgate.toml", s3.endpoint, "http://127.0.0.1:1")
    for command in ((), ("check",), ("check", "--heal"), ("gc",), ("gc", "--yes")):
        said = here.lockgate("store", *command, expect=OUTSIDE).err
        assert "does not answer" in said
        assert "http://127.0.0.1:1" in said
        assert "next:" in said


def test_who_may_only_look_looks_and_changes_nothing(here: Far, s3: Seaweed, tmp_path: Path) -> None:
    with here.kept() as before:
        reader = Lockgate(here.lockgate.root, s3.reading)
        here.bucket.write("leases/run-dead", json.dumps(DEAD_LEASE).encode())
        for command in ((), ("check",), ("gc",)):
            reader("store", *command)
        words = next(iter(damaged(here).values()))
        after = {n: here.read(n) for n in here.names}
        assert words in reader("store", "check", expect=REFUSED).out
        for command in (("check", "--heal"), ("gc", "--yes")):
            done = reader("store", *command, expect=OUTSIDE)
            assert "refuses our credentials" in done.err
            assert "AccessDenied" in done.err
            assert s3.reading["AWS_SECRET_ACCESS_KEY"] not in done.text
        assert "damaged object" in reader("store", "check", "--heal", expect=OUTSIDE).out  # told all the same
        assert {n: here.read(n) for n in here.names} == after
        assert before.keys() - after.keys() != set()


def test_no_object_is_held_in_memory(here: Far) -> None:
    """Six objects of 40 MB, checked by a process that may grow by less than two of them."""
    code = """
        from lockgate.cli.main import main
        main(["store", "check"])
        print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]

    def peak_kb() -> int:
        done = subprocess.run(command, cwd=here.lockgate.root, capture_output=True, text=True, check=True)
        assert "all good" in done.stdout
        return int(done.stdout.split()[-1])

    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells a process's peak")
    before = peak_kb()
    for number in range(6):
        data = bytes([number]) * (40 << 20)
        here.bucket.write(name_of(digest_bytes(data)), data)
    assert peak_kb() - before < 80 << 10
