"""A release made again: by an auditor with nothing but a store, as somebody else, elsewhere; and one whose lineage lies."""

from __future__ import annotations

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


def test_changed_code_is_named(boosted: Lockgate) -> None:
    """The release carries other code than its steps were made with."""
    project = file_of(boosted, "project.json").replace(b'\\"bagging_fraction\\": 0.7', b'\\"bagging_fraction\\": 0.5')
    assert project != file_of(boosted, "project.json")
    found = reproduced(boosted, falsified(boosted, lambda _: None, project_json=project), expect=FAILED)
    assert "code of boosted.pipelines.model is not what the lineage says" in found["differences"]
    assert any(d.startswith("file code/boosted/pipelines.py of the release") for d in found["differences"])
    assert differing(found) == {"boosted.model": True}


def test_a_damaged_release_is_refused(boosted: Lockgate, tmp_path: Path) -> None:
    audit = auditor(boosted, tmp_path / "audit")
    kept = {f"blake3:{p.name}": p for p in (audit.root / "store" / "objects").glob("??/*")}
    damaged = next(p for p in kept.values() if b'"modules":["boosted.pipelines"]' in p.read_bytes())
    flip(damaged)
    assert "project.json of release" in audit("reproduce", boosted.release(), expect=REFUSED).err


def test_a_source_that_is_gone_is_named(boosted: Lockgate, tmp_path: Path) -> None:
    audit = auditor(boosted, tmp_path / "audit")
    shutil.rmtree(audit.root / "store" / "sources")
    assert "source sales is neither in the store nor here" in audit("reproduce", boosted.release(), expect=2).err


def test_the_locked_packages_come_from_the_wheel_source(tmp_path: Path) -> None:
    """One package is not here any more: its locked version is installed. Another version in the lock makes a difference."""
    first = toy_package(tmp_path / "first", "toyrate", "1.0", "RATE = 1.0\n")
    second = toy_package(tmp_path / "second", "toyrate", "2.0", "RATE = 2.0\n")

    def edits(root: Path) -> None:
        edit(root, "shop/pipelines.py", "import polars as pl\n", "import polars as pl\nimport toyrate\n")
        edit(root, "shop/pipelines.py", "return Model(factor)", "return Model(factor * toyrate.RATE)")

    shop = release_of("shop", tmp_path / "shop", edits, python=python_with(first, tmp_path / "venv"))
    release = shop.release()
    assert reproduced(shop, release, expect=GOOD)["notes"] == [], "the package is here"
    lie = file_of(shop, "training-lock.txt").replace(b"toyrate==1.0", b"toyrate==2.0")
    false = falsified(shop, lambda _: None, training_lock_txt=lie)

    wheels = tmp_path / "wheels"
    for name in NEEDED:
        wheel_of(metadata.distribution(name), wheels)
    for site in (first, second):
        wheel_of(next(iter(metadata.distributions(path=[str(site)]))), wheels)
    elsewhere = Lockgate(
        shop.root, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    )
    found = reproduced(elsewhere, release, expect=GOOD)
    assert found["rebuilt"] == release
    assert "venv" in found["notes"][0]
    found = reproduced(elsewhere, false, expect=FAILED)
    told = "package toyrate: the lineage says 2.0, it was made with 1.0"
    assert told in found["differences"]
    assert step(found, "shop.model")["suspected"] == [told]
    gone = falsified(shop, lambda _: None, training_lock_txt=lie.replace(b"toyrate==2.0", b"toyrate==3.0"))
    assert "toyrate==3.0" in elsewhere("reproduce", gone, expect=FAILED).err


def differing(found: dict[str, Any]) -> dict[str, bool]:
    """Step that differs → whether the difference begins there."""
    return {s["name"]: s["begins"] for s in found["steps"] if not s["same"]}


def step(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for s in found["steps"] if s["name"] == name)
