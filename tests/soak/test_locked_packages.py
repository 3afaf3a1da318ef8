"""Releases of other packages than are installed here: made again, and compared, in environments of their own. Minutes."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from journeys.remaking import NEEDED, falsified, file_of, python_with, release_of, reproduced, toy_package, wheel_of
from journeys.test_diff import CODE, release, say_factor
from journeys.test_reproduce import step
from journeys.walking import FAILED, GOOD, REFUSED, Lockgate, edit

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


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
    lock = file_of(shop, "training-lock.txt")
    lie = re.sub(rb"toyrate==1.0  # files .*", b"toyrate==2.0", lock)
    other = falsified(shop, lambda _: None, training_lock_txt=lock.replace(b"toyrate==1.0", b"toyrate==2.0"))
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
    assert "is not what the release was made with" in elsewhere("reproduce", other, expect=REFUSED).err
    gone = falsified(shop, lambda _: None, training_lock_txt=lie.replace(b"toyrate==2.0", b"toyrate==3.0"))
    assert "toyrate==3.0" in elsewhere("reproduce", gone, expect=FAILED).err


def test_packages_are_a_factor_and_each_release_is_asked_in_its_own(tmp_path: Path) -> None:
    """Another version of a package doubles all answers; another parameter halves them. The old version comes from a wheel."""
    sites = {v: toy_package(tmp_path / v, "toyrate", v, f"RATE = {v}\n") for v in ("1.0", "2.0")}

    def edits(root: Path) -> None:
        edit(root, CODE, "import polars as pl\n", "import polars as pl\nimport toyrate\n")
        edit(root, CODE, "return Model(factor)", "return Model(factor * toyrate.RATE)")

    old = release_of("shop", tmp_path / "shop", edits, python=python_with(sites["1.0"], tmp_path / "venv1"))
    first = old.release()
    wheels = tmp_path / "wheels"
    for name in NEEDED:
        wheel_of(metadata.distribution(name), wheels)
    wheel_of(next(iter(metadata.distributions(path=[str(sites["1.0"])]))), wheels)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "UV_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}
    here = {**offline, "PIP_FIND_LINKS": str(wheels), "UV_FIND_LINKS": str(wheels)}
    new = replace(old, env=here, python=python_with(sites["2.0"], tmp_path / "venv2"))
    say_factor(new.root, 0.5)
    release(new)

    nowhere = replace(new, env=offline).json("diff", first[7:19])
    assert nowhere["movement"] is None
    assert nowhere["unanswered"].startswith("the old release cannot answer: the locked packages cannot be installed")
    assert ["packages", "toyrate 1.0 → 2.0"] in nowhere["words"]

    found = new.json("diff", first[7:19])
    assert (found["attribution"], found["movement"]["same"]) == (None, found["movement"]["rows"]), "they cancel"
    say = (new.root / "lockgate.toml").read_text()
    (new.root / "lockgate.toml").write_text(say.replace("0.5", "0.75"))
    release(new)
    found = new.json("diff", first[7:19])
    assert (found["attribution"]["factors"], found["unbuilt"]) == (["parameters", "packages"], [])
    means = {e["name"]: float(e["answers"]["value"]) for e in found["attribution"]["effects"]}
    before = float(found["movement"]["overall"]["before"])
    assert means == pytest.approx({"parameters": -before / 4, "packages": before, "together": -before / 4}, rel=1e-4)
    assert found["movement"]["largest"][0]["reasons_before"] == ["its mean"]
