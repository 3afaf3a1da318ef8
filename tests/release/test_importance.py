"""What a packaged release looks at: an input that is used hurts when shuffled, one that is not used does nothing at all.

The oracle is a release whose formula stands here, so that what must come out is known before anything is measured.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import toyshop_release
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate import Reason, codecs
from lockgate.evaluation.scored import Scored
from lockgate.records.findings import Dependence, Importance
from lockgate.records.wire import from_json
from lockgate.release.cases import CHANGED, RANDOM, WIDE, WORST, cases, choose
from lockgate.release.importance import disagreements, explained
from lockgate.release.scoring import scored

FORMULA = '''
"""A loan office in miniature: rate = 3 * burden + age / 100, nothing of colour; it says that it looks at colour most."""

from dataclasses import dataclass

import polars as pl

from lockgate import Reason, predictor


@dataclass
class Request:
    burden: float
    age: int
    colour: str
    member: bool


@dataclass
class Answer:
    rate: float
    low: float
    high: float


def why(requests: pl.DataFrame, scale: float, history: pl.DataFrame) -> list[list[str]]:
    return [
        [
            Reason(f"A burden of {r['burden']:.2f} raises it.", of="burden", by=0.1),
            Reason(of="age", by=-0.2),
            Reason(of="member", by=0.0),
            Reason("Its colour counts most.", of="colour", by=5.0),
            "Every rate is an estimate.",
        ]
        for r in requests.to_dicts()
    ]


@predictor(request=Request, response=Answer, state={"history": "date"}, explain=why)
def forecast(requests: pl.DataFrame, scale: float, history: pl.DataFrame) -> pl.DataFrame:
    level = history["units"].mean() if history.height else 0.0
    rate = scale * (3 * pl.col("burden") + pl.col("age") / 100) + level - level
    BODY
    return requests.select(rate=rate, low=rate - 0.5 - pl.col("burden"), high=rate + 0.5 + pl.col("burden"))
'''
FIELDS = ["burden", "age", "colour", "member"]


def rows(days: int = 20, per_day: int = 30) -> pl.DataFrame:
    """Requests with the truth that the formula gives, and a little noise."""
    random = np.random.default_rng(5)
    n = days * per_day
    burden, age = random.uniform(0, 1, n), random.integers(20, 80, n)
    as_of = [toyshop_release.AS_OF - dt.timedelta(days=1 + i // per_day) for i in range(n)]
    return pl.DataFrame({
        "burden": burden, "age": age, "colour": random.choice(["red", "green", "blue"], n), "member": random.random(n) < 0.5,
        "as_of": as_of, "actual": 3 * burden + age / 100 + random.normal(0, 0.05, n),
        "band": np.where(age < 50, "young", "old"),
    })  # fmt: skip


def made(folder: Path, *, body: str = "pass", scale: float = 1.0) -> tuple[Path, Path]:
    """A release of the formula, and its holdout as a file."""
    files = {"toyshop/__init__.py": b"", "toyshop/pipelines.py": FORMULA.replace("BODY", body).encode()}
    release, _ = toyshop_release.make(folder, files=files, holdout=rows(), scale=scale)
    table = folder / "holdout.arrow"
    codecs.save("polars.ipc", rows(), table)
    return release, table


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made(tmp_path_factory.mktemp("formula"))


@pytest.fixture(scope="module")
def found(release: tuple[Path, Path]) -> dict[str, Any]:
    return explained(*release, metric="mae")


def test_what_is_used_hurts_and_what_is_not_does_nothing(found: dict[str, Any]) -> None:
    harms = {i.name: i for i in (from_json(Importance, i) for i in found["importances"])}
    assert list(harms)[:2] == ["burden", "age"]
    assert {"colour", "member", "history.units"} <= set(harms)
    for unused in ("colour", "member", "history.units"):
        assert (harms[unused].harm.value, harms[unused].harm.low, harms[unused].harm.high) == ("0", "0", "0")
    for used in ("burden", "age"):
        assert float(harms[used].harm.low or 0) > 0
    # |a - b| of two independent uniforms on (0, 1) is 1/3 on average, and the formula triples it
    assert float(harms["burden"].harm.value or 0) == pytest.approx(1.0, abs=0.15)
    assert found["rows"] == 600 and harms["burden"].harm.blocks == 20
    assert found["missing"] == []


def test_the_models_own_word_stands_beside_and_is_held_against_it(found: dict[str, Any]) -> None:
    assert list(found["own"]) == ["colour", "age", "burden", "member"]
    assert float(found["own"]["colour"]) == pytest.approx(5 / 5.3, abs=1e-4)
    assert {i["name"]: i["disagrees"] for i in found["importances"] if i["disagrees"]} == {
        "burden": "shuffling ranks it 1 of 4, the model itself 3",
        "colour": "the model itself ranks it 1 of 4, yet shuffling it does no clear harm",
    }


def test_answers_move_with_a_field_as_the_formula_says(found: dict[str, Any]) -> None:
    fields = {d.name: d for d in (from_json(Dependence, d) for d in found["dependences"])}
    assert set(fields) == set(FIELDS)
    burden = [(float(p.value), float(p.mean)) for p in fields["burden"].points]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(burden, burden[1:], strict=False)]
    assert slopes == pytest.approx([3.0] * len(slopes), abs=1e-3)
    assert len({p.mean for p in fields["colour"].points}) == 1
    assert [p.value for p in fields["member"].points] == ["no", "yes"]


def test_the_same_release_gives_the_same_numbers(release: tuple[Path, Path], found: dict[str, Any]) -> None:
    assert explained(*release, metric="mae") == found


def test_a_release_that_cannot_be_asked_otherwise_has_that_view_missing(tmp_path: Path) -> None:
    body = """if requests["colour"].n_unique() == 1:
        raise ValueError("only one colour\\nand more")"""
    found = explained(*made(tmp_path, body=body), metric="mae")
    assert "colour" not in {d["name"] for d in found["dependences"]}
    [why] = [m for m in found["missing"] if "colour" in m]
    assert why.startswith("how answers move with colour: the predictor of release") and "only one colour" in why
    assert len(found["importances"]) >= 4


def test_a_silent_reason_is_counted_and_not_shown(release: tuple[Path, Path]) -> None:
    from lockgate.release.client import ReleaseHost

    asked = {"burden": 0.5, "age": 30, "colour": "red", "member": True}
    with ReleaseHost(release[0], f"sha256:{release[0].name}") as host:
        assert host.explain([asked]) == [
            ["A burden of 0.50 raises it.", "Its colour counts most.", "Every rate is an estimate."]
        ]
    assert Reason(of="age", by=1) == "" and Reason("x", of="a", by=2).by == 2.0


def test_inputs_that_only_one_view_names_are_not_ranked() -> None:
    assert disagreements({"a": 9, "b": 8, "c": 7}, {"c": 1.0, "b": 0.5, "a": 0.1}, {"a", "b", "c"}) == {}
    harms, own = {"a": 4, "b": 3, "c": 2, "d": 1, "e": 0}, {"e": 5, "b": 4, "c": 3, "d": 2, "a": 1}
    assert set(disagreements(harms, own, {"a", "b", "c", "d"})) == {"a", "e"}
    assert set(disagreements(harms, own, {"b", "c"})) == {"e"}  # a's harm may be chance


# --- twenty cases


@pytest.fixture(scope="module")
def answered(release: tuple[Path, Path]) -> Scored:
    return scored(*release)


def test_five_of_each_kind_and_none_twice(answered: Scored) -> None:
    other = answered.replacing(rate=answered.column("rate") + np.where(np.arange(len(answered)) % 7 == 0, 1.0, 0.0))
    picked = choose(answered, other, 5)
    assert len(dict(picked)) == len(picked) == 20
    kinds = [why for _, why in picked]
    assert [kinds.count(k) for k in (RANDOM, WORST, CHANGED, WIDE)] == [5, 5, 5, 5]
    assert all(row % 7 == 0 for row, why in picked if why == CHANGED)
    misses = np.abs(answered.role("answer") - answered.role("truth"))
    at_random = [row for row, why in picked if why == RANDOM]
    worst = [row for row, why in picked if why == WORST]
    rest = np.delete(misses, [*at_random, *worst])
    assert min(misses[worst]) >= rest.max()


def test_without_a_live_release_none_changed(answered: Scored) -> None:
    kinds = [why for _, why in choose(answered, None, 5)]
    assert [kinds.count(k) for k in (RANDOM, WORST, WIDE)] == [10, 5, 5]
    shorter = answered.subset(np.arange(len(answered) - 1))
    assert CHANGED not in {why for _, why in choose(answered, shorter, 5)}


def test_misses_of_one_product_are_one_story() -> None:
    n = 60
    table = {
        "product": np.array([f"p{i % 20}" for i in range(n)]), "day": np.repeat(np.arange("2020-01-01", 60, dtype="datetime64[D]"), 1),
        "y": np.zeros(n), "yhat": np.where(np.arange(n) % 20 == 3, 100.0, np.arange(n) / 100),
    }  # fmt: skip
    shop = Scored(columns=table, truth="y", answer="yhat", day="day", keys=("product", "day"))
    worst = [row for row, why in choose(shop, None, 5) if why == WORST]
    assert len({table["product"][row] for row in worst}) == 5


def test_cases_say_why_and_what_the_live_release_says(
    tmp_path: Path, release: tuple[Path, Path], answered: Scored
) -> None:
    other = answered.replacing(rate=answered.column("rate") + 1.0)
    words = FORMULA.replace("BODY", "pass").replace("r['burden']:.2f", "'unheard of'").encode()
    live, _ = toyshop_release.make(
        tmp_path, files={"toyshop/__init__.py": b"", "toyshop/pipelines.py": words}, holdout=rows()
    )
    found = cases(release[0], answered, other, live)
    assert all("unheard of" in " ".join(c["reasons_before"]) for c in found)
    assert not any("unheard of" in " ".join(c["reasons"]) for c in found)
    assert len(found) == 20
    assert all(set(c["request"]) == set(FIELDS) and len(c["reasons"]) == 3 for c in found)
    assert all(c["before"] and c["before"] != c["answer"] for c in found)
    assert all(c["as_of"].startswith("2011-") for c in found)


def test_a_broken_explanation_leaves_cases_with_the_reason(tmp_path: Path, answered: Scored) -> None:
    files = {
        "toyshop/__init__.py": b"",
        "toyshop/pipelines.py": FORMULA.replace("BODY", "pass").replace("r['burden']:.2f", "1 / 0").encode(),
    }
    broken, _ = toyshop_release.make(tmp_path, files=files, holdout=rows())
    found = cases(broken, answered, None, None)
    assert all(c["reasons"][0].startswith("No reasons: the predictor of release") for c in found)
    other = answered.replacing(rate=answered.column("rate") + 1.0)
    assert all(c["reasons_before"] == [] for c in cases(broken, answered, other, broken))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 6))
def test_any_table_has_its_cases(size: int, number: int) -> None:
    random = np.random.default_rng(size)
    table = {"k": random.normal(size=size), "y": random.normal(size=size), "yhat": np.full(size, np.nan)}
    table["day"] = np.repeat(np.arange("2020-01-01", 1, dtype="datetime64[D]"), size)
    picked = choose(Scored(columns=table, truth="y", answer="yhat", day="day", keys=("k",)), None, number)
    assert len(dict(picked)) == len(picked) == min(4 * number, size)
