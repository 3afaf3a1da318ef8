"""The M5 sales of 280 series, from data to a judged model: cold, again, one day more, one feature more.

    LOCKGATE_TEST_DATA=FOLDER python benchmarks/m5.py

`FOLDER/m5_ten_stores` holds a Parquet file of 28 items in 10 stores over 1,941 days (535,640 rows); it is not part of the
project. Two steps run per month (one sees the two months before as well), then LightGBM learns from all but the last four weeks,
and a step judges it on these. Beside it: the same functions called one after the other in one process that keeps nothing, which is
what a script does after every change.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

LOCKGATE = ("-c", "from lockgate.cli.main import main; raise SystemExit(main())", "run", "--json")
SCRIPT = ("-c", "import polars as pl, flow.steps as s; h = s.history(pl.read_csv('sales.csv', try_parse_dates=True)); f = s.features(h); "
          "print(s.error(s.model(f), f))")  # fmt: skip
TOML = '[project]\nname = "flow"\npipelines = ["flow.steps"]\n[sources.sales]\nkind = "file"\npath = "sales.csv"\n'
STEPS = """
import lightgbm as lgb
import polars as pl

from lockgate import Pipeline, step

SERIES = ["store", "item"]
WINDOWS = (7, 28)
LAGS = (1, 7, 14, 28)


@step(each="month")
def history(sales: pl.DataFrame) -> pl.DataFrame:
    days = sales.drop_nulls("price").with_columns(pl.col("units").cast(pl.Float64), weekday=pl.col("date").dt.weekday())
    return days.sort(*SERIES, "date")


@step(each="month", lookback=2)
def features(history: pl.DataFrame) -> pl.DataFrame:
    days = history.sort(*SERIES, "date")
    lags = [pl.col("units").shift(n).over(SERIES).alias(f"lag_{n}") for n in LAGS]
    means = [pl.col("units").shift(1).rolling_mean(n).over(SERIES).alias(f"mean_{n}") for n in WINDOWS]
    return days.with_columns(*lags, *means)


@step
def model(features: pl.DataFrame, seed: int = 7) -> lgb.Booster:
    train = features.sort(*SERIES, "date").filter(pl.col("date") < pl.col("date").max() - pl.duration(days=28))
    names = [c for c in train.columns if c not in (*SERIES, "date", "units")]
    options = {"objective": "tweedie", "seed": seed, "deterministic": True, "num_threads": 2, "verbose": -1}
    return lgb.train(options, lgb.Dataset(train.select(names).to_numpy(), train["units"].to_numpy(), feature_name=names), 200)


@step
def error(model: lgb.Booster, features: pl.DataFrame) -> float:
    test = features.filter(pl.col("date") >= pl.col("date").max() - pl.duration(days=28))
    told = model.predict(test.select(model.feature_name()).to_numpy())
    return float((test["units"] - pl.Series(told)).abs().sum() / test["units"].sum())


flow = Pipeline("flow", kind="data", steps=[history, features, model, error])
"""


def main() -> int:
    """Print a table."""
    found = Path(os.environ.get("LOCKGATE_TEST_DATA", "")) / "m5_ten_stores"
    if not found.is_dir():
        print(f"no data: {found} is no folder; LOCKGATE_TEST_DATA names the one that holds it", file=sys.stderr)
        return 1
    table = pl.read_parquet(next(found.glob("*.parquet"))).sort("date", "store_id", "item_id")
    last = table["date"].max()
    with tempfile.TemporaryDirectory(prefix="m5-") as folder:
        root = Path(folder)
        (root / "flow").mkdir()
        (root / "flow" / "__init__.py").write_text("")
        (root / "lockgate.toml").write_text(TOML)
        print("| | Lockgate CPU s | wall s | what ran | script CPU s | wall s | error |")
        print("|---|---:|---:|---|---:|---:|---:|")
        write(root, STEPS, table.filter(pl.col("date") < last))
        row(root, "cold")
        row(root, "again, nothing changed")
        write(root, STEPS, table)
        row(root, f"one day more ({last:%F})")
        write(root, STEPS.replace("(7, 28)\n", "(7, 28, 56)\n"), table)
        row(root, "one feature more")
        write(root, STEPS.replace("(7, 28)\n", "(7, 28, 56)  # days\n"), table)
        row(root, "a comment")
        write(root, STEPS.replace("(7, 28)\n", "(7, 28, 56)\n"), table.with_columns(units=pl.when(
            pl.int_range(pl.len()) == 300_000).then(pl.col("units") + 1).otherwise(pl.col("units"))))  # fmt: skip
        row(root, "one number of " + f"{table['date'][300_000]:%F} corrected")
    return 0


def write(root: Path, steps: str, table: pl.DataFrame) -> None:
    (root / "flow" / "steps.py").write_text(steps)
    table.select(
        pl.col("date").dt.date(), pl.col("store_id").cast(pl.String).alias("store"),
        pl.col("item_id").cast(pl.String).alias("item"), pl.col("units"), pl.col("sell_price").alias("price"),
    ).write_csv(root / "sales.csv")  # fmt: skip


def row(root: Path, what: str) -> None:
    cpu, wall, said = measured(root, LOCKGATE)
    script_cpu, script_wall, alone = measured(root, SCRIPT)
    measured(root, (*LOCKGATE[:2], "show", "error", "--to", "ours"))
    if (ours := float((root / "ours").read_text())) != float(alone):
        raise SystemExit(f"another result after {what}: Lockgate {ours}, the script {alone}")
    (root / "ours").unlink()
    record = json.loads(said)
    print(
        f"| {what} | {cpu:.1f} | {wall:.1f} | {ran(record)} | {script_cpu:.1f} | {script_wall:.1f} | {float(alone):.4f} |",
        flush=True,
    )


def ran(record: dict[str, object]) -> str:
    """Which steps ran, and how many partitions of each."""
    steps = [s for s in record["steps"] if s["action"] == "run" and "@" not in s["name"]]  # type: ignore[union-attr]
    words = [
        s["name"].partition(".")[2] + (f" ({len(s['partitions'])} of 64 months)" if s.get("partitions") else "")
        for s in steps
    ]
    return ", ".join(words) or "nothing"


def measured(root: Path, arguments: tuple[str, ...]) -> tuple[float, float, str]:
    """CPU seconds of a command with all its processes, wall seconds, and what it printed."""
    before, began = used_s(), time.monotonic()
    done = subprocess.run([sys.executable, *arguments], cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return used_s() - before, time.monotonic() - began, done.stdout


def used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
