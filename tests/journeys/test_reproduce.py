"""A release made again: by an auditor with nothing but a store, as somebody else, elsewhere; and one whose lineage lies."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from journeys.remaking import (
    NEEDED,
    another_source,
    as_another_user,
    auditor,
    falsified,
    file_of,
    python_with,
    release_of,
    reproduced,
    toy_package,
    wheel_of,
)
from journeys.walking import FAILED, GOOD, REFUSED, WIDTH, Lockgate, edit, flip

pytestmark = pytest.mark.sampled(3)

pytest.importorskip("lightgbm")


@pytest.fixture(scope="module")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """A release with a LightGBM model."""
    return release_of("boosted", tmp_path_factory.mktemp("boosted") / "boosted")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="lockgate-auditor-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_an_auditor_makes_it_again_elsewhere_as_somebody_else(boosted: Lockgate, public: Path) -> None:
    """Empty store, other path, other user, no code and no data but what the release names: the same digest."""
    release = boosted.release()
    audit = auditor(boosted, public / "audit")
    done = as_another_user(audit, "reproduce", release)
    assert done.returncode == GOOD, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["boosted.history", "boosted.model", "boosted.holdout"]
    assert all(line.endswith("same") for line in lines[1:4])
    assert lines[-1] == f"same  release {release[7:19]}, digest by digest"
    assert max(map(len, lines)) <= WIDTH
    assert not list((audit.root / ".lockgate" / "tmp").iterdir())


def test_a_changed_parameter_is_named(boosted: Lockgate) -> None:
    def lie(said: dict[str, Any]) -> None:
        said["lineage"]["parameters"]["boosted.model"]["learning_rate"] = 0.3

    found = reproduced(boosted, falsified(boosted, lie), expect=FAILED)
    assert differing(found) == {"boosted.model": True}
    told = "parameter learning_rate: the lineage says 0.3, it was made with 0.2"
    assert told in found["differences"]
    assert step(found, "boosted.model")["suspected"] == [told]
    assert found["answers"]["rows"] > 0
    assert found["answers"]["largest"] > 0


@pytest.mark.parametrize("records", [True, False])
def test_a_changed_row_is_named(boosted: Lockgate, tmp_path: Path, *, records: bool) -> None:
    """With the records of how it was made, the source is named; without them, it is one of few suspects."""
    data = (boosted.root / "data" / "sales.csv").read_bytes()
    row = data.splitlines()[31]
    identity = another_source(boosted, "sales", data.replace(row, row.rpartition(b",")[0] + b",9999"))

    def lie(said: dict[str, Any]) -> None:
        said["lineage"]["sources"]["sales"] = identity

    release = falsified(boosted, lie)
    found = reproduced(boosted if records else auditor(boosted, tmp_path / "audit"), release, expect=FAILED)
    assert differing(found)["boosted.history"]
    history = step(found, "boosted.history")
    assert history["how_far"]["rows"] == 1
    assert history["how_far"]["places"] == ["units"]
    assert history["how_far"]["words"].startswith("1 of 354 rows differs (units)")
    (told,) = history["suspected"]
    assert told.startswith("source sales: the lineage says" if records else "neither seed, time, set order nor threads")
    assert "source" in told
    assert "sales" in told
    assert not differing(found).get("boosted.model", False), "it differs because what it reads does"


@pytest.mark.soak
def test_changed_code_is_named(boosted: Lockgate) -> None:
    """The release carries other code than its steps were made with."""
    project = file_of(boosted, "project.json").replace(b'\\"bagging_fraction\\": 0.7', b'\\"bagging_fraction\\": 0.5')
    assert project != file_of(boosted, "project.json")
    found = reproduced(boosted, falsified(boosted, lambda _: None, project_json=project), expect=FAILED)
    assert "code of boosted.pipelines.model is not what the lineage says" in found["differences"]
    assert any(d.startswith("file code/boosted/pipelines.py of the release") for d in found["differences"])
    assert differing(found) == {"boosted.model": True}


def test_another_lockgate_is_no_difference(boosted: Lockgate) -> None:
    """An older one locked itself and gave code other digests."""
    lock = file_of(boosted, "lock.txt")
    assert b"lockgate==" in lock
    older = re.sub(rb"lockgate==.*", b"lockgate==0.0.1", lock)

    def lie(said: dict[str, Any]) -> None:
        definitions = said["lineage"]["definitions"]
        assert definitions
        definitions |= dict.fromkeys(definitions, "sha256:0")

    found = reproduced(boosted, falsified(boosted, lie, lock_txt=older), expect=GOOD)
    assert found["differences"] == []
    assert any(note.startswith("made with Lockgate 0.0.1") for note in found["notes"])


def test_a_damaged_release_is_refused(boosted: Lockgate, tmp_path: Path) -> None:
    audit = auditor(boosted, tmp_path / "audit")
    kept = {f"blake3:{p.name}": p for p in (audit.root / "store" / "objects").glob("??/*")}
    damaged = next(p for p in kept.values() if p.read_bytes() == file_of(boosted, "project.json"))
    flip(damaged)
    assert "project.json of release" in audit("reproduce", boosted.release(), expect=REFUSED).err


def test_a_source_that_is_gone_is_named(boosted: Lockgate, tmp_path: Path) -> None:
    audit = auditor(boosted, tmp_path / "audit")
    shutil.rmtree(audit.root / "store" / "sources")
    assert "source sales is neither in the store nor here" in audit("reproduce", boosted.release(), expect=2).err


def differing(found: dict[str, Any]) -> dict[str, bool]:
    """Step that differs → whether the difference begins there."""
    return {s["name"]: s["begins"] for s in found["steps"] if not s["same"]}


def step(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for s in found["steps"] if s["name"] == name)
