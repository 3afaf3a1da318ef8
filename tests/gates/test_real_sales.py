"""Real sales through the real gates: M5 in ten stores and the retail table, held against plain formulas and the SOURCE.txt."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from gates.people import folder
from lockgate import gates
from lockgate.declare import Gate
from lockgate.evaluation.scored import Scored
from lockgate.gates.rows import Rows
from lockgate.records.evidence import Evidence, Verdict
from lockgate.testing.gates import measure, verdict

HORIZON = 28
WINDOWS = 6


@dataclass(frozen=True)
class Sales:
    """Units per day and series, days in rows; of each series its store, item and department."""

    days: np.ndarray
    units: np.ndarray
    store: np.ndarray
    item: np.ndarray
    dept: np.ndarray

    def of(self, store: str) -> Sales:
        at = self.store == store
        return Sales(self.days, self.units[:, at], self.store[at], self.item[at], self.dept[at])

    def training(self, window: int = 0) -> np.ndarray:
        """Which days come before the window; window 0 is the last one."""
        return np.arange(len(self.days)) < len(self.days) - (window + 1) * HORIZON


def wide(table: pl.DataFrame, value: str) -> Sales:
    table = table.with_columns(series=pl.concat_str("store", pl.lit("|"), "item", pl.lit("|"), "dept"))
    cells = table.pivot(on="series", index="date", values=value).sort("date").fill_null(0)
    names = [name.split("|") for name in cells.columns[1:]]
    store, item, dept = (np.array([name[at] for name in names]) for at in range(3))
    return Sales(
        cells["date"].to_numpy().astype("datetime64[D]"), cells.drop("date").to_numpy().astype(float), store, item, dept
    )


def scored(sales: Sales, window: int = 0) -> Scored:
    """The window, a row per day and series: the mean of the four weeks before is the answer, the last day before the baseline."""
    before = sales.units[sales.training(window)]
    start = len(before)
    truth = sales.units[start : start + HORIZON]
    recent = before[-91:]
    step = np.diff(before, axis=0)

    def each(values: np.ndarray) -> np.ndarray:
        """One value per series, as rows."""
        return np.tile(values, HORIZON)

    columns = {
        "date": np.repeat(sales.days[start : start + HORIZON], sales.units.shape[1]),
        "as_of": np.full(truth.size, sales.days[start]),
        "store": each(sales.store), "item": each(sales.item), "dept": each(sales.dept), "actual": truth.ravel(),
        "mean_28": each(before[-28:].mean(0)), "naive": each(before[-1]), "best_simple": each(before[-1]),
        "low": each(np.quantile(recent, 0.1, axis=0)), "high": each(np.quantile(recent, 0.9, axis=0)),
        "scale": each(np.sqrt((step**2).mean(0))),
    }  # fmt: skip
    return Scored(
        columns=columns, truth="actual", answer="mean_28", day="date", low="low", high="high", scale="scale",
        keys=("store", "item", "date"),
    )  # fmt: skip


def trained(sales: Sales, *, also: int = 0) -> Rows:
    """The training table: the year before the window, and so many days of it that should not be there."""
    before = int(sales.training().sum())
    part = slice(before - 364, before + also)
    days, units = sales.days[part], sales.units[part]
    return Rows(columns={
        "date": np.repeat(days, units.shape[1]), "store": np.tile(sales.store, len(days)), "item": np.tile(sales.item, len(days)),
        "units": units.ravel(), "mean_28": units.ravel() * 1.5 + 1,
    })  # fmt: skip


def judged(gate: Gate, table: Scored, **more: object) -> tuple[Evidence, Verdict]:
    evidence = measure(gate, {"scored": table, "replayed": None, **more})
    return evidence, verdict(gate, evidence)


def numbers(evidence: Evidence, by: str) -> dict[str, float]:
    return {g.group: float(g.estimate.value or "nan") for g in evidence.groups if g.by == by}


def r_squared(table: Scored) -> float:
    """From the gate's own root mean squared error."""
    evidence, _ = judged(gates.quality("rmse", at_most=1_000), table)
    return 1 - float(evidence.statistic.value or "nan") ** 2 / float(np.var(table.role("truth")))


def over_windows(sales: Sales, answer: str) -> tuple[float, float]:
    """WAPE and R squared, the means of six windows of four weeks."""
    tables = [scored(sales, window).answering(answer) for window in range(WINDOWS)]
    errors = [float(judged(gates.quality("wape", at_most=9), t)[0].statistic.value or "nan") for t in tables]
    return float(np.mean(errors)), float(np.mean([r_squared(t) for t in tables]))


# ── M5: 28 items in ten stores ───────────────────────────────────────────────


@pytest.fixture(scope="module")
def m5() -> Sales:
    table = pl.read_parquet(next(folder("m5_ten_stores").glob("*.parquet")))
    named = [pl.col(f"{name}_id").cast(pl.String).alias(name) for name in ("store", "item", "dept")]
    return wide(table.select(pl.col("date").dt.date(), *named, "units"), "units")


