"""Commands that are killed before one of their writes, and what must be true afterwards.

A scene starts from a copy of a prepared project. After the kill: the ledger is good and holds everything it held,
every file under a final name is whole, the same command (or the next one) works, and what was acknowledged is there.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from journeys.walking import (
    GOOD,
    HUMAN,
    OUTSIDE,
    USAGE,
    Done,
    Lockgate,
    Server,
    both,
    copy,
)

from lockgate.records.digest import digest, digest_bytes, digest_file
from lockgate.release.layout import verify

HARNESS = (sys.executable, "-P", "-m", "lockgate.testing.kill")
RECORDS = (
    "results",
    "graphs",
    "sources",
    "releases",
    "bundles",
    "pages",
    "feedback",
    "policies",
    "measured",
    "summaries",
    "material",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One command from one station. `code` is how it ends when nobody kills it; `serves`: with servers beside it."""

    name: str
    station: str
    command: tuple[str, ...]
    again: Callable[[Lockgate], None]
    kept: Callable[[Lockgate], bool]
    code: int = GOOD
    serves: bool = False
    sample: int = 2


def again_init(lockgate: Lockgate) -> None:
    lockgate("init", "--person", "ada")
    assert [p["name"] for p in lockgate.json("people")["people"]] == ["ada"]


def again_people(lockgate: Lockgate) -> None:
    """A key that was made stays: then the next command registers it."""
    done = lockgate("people", "add", "carol", "--role", "guest", "--new-key", ".lockgate/carol", expect=None)
    if done.code == USAGE:
        assert "already there" in done.err
        lockgate("people", "add", "carol", "--role", "guest", "--key", ".lockgate/carol.pub")
    assert knows_carol(lockgate)


def knows_carol(lockgate: Lockgate) -> bool:
    return "carol" in [p["name"] for p in lockgate.json("people")["people"]]


def again_run(lockgate: Lockgate) -> None:
    lockgate("run")
    assert nothing_left(lockgate)


def nothing_left(lockgate: Lockgate) -> bool:
    return set(lockgate.actions().values()) == {"reuse"}


def again_deliver_alone(lockgate: Lockgate) -> None:
    lockgate("deliver", "--wait", "0", expect=OUTSIDE)
    assert [r["state"] for r in lockgate.json("releases")] == ["proposed"]


def again_deliver(lockgate: Lockgate) -> None:
    lockgate("deliver", expect=HUMAN)
    assert lockgate.live("staging") == lockgate.release()


def again_propose(lockgate: Lockgate) -> None:
    lockgate("propose")
    assert [e["what"] for e in lockgate.ledger()].count("proposed") == 1
    lockgate("gate", "judge", "slices")  # by what was noted


def again_judge(lockgate: Lockgate) -> None:
    lockgate("gate", "judge", "slices")
    assert [e["what"] for e in lockgate.ledger()].count("gate pass") == 1


def again_here(lockgate: Lockgate) -> None:
    lockgate("deliver", "--to", "production", "--here")
    assert is_live(lockgate)


def again_go_live(lockgate: Lockgate) -> None:
    lockgate("deliver")
    assert is_live(lockgate)


def is_live(lockgate: Lockgate) -> bool:
    return lockgate.live() == lockgate.release()


def again_approve(lockgate: Lockgate) -> None:
    lockgate.approve()
    assert is_approved(lockgate)


def is_approved(lockgate: Lockgate) -> bool:
    return lockgate.json("releases")[0]["state"] == "approved"


def again_rollback(lockgate: Lockgate) -> None:
    lockgate("rollback", "production")
    assert is_rolled_back(lockgate)


def is_rolled_back(lockgate: Lockgate) -> bool:
    return lockgate.ledger()[-1]["what"] == "rolled back"


def again_feedback(lockgate: Lockgate) -> None:
    assert lockgate.json("feedback", "import", "labels.csv")["labelled"] == 1


def again_add(lockgate: Lockgate) -> None:
    sales = (lockgate.root / "data" / "sales.csv").read_bytes()
    lockgate("data", "add", "sales")
    assert [s["state"] for s in lockgate.json("data")] == ["kept"]
    (lockgate.root / "data" / "sales.csv").unlink()
    lockgate("data", "checkout", "sales", "latest")
    assert (lockgate.root / "data" / "sales.csv").read_bytes() == sales


def again_checkout(lockgate: Lockgate) -> None:
    """What lies there after the kill is of the one version or of the other, so nothing stands in the way."""
    lockgate("data", "checkout", "notes", first_version(lockgate))
    notes = lockgate.root / "notes"
    assert {p.name: p.read_text() for p in notes.iterdir() if not p.name.startswith(".")} == {
        "a": "1",
        "b": "1",
        "c": "1",
    }


def first_version(lockgate: Lockgate) -> str:
    return lockgate.json("data", "log", "notes")[-1]["version"]


def always(_: Lockgate) -> bool:
    return True


NOTED = digest("source", [[n, digest_bytes(b"1")] for n in "abc"])
"""The first version of the source `notes`; the second has another `a`, no `b`, and a `d`."""

