"""One byte flipped: what is damaged is named with exit 4, and what is live goes on answering."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.adapters.local import LocalResults

from journeys.walking import HUMAN, OUTSIDE, REFUSED, USAGE, Lockgate, Server, flip

pytestmark = pytest.mark.sampled(6)

Copier = Callable[[Lockgate], Lockgate]

RELEASED = [
    "inputs/model.json",
    "state/history.arrow",
    "code/shop/pipelines.py",
    "manifest.json",
]


def stored(lockgate: Lockgate, path: str) -> Path:
    """The object that keeps a file of the newest release."""
    manifest = lockgate.json("show", "latest")
    if path == "manifest.json":
        record = record_of(lockgate, "releases", manifest["release"])
        return object_of(lockgate, record["manifest"])
    return object_of(lockgate, next(f["blake3"] for f in manifest["files"] if f["path"] == path))


def object_of(lockgate: Lockgate, digest: str) -> Path:
    name = digest.removeprefix("blake3:")
    return lockgate.root / ".lockgate" / "objects" / name[:2] / name


def record_of(lockgate: Lockgate, kind: str, key: str) -> dict[str, str]:
    found = LocalResults(lockgate.root / ".lockgate" / kind).get(key)
    assert found is not None
    return dict(found)


def page(lockgate: Lockgate) -> Path:
    """The evidence page that Bob is shown."""
    folder = lockgate.root / ".lockgate" / "pages"
    records = [record_of(lockgate, "pages", f"blake3:{p.name}") for p in folder.glob("*/*")]
    assert len(records) == 1
    return object_of(lockgate, records[0]["page"])


@pytest.mark.parametrize("path", RELEASED)
def test_a_damaged_file_of_a_release_is_neither_served_nor_delivered(
    delivered: Lockgate, fresh: Copier, path: str
) -> None:
    lockgate = fresh(delivered)
    flip(stored(lockgate, path))
    for command in (("serve", "production", "--port", "0"), ("deliver", "--wait", "0")):
        done = lockgate(*command, expect=REFUSED, within=60)
        assert Path(path).stem in done.err, done.text
        assert lockgate.json("releases")[0]["release"][7:19] in done.err or "result of" in done.err, done.text
        assert "damaged" in done.err


def test_a_damaged_copy_beside_the_store_is_found_too(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    flip(lockgate.root / ".lockgate" / "releases" / lockgate.release()[7:] / "inputs" / "model.json")
    done = lockgate("serve", "production", "--port", "0", expect=REFUSED)
    assert "inputs/model.json" in done.err


def test_what_is_live_goes_on_answering(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    with Server(lockgate, "production") as production:
        before = production.answers().predict()
        for path in ("inputs/model.json", "state/history.arrow", "manifest.json"):
            flip(stored(lockgate, path))
        time.sleep(1.5)  # it looks at the ledger every half second
        assert production.predict()["output"] == before["output"]
        lockgate("deliver", "--wait", "0", expect=REFUSED)
        assert production.predict()["output"] == before["output"]
        assert production.code is None
    assert lockgate.live() == lockgate.release()


def test_a_damaged_evidence_page_is_not_shown_and_nobody_can_sign_under_it(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    with Server(lockgate, "staging") as staging:
        staging.answers()
        flip(page(lockgate))
        delivering = lockgate("deliver", expect=REFUSED)
    for done in (lockgate("evidence", expect=REFUSED), lockgate.approve(expect=REFUSED), delivering):
        assert "evidence page" in done.err, done.text


def test_a_server_does_not_start_with_a_damaged_evidence_page(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    flip(page(lockgate))
    done = lockgate("serve", "production", "--port", "0", expect=REFUSED, within=60)
    assert "evidence page" in done.err


def test_a_lost_evidence_page_is_made_again(waiting: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(waiting)
    kept = page(lockgate)
    before = kept.read_bytes()
    kept.unlink()
    assert "lockgate deliver" in lockgate.approve(expect=USAGE).err
    with Server(lockgate, "staging"):
        lockgate("deliver", expect=HUMAN)
    assert kept.read_bytes() == before
    lockgate.approve()


@pytest.mark.parametrize("entry", [0, 7, -1])
def test_a_damaged_ledger_entry_stops_every_command(delivered: Lockgate, fresh: Copier, entry: int) -> None:
    lockgate = fresh(delivered)
    number = entry % len(lockgate.ledger())
    path = lockgate.root / ".lockgate" / "ledger" / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    flip(path, sum(map(len, lines[:number])) + len(lines[number]) // 2)
    for command in (
        ("ledger", "verify"),
        ("status",),
        ("deliver", "--wait", "0"),
        ("serve", "production", "--port", "0"),
    ):
        done = lockgate(*command, expect=REFUSED)
        assert f"entry {number}" in done.err, done.text


def test_a_ledger_that_lost_entries_is_found(delivered: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(delivered)
    path = lockgate.root / ".lockgate" / "ledger" / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    assert "cut or rewritten" in lockgate("status", expect=REFUSED).err


def test_run_heals_a_damaged_record_of_results(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    before = lockgate.json("show", "model")["digest"]
    last = json.loads((lockgate.root / ".lockgate" / "last.json").read_bytes())["shop.model"].rpartition(":")[2]
    flip(lockgate.root / ".lockgate" / "results" / last[:2] / last, 20)
    assert lockgate.actions() == {"history": "reuse", "model": "run", "holdout": "reuse", "trained_rows": "reuse"}
    assert lockgate.json("show", "model")["digest"] == before
    assert set(lockgate.actions().values()) == {"reuse"}


@pytest.mark.parametrize("file", ["graph.json", "seen/sales.json", "last.json"])
def test_a_damaged_memory_costs_time_and_nothing_else(ran: Lockgate, fresh: Copier, file: str) -> None:
    lockgate = fresh(ran)
    (lockgate.root / ".lockgate" / file).write_bytes(b'{"half')
    assert set(lockgate.actions().values()) == {"reuse"}


def test_a_damaged_result_is_named_and_made_again_as_the_message_says(ran: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(ran)
    place = Path(lockgate.json("show", "model")["path"])
    flip(place)
    done = lockgate("show", "model", expect=REFUSED)
    assert "lockgate store check --heal" in done.err
    assert "model" in lockgate("store", "check", "--heal").out
    assert lockgate.actions()["model"] == "run"
    lockgate("show", "model")


@pytest.mark.parametrize("path", ["manifest.json", "inputs/model.json", "code/shop/pipelines.py"])
def test_a_lost_file_of_a_release_is_bundled_again(waiting: Lockgate, fresh: Copier, path: str) -> None:
    lockgate = fresh(waiting)
    release, lost = lockgate.release(), stored(lockgate, path)
    lost.unlink()
    lockgate("run")
    done = lockgate("deliver", "--wait", "0", expect=OUTSIDE)  # nobody serves staging now
    assert "not in the store" not in done.err, done.text
    assert lockgate.release() == release
    assert lost.is_file()