@pytest.fixture(scope="module")
def ten(m5: Sales) -> Scored:
    return scored(m5)


@pytest.mark.parametrize(
    ("store", "answer", "wape", "r2"),
    [("TX_2", "naive", 0.448, 0.826), ("TX_2", "mean_28", 0.408, 0.846), ("CA_3", "naive", 0.654, 0.535),
     ("CA_3", "mean_28", 0.461, 0.806)],
)  # fmt: skip
def test_m5_simple_forecasts_as_in_its_source(m5: Sales, store: str, answer: str, wape: float, r2: float) -> None:
    error, explained = over_windows(m5.of(store), answer)
    assert (error, explained) == pytest.approx((wape, r2), abs=6e-4)


def test_m5_errors_per_store_are_the_plain_formulas(m5: Sales, ten: Scored) -> None:
    """WAPE, RMSSE (over all rows of a store at once) and signed bias of every store, from the matrix of units."""
    start = int(m5.training().sum())
    truth, before = m5.units[start:], m5.units[:start]
    answer = np.tile(before[-28:].mean(0), (HORIZON, 1))
    scale = np.sqrt((np.diff(before, axis=0) ** 2).mean(0))
    stores = sorted(set(m5.store.tolist()))
    assert len(stores) == 10

    def each(of: object) -> dict[str, float]:
        return {s: float(of(m5.store == s)) for s in stores}  # type: ignore[operator]

    wape = each(lambda at: np.abs(truth - answer)[:, at].sum() / truth[:, at].sum())
    rmsse = each(lambda at: np.sqrt((((truth - answer) / scale)[:, at] ** 2).mean()))
    bias = each(lambda at: (answer - truth)[:, at].sum() / truth[:, at].sum())
    for gate, expected, outcome in (
        (gates.slices("wape", ["store"]), wape, "uncertain"), (gates.bounded_loss("rmsse", ["store"], 2), rmsse, "pass"),
        (gates.error_parity("rmsse", ["store"]), rmsse, "fail"), (gates.group_bias(["store"], 0.2), bias, "uncertain"),
    ):  # fmt: skip
        evidence, found = judged(gate, ten)
        assert numbers(evidence, "store") == pytest.approx(expected, rel=2e-5), gate.name
        assert found.outcome == outcome, found.reason
    for store in stores:
        part = ten.subset(ten.column("store") == store)
        assert float(judged(gates.quality("wape", at_most=1), part)[0].statistic.value or "nan") == pytest.approx(
            wape[store], rel=2e-5
        )
        assert float(judged(gates.quality("rmsse", at_most=2), part)[0].statistic.value or "nan") == pytest.approx(
            rmsse[store], rel=2e-5
        )


def test_m5_verdicts_per_store(ten: Scored) -> None:
    """A limit above every interval passes, one below some interval fails and names that store, and between nobody can tell."""
    evidence, found = judged(gates.bounded_loss("wape", ["store"], 2), ten)
    assert found.outcome == "pass"
    worst = evidence.groups[0]
    assert worst.group in found.reason
    below = float(worst.estimate.low or "nan") * 0.99
    evidence, found = judged(gates.bounded_loss("wape", ["store"], round(below, 3)), ten)
    assert found.outcome == "fail"
    inside = float(worst.estimate.value or "nan")
    assert judged(gates.bounded_loss("wape", ["store"], round(inside, 3)), ten)[1].outcome != "pass"
    spread = judged(gates.slices("wape", ["store", "dept"], 100), ten)
    assert spread[1].outcome == "pass"
    assert judged(gates.slices("wape", ["store", "dept"], 1.01), ten)[1].outcome == "fail"
    assert judged(gates.group_bias(["store"], 0.9), ten)[1].outcome == "pass"


def test_m5_against_the_live_release_and_the_baseline(ten: Scored) -> None:
    """Four weeks' mean against repeating the last day: better over all, and the other way round it is stopped."""
    live = ten.answering("naive")
    evidence, found = judged(gates.champion("wape", mode="superior"), ten, champion=live)
    ours, theirs = (float(e.value or "nan") for e in evidence.also)
    assert float(evidence.statistic.value or "nan") == pytest.approx(ours / theirs - 1, abs=1e-5)
    assert found.outcome == "pass"
    assert judged(gates.champion("wape"), live, champion=ten)[1].outcome == "fail"
    assert judged(gates.beats_baseline(), ten)[1].outcome == "pass"
    slices, said = judged(gates.champion_slices("wape", ["store"], margin=0.5), ten, champion=live)
    assert len(slices.groups) == 10
    assert said.outcome == "pass"
    assert judged(gates.champion_slices("wape", ["store"]), live, champion=ten)[1].outcome == "fail"


