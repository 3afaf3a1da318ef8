"""A release whose answers do not depend on the day: no state, no `as_of`, a decision and a score."""

from __future__ import annotations

import json
from pathlib import Path

import deciding_release as bank
import numpy as np
import polars as pl
import pytest

from lockgate import codecs
from lockgate.errors import ContractBroken, UsageError
from lockgate.evaluation.comparison import on_common_rows
from lockgate.evaluation.distributions import distributions
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence.skew import evidence
from lockgate.records.release import Manifest
from lockgate.release.client import ReleaseHost
from lockgate.release.cases import cases
from lockgate.release.scoring import replayed, scored

Made = tuple[Path, Manifest]
ASKED = {"income": 60.0, "jobs": 2}


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return bank.make(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def answered(deciding: Made, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    table = tmp_path_factory.mktemp("table") / "holdout.arrow"
    codecs.save("polars.ipc", bank.holdout(), table)
    return scored(deciding[0], table)


def test_it_answers_explains_and_repeats_what_it_recorded(deciding: Made) -> None:
    with ReleaseHost(deciding[0], deciding[1].digest) as host:
        assert host.answer([ASKED]) == [{"score": 0.6, "approve": True}]
        assert host.answer([ASKED | {"income": 49.9}]) == [{"score": 0.499, "approve": False}]
        assert host.explain([ASKED]) == [["An income of 60 against 50."]]
        assert host.check() == 240


def test_recorded_answers_have_no_day(deciding: Made) -> None:
    recorded = json.loads((deciding[0] / "holdout.json").read_text())
    assert len(recorded) == 240
    assert {r["as_of"] for r in recorded} == {None}
    assert {tuple(sorted(r["request"])) for r in recorded} == {("income", "jobs", "owner", "savings")}


def test_the_manifest_says_that_no_day_is_needed_and_what_is_what(deciding: Made) -> None:
    spec = deciding[1].predictor
    assert not spec.dated
    assert spec.roles.answer and spec.roles.answer.name == "approve"
    assert spec.roles.score and spec.roles.score.name == "score"
    assert [(f.minimum, f.maximum) for f in spec.request] == [(0, 100), (1, None), (None, None), (None, None)]
    assert spec.summary == "Shall the toy lender lend?"


def test_a_table_without_days_is_scored_with_its_roles(answered: Scored) -> None:
    assert (answered.answer, answered.score, answered.day, answered.unit) == ("approve", "score", None, "row")
    assert answered.role("answer").tolist() == [float(row % 100 >= 50) for row in range(400)]
    assert answered.role("score")[60] == 0.6
    assert answered.complaint("truth", "answer", "score") == ""


def test_two_people_who_ask_the_same_are_two_rows(answered: Scored, tmp_path: Path, deciding: Made) -> None:
    assert answered.keys == ()
    codecs.save("polars.ipc", bank.holdout().unique(["income", "jobs", "owner", "savings"]), tmp_path / "t.arrow")
    assert scored(deciding[0], tmp_path / "t.arrow").keys == ("income", "jobs", "owner", "savings")


def test_rows_of_one_customer_are_a_cluster(deciding: Made, tmp_path: Path) -> None:
    table = bank.holdout().with_columns(cluster=pl.arange(400) // 4)
    codecs.save("polars.ipc", table, tmp_path / "t.arrow")
    found = scored(deciding[0], tmp_path / "t.arrow")
    assert (found.cluster, found.unit) == ("cluster", "cluster")


def test_cases_are_asked_by_their_types(deciding: Made, answered: Scored) -> None:
    found = cases(deciding[0], answered, None, None)
    assert {case["as_of"] for case in found} == {""}
    assert all(case["reasons"][0].endswith("against 50.") for case in found)
    wrong = [c for c in found if c["actual"] != c["answer"].split()[0]]
    assert wrong and all(40 <= float(c["request"]["income"]) < 50 for c in wrong)
    assert {tuple(c["request"]) for c in found} == {("income", "jobs", "owner", "savings")}


def test_a_field_that_was_left_out_is_the_same_in_both_tables(deciding: Made, tmp_path: Path) -> None:
    table = bank.holdout().unique(["income", "jobs", "owner", "savings"], maintain_order=True)
    assert table["savings"].null_count()
    codecs.save("polars.ipc", table, tmp_path / "t.arrow")
    one = scored(deciding[0], tmp_path / "t.arrow")
    left, right = on_common_rows(one, one.subset(np.arange(len(one))[::-1]))
    assert len(left) == len(right) == table.height


@pytest.mark.parametrize(("column", "number"), [("income", 100.5), ("jobs", 0)])
def test_a_holdout_that_asks_for_a_number_nobody_could_ask_for_is_refused(
    tmp_path: Path, column: str, number: float
) -> None:
    odd = bank.holdout().with_columns(
        pl.when(pl.arange(400) == 7).then(number).otherwise(column).cast(bank.holdout()[column].dtype).alias(column)
    )
    with pytest.raises(ContractBroken, match="number that nobody could ask for"):
        bank.make(tmp_path, table=odd)


def test_an_answer_that_is_a_number_goes_before_a_yes(tmp_path: Path) -> None:
    _, manifest = bank.make(tmp_path, response="approve: bool\n    low: float\n    units: float",
                            answered='"approve", low="score", units="score"')  # fmt: skip
    roles = manifest.predictor.roles
    assert roles.answer and roles.answer.name == "units"
    assert roles.low and roles.low.name == "low"
    assert roles.score is None


def test_a_release_that_answers_a_score_only_cannot_be_judged(tmp_path: Path) -> None:
    made = bank.make(tmp_path, response="score: float", answered='"score"')
    codecs.save("polars.ipc", bank.holdout(), tmp_path / "t.arrow")
    with pytest.raises(UsageError, match="answers a number, or yes or no"):
        scored(made[0], tmp_path / "t.arrow")


def test_booleans_become_numbers_where_they_are_measured(answered: Scored) -> None:
    assert answered.columns["approve"].dtype == np.bool_
    assert float(np.mean(answered.role("answer") == answered.role("truth"))) == pytest.approx(0.9)


def seen_by(folder: Path, table: pl.DataFrame, *, features: str = ", features=features") -> Scored:
    """Training rows, asked again of a release that declares what its model sees."""
    made = bank.make(folder, features=features)
    codecs.save("polars.ipc", table, folder / "trained.arrow")
    return replayed(made[0], folder / "trained.arrow")


def trained(**columns: pl.Expr) -> pl.DataFrame:
    """Training rows: the request, the answer of then, and the features of then."""
    rows = bank.holdout().drop("actual", "group", "savings")
    return rows.with_columns(
        prediction=(pl.col("income") >= 50).cast(pl.Float64), above_bar=pl.col("income") - 50,
        savings=bank.holdout()["savings"], **columns,
    )  # fmt: skip


def test_what_the_model_sees_is_beside_the_answer(tmp_path: Path) -> None:
    found = seen_by(tmp_path, trained())
    assert found.columns["feature:above_bar"].tolist() == [float(row % 100 - 50) for row in range(400)]
    assert found.columns["feature:savings"][:2].tolist() == [-1.0, 1.0]


def test_without_a_declaration_only_answers_are_there(tmp_path: Path) -> None:
    found = seen_by(tmp_path, trained(), features="")
    assert not [name for name in found.columns if name.startswith("feature:")]
    assert "declares no features" in evidence(found).not_assessed[0]


def test_skew_of_a_feature_is_found_though_every_answer_is_the_same(tmp_path: Path) -> None:
    """Training saw incomes one too high for one row in ten: no decision shows it, the feature does."""
    table = trained().with_columns(above_bar=pl.col("above_bar") + (pl.arange(400) % 10 == 0))
    found = evidence(seen_by(tmp_path, table.drop("savings").with_columns(savings=bank.holdout()["savings"])))
    differ = found.params["differ"]
    assert isinstance(differ, dict)
    assert (differ["prediction"], differ["above_bar"]) == ("0", "40")


def test_the_page_shows_what_the_model_sees_where_it_is_not_what_was_asked(tmp_path: Path) -> None:
    """`savings` is seen otherwise than it is asked (a gap is -1); `above_bar` is seen as these rows hold it."""
    found = seen_by(tmp_path, trained())
    columns = {d["column"]: d["role"] for d in distributions(found, found, None)["columns"]}  # type: ignore[index, union-attr]
    assert columns["feature:savings"] == columns["above_bar"] == "feature"
    assert columns["savings"] == "beside"
    assert "feature:above_bar" not in columns
