"""Published figures of groups of people, on the published rows: COMPAS, Adult, German credit. Sources: their SOURCE.txt."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from examples import shop
from lockgate.evaluation.counts import counts_of, rates_by_group, resampled_rates
from lockgate.evaluation.groups import group_gaps
from lockgate.evaluation.metrics import METRICS
from lockgate.evaluation.resampling import single
from lockgate.evaluation.roc import auc
from lockgate.evaluation.scored import Scored
from lockgate.testing.scored import decided_table


def folder(name: str):
    found = shop.shared(name)
    if found is None:
        pytest.skip(f"no {name}: set LOCKGATE_TEST_DATA to a folder that holds it")
    return found


@pytest.fixture(scope="module")
def compas() -> Scored:
    """Medium or high risk (decile 5 and more) is a yes; truth is a new arrest within two years."""
    with (folder("compas") / "compas-scores-two-years.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    decile = np.array([float(row["decile_score"]) for row in rows])
    columns = {
        "again": np.array([float(row["two_year_recid"]) for row in rows]),
        "high": (decile >= 5).astype(float),
        "decile": decile,
        "race": np.array([row["race"] for row in rows]),
        "sex": np.array([row["sex"] for row in rows]),
        "days": np.array([float(row["days_b_screening_arrest"] or "nan") for row in rows]),
        "charge": np.array([row["c_charge_degree"] for row in rows]),
        "is_recid": np.array([float(row["is_recid"]) for row in rows]),
        "score_text": np.array([row["score_text"] for row in rows]),
    }
    return Scored(columns=columns, truth="again", answer="high", score="decile")


@pytest.fixture(scope="module")
def adult() -> Scored:
    """Truth and answer are whether somebody earns more than 50,000 dollars: the base rates of the data."""
    rows = []
    for name in ("adult.data", "adult.test"):
        text = (folder("adult") / name).read_text()
        rows += [line.rstrip(".").split(", ") + [name] for line in text.splitlines() if line.count(",") == 14]
    rich = np.array([row[14] == ">50K" for row in rows]).astype(float)
    columns = {"rich": rich, "sex": np.array([r[9] for r in rows]), "race": np.array([r[8] for r in rows]),
               "part": np.array([r[15] for r in rows])}  # fmt: skip
    return Scored(columns=columns, truth="rich", answer="rich")


@pytest.fixture(scope="module")
def german() -> Scored:
    rows = [line.split() for line in (folder("german_credit") / "german.data").read_text().splitlines()]
    good = np.array([row[20] == "1" for row in rows]).astype(float)
    columns = {"good": good, "old": np.array([int(row[12]) > 25 for row in rows]),
               "sex": np.array(["f" if row[8] in ("A92", "A95") else "m" for row in rows])}  # fmt: skip
    return Scored(columns=columns, truth="good", answer="good")


def rate(scored: Scored, metric: str, column: str = "", group: str = "") -> float:
    part = scored.subset(scored.labels(column) == group) if column else scored
    return round(METRICS[metric].value(part), 4)


# ── COMPAS: Angwin, Larson, Mattu and Kirchner, ProPublica 2016 ──────────────


def test_compas_rates(compas):
    assert len(compas) == 7214
    black, white = ("race", "African-American"), ("race", "Caucasian")
    assert [rate(compas, "fpr", *g) for g in ((), black, white)] == [0.3235, 0.4485, 0.2345]
    assert [rate(compas, "fnr", *g) for g in ((), black, white)] == [0.3740, 0.2799, 0.4772]
    assert rate(compas, "accuracy") == 0.6537
    assert [round(rate(compas, "ppv", *g), 2) for g in ((), black, white)] == [0.61, 0.63, 0.59]


def test_compas_confusion(compas):
    found = counts_of(compas, "race")
    cells = dict(zip(found.names, found.cells.reshape(-1, 4).tolist(), strict=True))
    assert cells["African-American"] == [990, 805, 532, 1369]
    assert cells["Caucasian"] == [1139, 349, 461, 505]
    assert found.cells.sum(0).ravel().tolist() == [2681, 1282, 1216, 2035]


def test_compas_as_propublica_filters_it(compas):
    """Screened within thirty days of the arrest, a charge that is a crime, a score: 6,172 rows."""
    days = compas.numbers("days")
    kept = (np.abs(days) <= 30) & (compas.numbers("is_recid") != -1)
    kept &= (compas.labels("charge") != "O") & (compas.labels("score_text") != "N/A")
    fair = compas.subset(kept)
    assert len(fair) == 6172
    assert rate(fair, "fpr", "race", "African-American") == 0.4234
    assert rate(fair, "fnr", "race", "African-American") == 0.2848
    assert rate(fair, "fpr", "race", "Caucasian") == 0.2201
    assert rate(fair, "fnr", "race", "Caucasian") == 0.4964


def test_compas_gaps_are_fairlearns(compas):
    """Fairlearn 0.15 on the same rows: demographic parity .2402 and .5916, equalized odds .2139, equal opportunity .1974."""
    two = compas.subset(np.isin(compas.labels("race"), ["African-American", "Caucasian"]))

    def gap(metric):
        found = group_gaps(two, ["race"], metric=METRICS[metric], reference={"race": "Caucasian"})
        return found.groups[0]

    selected = gap("selection_rate")
    assert round(selected.difference.value, 4) == 0.2402
    assert round(selected.parity.value, 4) == 0.5916
    assert selected.parity.high < 0.8
    assert round(max(gap("fpr").difference.value, gap("tpr").difference.value), 4) == round(0.2139, 4)
    assert round(gap("tpr").difference.value, 4) == 0.1974
    everybody = {g: rate(compas, "selection_rate", "race", g) for g in set(compas.labels("race").tolist())}
    assert max(everybody.values()) - min(everybody.values()) == pytest.approx(0.4571, abs=1.01e-4)
    assert min(everybody.values()) / max(everybody.values()) == pytest.approx(0.3143, abs=1.01e-4)


def test_compas_small_groups_are_named(compas):
    found = group_gaps(compas, ["race", "sex"], metric=METRICS["fpr"], crossed=2)
    names = {f"{g.by} = {g.name}" for g in found.groups} | {line.split(": ")[0] for line in found.not_assessed}
    assert {f"race = {race}" for race in set(compas.labels("race").tolist())} <= names
    assert any(line.startswith("race = Native American") for line in found.not_assessed)
    worst = found.widest
    assert worst is not None
    assert worst.difference.low <= worst.difference.value <= worst.difference.high


def test_compas_order_of_scores(compas):
    """Dressel and Farid 2018 print an AUC of .70 for these scores."""
    assert auc(compas).value == pytest.approx(0.70, abs=0.006)


# ── Adult and German credit: base rates of the data ──────────────────────────


@pytest.mark.parametrize(
    ("part", "rows", "difference", "ratio"),
    [("adult.data", 32_561, -0.19628, 0.35802), ("", 48_842, -0.19452, 0.35966)],
)
def test_adult_base_rates(adult, part, rows, difference, ratio):
    some = adult.subset(adult.labels("part") == part) if part else adult
    found = group_gaps(some, ["sex"], metric=METRICS["base_rate"], reference={"sex": "Male"}).groups[0]
    assert len(some) == rows
    assert round(found.difference.value, 5) == difference
    assert round(found.ratio.value, 5) == ratio
    assert found.difference.low < difference < found.difference.high < -0.18


def test_adult_groups(adult):
    assert rate(adult, "base_rate", "sex", "Male") == 0.3038
    assert rate(adult, "base_rate", "sex", "Female") == 0.1093
    assert rate(adult, "base_rate", "race", "Black") == 0.1208
    assert rate(adult, "base_rate", "race", "White") == 0.2540


def test_german_base_rates(german):
    by_age = group_gaps(german, ["old"], metric=METRICS["base_rate"], reference={"old": "yes"}).groups[0]
    assert (round(by_age.other.value, 4), by_age.other.n) == (0.7284, 810)
    assert (round(by_age.value.value, 4), by_age.value.n) == (0.5789, 190)
    assert (round(by_age.difference.value, 4), round(by_age.ratio.value, 4)) == (-0.1494, 0.7948)
    assert by_age.parity.low < 0.8 < by_age.parity.high  # four fifths: below by the estimate, undecided by the interval
    assert (rate(german, "base_rate", "sex", "f"), rate(german, "base_rate", "sex", "m")) == (0.6484, 0.7232)


# ── the counts bootstrap and the bootstrap of rows are one ───────────────────


def test_counts_and_rows_resample_alike():
    scored = decided_table(3000)
    counts = counts_of(scored, "region")
    drawn = resampled_rates(counts, ["tpr", "selection_rate"], replicates=4000)
    for at, name in enumerate(counts.names):
        part = scored.subset(scored.labels("region") == name)
        for metric in ("tpr", "selection_rate"):
            interval = single(METRICS[metric], part)
            low, high = np.quantile(drawn[metric][:, at], [0.025, 0.975])
            assert (low, high) == pytest.approx((interval.low, interval.high), abs=0.006)
            assert rates_by_group(counts.cells, metric)[at] == pytest.approx(interval.value)