def test_m5_rows_that_the_live_release_answers_in_another_order_are_the_same(ten: Scored) -> None:
    live = ten.answering("naive")
    shuffled = live.subset(np.random.default_rng(0).permutation(len(live)))
    assert (
        judged(gates.champion("wape"), ten, champion=shuffled)[0]
        == judged(gates.champion("wape"), ten, champion=live)[0]
    )


def test_m5_data_split_and_leaks(m5: Sales, ten: Scored) -> None:
    release = {"as_of": str(m5.days[int(m5.training().sum())])}
    enough = gates.enough_good_data(min_rows=28 * 28, per="store", min_days=28)
    evidence, found = judged(enough, ten)
    assert numbers(evidence, "store") == dict.fromkeys(sorted(set(m5.store.tolist())), 784.0)
    assert found.outcome == "pass"
    twice = ten.subset(np.r_[np.arange(len(ten)), [5]])
    assert judged(enough, twice)[1].outcome == "fail"
    leak, split = (
        gates.leakage(["store", "item", "date"], content=["store", "item", "date", "mean_28"]),
        gates.split(day="date"),
    )
    for gate in (leak, split):
        assert judged(gate, ten, training_table=trained(m5), release=release)[1].outcome == "pass"
    seen, found = judged(leak, ten, training_table=trained(m5, also=2), release=release)
    assert (seen.statistic.value, found.outcome) == ("560", "fail")
    assert judged(split, ten, training_table=trained(m5, also=2), release=release)[1].outcome == "fail"
    assert judged(gates.split(apart=["store"]), ten, training_table=trained(m5), release=release)[1].outcome == "fail"


def test_m5_intervals_hold_as_often_as_counted(ten: Scored) -> None:
    evidence, found = judged(gates.interval_coverage(0.8, 0.15, by=["store"]), ten)
    inside = (ten.role("low") <= ten.role("truth")) & (ten.role("truth") <= ten.role("high"))
    assert float(evidence.statistic.value or "nan") == pytest.approx(inside.mean(), abs=1e-5)
    stores = ten.column("store")
    assert numbers(evidence, "store") == pytest.approx(
        {s: float(inside[stores == s].mean()) for s in np.unique(stores)}, abs=1e-5
    )
    assert found.outcome == "pass"


# ── the retail table: 50 items of a gift-ware shop ───────────────────────────


@pytest.fixture(scope="module")
def retail() -> pl.DataFrame:
    with gzip.open(folder("online_retail_II") / "daily_top50.csv.gz") as file:
        table = pl.read_csv(file.read(), try_parse_dates=True, schema_overrides={"item": pl.String})
    return table.with_columns(store=pl.lit("shop"), dept=pl.col("item").str.slice(0, 2))


@pytest.mark.parametrize(
    ("target", "answer", "wape", "r2"),
    [("units", "naive", 1.366, -1.01), ("units", "mean_28", 0.883, 0.083), ("units_retail", "naive", 0.813, -0.29),
     ("units_retail", "mean_28", 0.640, 0.210), ("orders", "naive", 0.655, -0.33), ("orders", "mean_28", 0.507, 0.205)],
)  # fmt: skip
def test_retail_simple_forecasts_as_in_its_source(
    retail: pl.DataFrame, target: str, answer: str, wape: float, r2: float
) -> None:
    error, explained = over_windows(wide(retail, target), answer)
    assert error == pytest.approx(wape, abs=6e-4)
    assert explained == pytest.approx(r2, abs=6e-3 if answer == "naive" else 6e-4)


def test_retail_verdicts(retail: pl.DataFrame) -> None:
    table = scored(wide(retail, "units_retail"))
    live = table.answering("naive")
    assert len(table) == 50 * HORIZON
    few = judged(gates.enough_good_data(min_rows=50, per="dept", min_days=28), table)[1]
    assert (few.outcome, "(47): 28" in few.reason) == ("fail", True)
    assert judged(gates.champion("wape"), live, champion=table)[1].outcome == "fail"
    assert judged(gates.beats_baseline(), table)[1].outcome == "pass"
    assert judged(gates.quality("wape", at_most=2), table)[1].outcome == "pass"
    evidence, found = judged(gates.slices("wape", ["dept"], 100), table)
    assert found.outcome == "pass"
    groups = numbers(evidence, "dept")
    truth, answer, dept = table.role("truth"), table.role("answer"), table.column("dept")
    assert groups == pytest.approx(
        {d: float(np.abs(truth - answer)[dept == d].sum() / truth[dept == d].sum()) for d in groups}, rel=2e-5
    )
    assert len(groups) + sum(line.startswith("dept = ") for line in evidence.not_assessed) == len(set(dept.tolist()))
    assert judged(gates.group_bias(["dept"], 0.9), table)[1].outcome == "pass"
    assert judged(gates.group_bias(["dept"], 0.2), table)[1].outcome == "uncertain"
    assert judged(gates.error_parity("rmsse", ["dept"]), table)[1].outcome == "uncertain"
    assert judged(gates.bounded_loss("wape", ["dept"], 1), table)[1].outcome == "pass"
