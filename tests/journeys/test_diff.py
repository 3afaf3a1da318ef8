"""`diff`: what changes for users between two releases, and why. Releases are proposed and judged; nobody has to serve them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from journeys.remaking import NEEDED, python_with, release_of, toy_package, wheel_of
from journeys.walking import DAYS, WIDTH, Lockgate, commit, copy, edit, write_sales

pytestmark = pytest.mark.sampled(2)

Copier = Callable[[Lockgate], Lockgate]
CODE = "shop/pipelines.py"
NEW_CODE = ('pl.col("units").mean() * model.factor)', 'pl.col("units").mean() * model.factor + 3.0)')


def release(lockgate: Lockgate) -> str:
    """Propose what the working copy makes and judge it; nobody serves, and a gate may well fail."""
    commit(lockgate.root, "a change")
    before = len(lockgate.json("releases"))
    lockgate("deliver", "--wait", "0", expect=None)
    assert len(lockgate.json("releases")) == before + 1
    return lockgate.release()


def edit_data(root: Path, change: Callable[[str, int], int]) -> None:
    """Change the units of rows that were known all along."""
    path = root / "data" / "sales.csv"
    head, *rows = path.read_text().splitlines()
    told = [row.rsplit(",", 1) for row in rows]
    path.write_text("\n".join([head, *(f"{row},{change(row, int(units))}" for row, units in told)]) + "\n")


def say_factor(root: Path, factor: float) -> None:
    path = root / "lockgate.toml"
    path.write_text(path.read_text() + f"[params.model]\nfactor = {factor}\n")


@pytest.fixture(scope="module")
def first(ran: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    lockgate = copy(ran, tmp_path_factory.mktemp("first") / "shop")
    release(lockgate)
    return lockgate


@pytest.fixture(scope="module")
def three(first: Lockgate, tmp_path_factory: pytest.TempPathFactory) -> Lockgate:
    """A second release: other code, a day more and a correction of old rows, another parameter."""
    lockgate = copy(first, tmp_path_factory.mktemp("three") / "shop")
    edit(lockgate.root, CODE, *NEW_CODE)
    write_sales(lockgate.root, days=DAYS + 1)
    edit_data(lockgate.root, lambda row, units: units + 6 if ",p1" in row else units)
    say_factor(lockgate.root, 1.08)
    release(lockgate)
    return lockgate


def effects(found: Any) -> dict[str, float]:
    return {e["name"]: float(e["metric"]["value"]) for e in found["attribution"]["effects"]}


def kill_while_it_builds(lockgate: Lockgate, old: str) -> None:
    process = lockgate.start("diff", old)
    assert process.stderr
    while "building" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_code_data_and_parameters_are_told_apart_even_after_a_kill(three: Lockgate) -> None:
    new, old = (r["release"][7:19] for r in three.json("releases"))
    quick = three("diff", old, "--quick", "--json")
    assert (quick.json()["attribution"], "building" in quick.err) == (None, False)
    kill_while_it_builds(three, old)
    found = three.json("diff", old, "latest")
    split, moved = found["attribution"], found["movement"]
    assert (split["factors"], found["unbuilt"], found["unanswered"]) == (["code", "data", "parameters"], [], "")
    assert list(effects(found)) == ["code", "data", "parameters", "together"]
    assert sum(effects(found).values()) == pytest.approx(float(split["metric"]["value"]), abs=1e-5)
    answers = {e["name"]: float(e["answers"]["value"]) for e in split["effects"]}
    assert answers["code"] == pytest.approx(3.0, rel=1e-4)  # added to every answer
    assert answers["data"] == pytest.approx(1.0, rel=1e-4)  # 6 more for one product of six
    assert answers["parameters"] == pytest.approx(0.08 * 60, rel=0.01)
    assert answers["together"] == pytest.approx(0.08, rel=1e-3)  # 8% of what the data adds
    for effect in split["effects"]:
        assert float(effect["metric"]["low"]) <= float(effect["metric"]["value"]) <= float(effect["metric"]["high"])

    assert moved["overall"] == quick.json()["movement"]["overall"]
    assert [g["group"] for g in moved["groups"]] == ["small", "large"]
    assert moved["groups"][0]["shares"]["0.25"] == "1"
    assert (moved["rows"], moved["same"], len(moved["largest"])) == (78, 0, 20)
    top = moved["largest"][0]
    assert list(top["request"]) == ["product", "date"]
    assert sum(float(v) for v in top["parts"].values()) == pytest.approx(float(top["change"]), abs=1e-3)
    assert top["reasons_before"] == top["reasons_after"] == ["its mean"]

    words = dict(reversed(found["words"]))
    assert words["parameters"] == "shop.model.factor 1.0 → 1.08"
    assert words["code"] == "shop/pipelines.py: forecast (1 line added, 1 removed)"
    assert words["data"].startswith("a day more: known up to 30 April 2020")
    assert ["data", "source sales: 127 rows added, 121 removed"] in found["words"]

    shown = three("diff", old, new)
    assert [line for line in shown.out.splitlines() if len(line) > WIDTH] == []
    assert [
        t for t in ("WHAT CHANGES FOR USERS", "WHY", "THE 20 LARGEST CHANGES", "WHAT DIFFERS") if t not in shown.out
    ] == []
    assert "blake3:" not in shown.out
    assert "building" not in shown.err
    assert shown.err == ""  # everything is in the store


def test_the_second_time_is_instant(three: Lockgate) -> None:
    old = three.json("releases")[-1]["release"][7:19]
    three("diff", old)
    began = time.monotonic()
    three("diff", old)
    assert time.monotonic() - began < 10


def test_a_pure_change_of_data_is_the_data_and_builds_nothing(first: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(first)
    old = lockgate.release()
    edit_data(lockgate.root, lambda _, units: units + 5)
    release(lockgate)
    done = lockgate("diff", old[7:19], "--json")
    found = done.json()
    assert found["attribution"]["factors"] == ["data"]
    assert "building" not in done.err
    (only,) = found["attribution"]["effects"]
    assert (only["metric"]["value"], only["answers"]["value"]) == (
        found["attribution"]["metric"]["value"], "5",
    )  # fmt: skip
    assert found["movement"]["difference"]["value"] == only["metric"]["value"]
    assert {w[0] for w in found["words"]} == {"data"}


def test_a_comment_changes_nothing(first: Lockgate, fresh: Copier) -> None:
    lockgate = fresh(first)
    old = lockgate.release()
    edit(
        lockgate.root,
        CODE,
        '"""Rows: one per (date, product)."""',
        '"""Each row is a product on a day."""  # said better',
    )
    new = release(lockgate)
    assert old != new
    done = lockgate("diff", old[7:19])
    assert "Nothing: all answers are the same to the last digit." in done.out
    assert "shop/pipelines.py: comments and layout only (1 line added, 1 removed)" in done.out
    assert "building" not in done.err
    found = lockgate.json("diff", old[7:19])
    assert (found["attribution"], found["movement"]["difference"]["value"]) == (None, "0")


@pytest.mark.soak
def test_what_cannot_be_built_is_said_and_the_rest_still_shows(first: Lockgate, fresh: Copier) -> None:
    """The new code needs a column that only the new data have; the old code does without."""
    lockgate = fresh(first)
    old = lockgate.release()
    path = lockgate.root / "data" / "sales.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},extra", *(f"{row},2" for row in rows)]) + "\n")
    edit(
        lockgate.root,
        CODE,
        'sort("date", "product")',
        'sort("date", "product").with_columns(pl.col("units") + pl.col("extra"))',
    )
    release(lockgate)
    found = lockgate.json("diff", old[7:19])
    (lacking,) = found["unbuilt"]
    assert lacking["factor"] == "code"
    assert "extra" in lacking["why"]
    assert [(e["name"], e["includes"]) for e in found["attribution"]["effects"]] == [
        ("data", []),
        ("together", ["code"]),
    ]
    assert effects(found)["data"] == 0
    shown = lockgate("diff", old[7:19]).out
    assert "code alone is not known. It could not be built:" in shown
    assert "code and what they do together" in shown


def test_the_same_release_twice_and_one_that_is_not_there(first: Lockgate) -> None:
    assert "the two releases are the same" in first("diff", "latest", "latest").out
    assert first.json("diff", "latest", "latest")["movement"] is None