SCENES = (
    Scene("init", "bare", ("init", "--person", "ada"), again_init, always, sample=3),
    Scene("people add", "founded", ("people", "add", "carol", "--role", "guest", "--new-key", ".lockgate/carol"), again_people, knows_carol, sample=3),
    Scene("run", "founded", ("run",), again_run, nothing_left, sample=4),
    Scene("deliver alone", "known", ("deliver", "--wait", "0"), again_deliver_alone, always, code=OUTSIDE, sample=4),
    Scene("deliver", "known", ("deliver",), again_deliver, always, code=HUMAN, serves=True, sample=2),
    Scene("deliver, approved", "approved", ("deliver",), again_go_live, is_live, serves=True, sample=2),
    Scene("propose", "known", ("propose",), again_propose, always, sample=3),
    Scene("gate judge", "proposed", ("gate", "judge", "slices"), again_judge, always),
    Scene("deliver here", "approved", ("deliver", "--to", "production", "--here"), again_here, is_live, serves=True),
    Scene("approve", "waiting", ("approve", "latest", "--role", "product-owner", "--reason", "ok", "--key", ".lockgate/bob"), again_approve, is_approved),
    Scene("rollback", "delivered_twice", ("rollback", "production"), again_rollback, is_rolled_back),
    Scene("feedback import", "asked", ("feedback", "import", "labels.csv"), again_feedback, always),
    Scene("data add", "founded", ("data", "add", "sales"), again_add, always),
    Scene("data checkout", "noted", ("data", "checkout", "notes", NOTED), again_checkout, always, sample=3),
)  # fmt: skip


def count(scene: Scene, prepared: Lockgate, folder: Path) -> list[str]:
    """Run the scene to its end; every site it passes, in order."""
    lockgate, log = copy(prepared, folder / "shop"), folder / "sites"
    with servers(scene, lockgate):
        done = stopped(lockgate, scene, 0, log)
    assert done.code == scene.code, done.text
    return log.read_text().splitlines()


def kill(scene: Scene, prepared: Lockgate, folder: Path, *, site: int) -> None:
    """Kill the scene before its N-th site and check everything."""
    lockgate, log = copy(prepared, folder / "shop"), folder / "sites"
    before = ledger(lockgate)
    with servers(scene, lockgate):
        done = stopped(lockgate, scene, site, log)
        assert done.code in (-signal.SIGKILL, scene.code), (
            done.text
        )  # a wait may take fewer turns than when it was counted
        whole(lockgate.root)
        if (lockgate.root / "lockgate.toml").exists():
            lockgate("ledger", "verify")
        assert ledger(lockgate).startswith(before)
        kept(lockgate, scene, done)
        scene.again(lockgate)  # every command reads and checks the whole ledger
    assert ledger(lockgate).startswith(before)
    whole(lockgate.root)
    shutil.rmtree(folder)


def ledger(lockgate: Lockgate) -> bytes:
    path = lockgate.root / ".lockgate" / "ledger" / "ledger.jsonl"
    return path.read_bytes() if path.exists() else b""


def stopped(lockgate: Lockgate, scene: Scene, site: int, log: Path) -> Done:
    process = lockgate.start(str(site), str(log), "--", *scene.command, prefix=HARNESS)
    return Lockgate.end(process, " ".join(scene.command))


@contextlib.contextmanager
def servers(scene: Scene, lockgate: Lockgate) -> Iterator[None]:
    if not scene.serves:
        yield
        return
    with both(lockgate):
        yield


def kept(lockgate: Lockgate, scene: Scene, done: Done) -> None:
    """What was said to be done is done: a `done` line, and every step with a tick."""
    if any(line.startswith("done") for line in done.out.splitlines()):
        assert scene.kept(lockgate), done.text
    if ticked := {line.split("✓ ")[1].split()[0] for line in done.err.splitlines() if "✓ " in line} & {
        "history",
        "model",
        "holdout",
        "trained_rows",
    }:
        plan = {s["name"].removeprefix("shop."): s["action"] for s in lockgate.json("plan")["steps"]}
        assert all(plan[name] == "reuse" for name in ticked), (ticked, plan)


def whole(root: Path) -> None:
    """Every file under a final name is complete."""
    home = root / ".lockgate"
    for path in home.glob("objects/??/*"):
        assert path.name.startswith(".") or digest_file(path) == f"blake3:{path.name}", path
    for path in (p for kind in RECORDS for p in (home / kind).glob("??/*") if not p.name.startswith(".")):
        assert set(json.loads(path.read_bytes())) == {"digest", "key", "record"}, path
    for path in (p for p in (home / "releases").glob("*") if len(p.name) == 64):
        verify(path, f"sha256:{path.name}")
    for path in [*home.glob("*.json"), *home.glob("runs/*.json"), *home.glob("ledger-seen")]:
        json.loads(path.read_bytes())
    for path in (
        p for p in home.glob("*") if p.with_name(p.name + ".pub").exists() or p.name in ("key", "bob", "carol")
    ):
        assert path.read_bytes().endswith(b"-----END OPENSSH PRIVATE KEY-----\n"), path
