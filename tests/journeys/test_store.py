"""`lockgate store` on a delivered project: each damage is named with what it belongs to, healed or said to be left."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from journeys.walking import GOOD, HUMAN, REFUSED, USAGE, Lockgate, flip, objects

Copier = Callable[[Lockgate], Lockgate]
OLD_S = 40 * 24 * 3600


def store_of(lockgate: Lockgate) -> Path:
    return lockgate.root / ".lockgate"


def records(lockgate: Lockgate) -> dict[Path, str]:
    kinds = (
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
    return {p: kind for kind in kinds for p in (store_of(lockgate) / kind).glob("??/*")}


def make_old(lockgate: Lockgate) -> None:
    """Everything in the store as if nobody had touched it for forty days."""
    then = time.time() - OLD_S
    for path in [*objects(lockgate.root).values(), *records(lockgate), *(store_of(lockgate) / "runs").glob("*")]:
        os.utime(path, (then, then))


def test_a_whole_store_is_good_and_every_byte_counts(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    found = lockgate.json("store", "check")
    assert found["good"] and found["faults"] == []
    assert found["objects"] == len(objects(lockgate.root))
    assert found["size_bytes"] == sum(p.stat().st_size for p in objects(lockgate.root).values())
    assert found["records"] == len(records(lockgate))


def test_each_flipped_object_is_found_named_and_healed(delivered: Lockgate, fresh: Copier) -> None:
    """One at a time: nothing is called damaged but what is, and what it belongs to is said in words."""
    lockgate = fresh(delivered)
    contents = [json.loads(p.read_bytes())["record"] for p in records(lockgate)]
    named = (
        {f["blake3"] for f in lockgate.json("show", "latest")["files"]}
        | {
            d
            for c in contents
            for d in (
                c.get("artifact", {}).get("object"),
                c.get("manifest"),
                c.get("page"),
                c.get("card"),
                c.get("pack"),
            )
        }
        | (versions := {c["version"] for c in contents if "version" in c})
        | {d for v in versions for _, d in json.loads(objects(lockgate.root)[v].read_bytes())[1]}
    )
    assert len(named & set(objects(lockgate.root))) > 10
    for digest, path in objects(lockgate.root).items():
        good = path.read_bytes()
        if not good:
            continue
        flip(path, len(good) // 2)
        done = lockgate("store", "check", expect=REFUSED)
        assert done.out.count("damaged object") == 1
        assert digest in done.out
        words = ("of release", "result of step", "evidence page", "of source")
        # What `deliver` hands to the gates (the manifest as a value) is named by no record: nothing needs it afterwards.
        expected = words if digest in named else ("nothing that is needed",)
        assert any(w in done.out for w in expected), done.text
        assert "next:" in done.out
        path.chmod(0o644)
        path.write_bytes(good)
    lockgate("store", "check")


def test_a_damaged_release_comes_back_from_its_unpacked_copy(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    manifest = lockgate.json("show", "latest")
    entry = next(f for f in manifest["files"] if f["path"].startswith("code/") and f["size_bytes"])
    path = objects(lockgate.root)[entry["blake3"]]
    flip(path)
    done = lockgate("store", "check", expect=REFUSED)
    assert f"{entry['path']} of release {manifest['release'][7:19]}" in done.out
    done = lockgate("store", "check", "--heal")
    assert "brought back from" in done.out
    assert "0 damaged, 1 healed" in done.out
    assert lockgate("store", "check").code == GOOD


def test_what_cannot_be_healed_stays_damaged_until_it_is_made_again(waiting: Lockgate, fresh: Copier) -> None:
    """No unpacked copy: the file of the release is gone until `deliver` builds the same release again."""
    lockgate = fresh(waiting)
    release = lockgate.release()
    manifest = lockgate.json("show", "latest")
    entry = next(f for f in manifest["files"] if f["path"].startswith("code/") and f["size_bytes"])
    flip(objects(lockgate.root)[entry["blake3"]])
    shutil.rmtree(store_of(lockgate) / "releases-of-elsewhere", ignore_errors=True)
    for folder in (store_of(lockgate) / "releases").iterdir():
        if len(folder.name) == 64:
            shutil.rmtree(folder)
    done = lockgate("store", "check", "--heal", expect=REFUSED)
    assert "lockgate deliver" in done.out
    lockgate("store", "check", expect=REFUSED)
    lockgate("deliver", "--wait", "0", expect=None)
    assert lockgate.release() == release
    assert lockgate("store", "check").code == GOOD


def test_a_damaged_result_is_forgotten_and_made_again(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    flip(Path(lockgate.json("show", "model")["path"]))
    done = lockgate("store", "check", "--heal")
    assert "the result of step shop.model" in done.out
    assert "forgotten; the next run makes it again" in done.out
    assert lockgate.actions() == {"history": "reuse", "model": "run", "holdout": "reuse", "trained_rows": "reuse"}
    assert lockgate("store", "check").code == GOOD


def test_a_damaged_source_comes_back_from_its_file(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    source = (lockgate.root / "data" / "sales.csv").read_bytes()
    path = next(p for p in objects(lockgate.root).values() if p.read_bytes() == source)
    flip(path)
    done = lockgate("store", "check", "--heal")
    assert "sales.csv of source sales" in done.out
    assert path.read_bytes() == source


def test_missing_objects_and_torn_records_are_named(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    model = Path(lockgate.json("show", "model")["path"])
    model.unlink()
    done = lockgate("store", "check", expect=REFUSED)
    assert "missing object" in done.out and "shop.model" in done.out
    lockgate("store", "check", "--heal", expect=None)
    for path, kind in records(lockgate).items():
        good = path.read_bytes()
        for bad in (good[: len(good) // 2], b""):
            path.write_bytes(bad)
            done = lockgate("store", "check", expect=REFUSED)
            assert "damaged record" in done.out, (kind, done.text)
        path.write_bytes(good)


def test_a_release_that_the_store_lost_altogether_is_missed(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    release = lockgate.release()
    path = next(p for p, kind in records(lockgate).items() if kind == "releases")
    path.unlink()
    done = lockgate("store", "check", expect=REFUSED)
    assert "missing record" in done.out and release in done.out
    assert "written again from" in lockgate("store", "check", "--heal").out
    assert lockgate("store", "check").code == GOOD


def test_garbage_goes_and_what_is_needed_stays(delivered: Lockgate, fresh: Copier) -> None:
    """A year of work in the store: old results go; the release, its page and the present results stay."""
    lockgate = fresh(delivered)
    before = set(objects(lockgate.root))
    lockgate("run", "--param", "model.window=3", expect=None)
    lockgate("run", expect=None)
    made = set(objects(lockgate.root)) - before
    assert "would be removed" in lockgate("store", "gc").out
    assert set(objects(lockgate.root)) == before | made
    make_old(lockgate)
    dry = lockgate.json("store", "gc")
    assert not dry["removed"]
    assert set(objects(lockgate.root)) == before | made
    done = lockgate.json("store", "gc", "--yes")
    assert set(done["objects"]) == set(dry["objects"])
    assert set(objects(lockgate.root)) == (before | made) - set(done["objects"])
    assert lockgate("store", "check").code == GOOD
    assert set(lockgate.actions().values()) == {"reuse"}
    lockgate("evidence", "latest")
    lockgate("deliver", "--wait", "0", expect=None)
    again = lockgate.json("store", "gc", "--yes")
    assert again["objects"] == []


def test_an_old_result_that_nobody_needs_is_collected(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    stray = store_of(lockgate) / "stray"
    stray.write_bytes(b"nobody names me")
    from lockgate.adapters.local import LocalStore

    digest = LocalStore(store_of(lockgate)).put(stray)
    assert digest not in lockgate.json("store", "gc", "--keep", "0", "--yes")["objects"]  # it is young
    make_old(lockgate)
    done = lockgate.json("store", "gc", "--yes")
    assert done["objects"] == [digest]
    assert digest not in objects(lockgate.root)


def test_a_damaged_record_stops_the_collection(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    path = next(p for p, kind in records(lockgate).items() if kind == "results")
    path.write_bytes(b"{")
    done = lockgate("store", "gc", "--yes", expect=REFUSED)
    assert "lockgate store check --heal" in done.err


def test_a_damaged_list_of_a_releases_files_stops_the_collection(waiting: Lockgate, fresh: Copier) -> None:
    """Which files it needs is not known then; an unpacked copy of the release knows."""
    lockgate = fresh(waiting)
    make_old(lockgate)
    before = set(objects(lockgate.root))
    record = next(p for p, kind in records(lockgate).items() if kind == "releases")
    flip(objects(lockgate.root)[json.loads(record.read_bytes())["record"]["manifest"]])
    lockgate("store", "gc")
    shutil.rmtree(store_of(lockgate) / "releases")
    shutil.copytree(store_of(waiting) / "releases" / record.parent.name, record.parent)  # the record lies there, too
    done = lockgate("store", "gc", "--yes", expect=REFUSED)
    assert "may name what looks like garbage: release" in done.err
    assert "lockgate store check --heal" in done.err
    assert set(objects(lockgate.root)) == before


def test_wrong_use_is_said(ran: Lockgate) -> None:
    for wrong in (
        ("store", "gc", "--heal"),
        ("store", "check", "--yes"),
        ("store", "--yes"),
        ("store", "gc", "--keep", "-1"),
    ):
        assert "allowed" in ran(*wrong, expect=USAGE).err


def test_sizes_add_up(delivered: Lockgate) -> None:
    parts = delivered.json("store")
    total = sum(p.stat().st_size for p in (*objects(delivered.root).values(), *records(delivered)))
    assert sum(p["size_bytes"] for p in parts if not p["here"]) == total
    assert HUMAN
    assert all(len(line) <= 100 for line in delivered("store").out.splitlines())
