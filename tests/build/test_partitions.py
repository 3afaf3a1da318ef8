"""Steps that run per partition: edges of the calendar, mistakes in declarations and data, what plans say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from lockgate import step
from lockgate.codecs import dataset
from lockgate.errors import LockgateError, StepFailed, UsageError
from lockgate.project import open_project
from lockgate.records.dataset import key_of

from build.partitioned_flow import Here, ran, table_of
from build.small_project import imported_from
from build.working_copy import WorkingCopy

SALES = '[sources.sales]\nkind = "file"\npath = "sales.csv"\n[sources.other]\nkind = "file"\npath = "other.csv"\n'
HEAD = "import datetime as dt\nimport polars as pl\nfrom pathlib import Path\nfrom lockgate import Pipeline, step\n"
SUMS = """
@step(each="month", lookback=1)
def sums(sales: pl.DataFrame) -> pl.DataFrame:
    return sales.with_columns(sum=pl.col("units").cum_sum())
"""


class Flow:
    """A project of these steps over `sales.csv` and `other.csv`."""

    def __init__(self, root: Path, here: Here, text: str, names: str) -> None:
        self.root, self.here = root, here
        self.copy = WorkingCopy(
            root, HEAD + text + f"\nflow = Pipeline('flow', kind='data', steps=[{names}])\n", toml=SALES
        )
        self.sales("2011-10-30,1", "2011-11-02,2", "2011-12-31,3", "2012-01-01,4")
        self.copy.write("other.csv", "date,units\n2012-01-05,9\n")

    def sales(self, *rows: str) -> None:
        self.copy.write("sales.csv", "date,units\n" + "".join(f"{r}\n" for r in rows))

    def edit(self, old: str, new: str) -> None:
        self.copy.edit("flow/steps.py", old, new)

    def ran(self) -> dict[str, tuple[str, ...]]:
        return ran(self.here.run(self.root))

    def table(self, node: str = "flow.sums") -> pl.DataFrame:
        return table_of(self.root, self.here.run(self.root), node)

    def error(self) -> LockgateError:
        found = self.here.tried(self.root).error
        assert found is not None
        return found


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch)


@pytest.fixture
def flow(tmp_path: Path, here: Here) -> Flow:
    return Flow(tmp_path, here, SUMS, "sums")


def test_each_partition_sees_itself_and_what_lies_before(flow: Flow) -> None:
    """The first one sees itself alone; the year's end is a month like any other."""
    assert flow.ran() == {"sums": ("2011-10", "2011-11", "2011-12", "2012-01")}
    assert flow.table()["sum"].to_list() == [1, 1 + 2, 2 + 3, 3 + 4]


def test_late_rows_wake_their_partition_and_the_next(flow: Flow) -> None:
    flow.ran()
    flow.sales("2011-10-30,1", "2011-11-02,2", "2011-12-31,3", "2012-01-01,4", "2011-11-01,5")
    assert flow.here.plan(flow.root)["flow.sums"] == "run 2 of 4 partitions: 2011-11, 2011-12 (input sales changed)"
    assert flow.here.why(flow.root, "sums")[1:] == [
        "2011-11: input sales changed",
        "2011-12: input sales changed in 2011-11",
    ]
    assert flow.ran() == {"sums": ("2011-11", "2011-12")}
    assert flow.ran() == {}


def test_a_gap_in_the_calendar_is_looked_back_on_as_a_gap(flow: Flow) -> None:
    """One month back from December is November, which has no rows, not October."""
    flow.sales("2011-10-30,1", "2011-12-31,3")
    assert flow.ran() == {"sums": ("2011-10", "2011-12")}
    assert flow.table()["sum"].to_list() == [1, 3]
    flow.sales("2011-10-30,1", "2011-11-05,7", "2011-12-31,3")
    assert flow.ran() == {"sums": ("2011-11", "2011-12")}


def test_a_deleted_partition_is_seen(flow: Flow) -> None:
    flow.ran()
    flow.sales("2011-10-30,1", "2011-11-02,2", "2012-01-01,4")
    assert "1 of 3 partitions: 2012-01 (input sales is gone in 2011-12)" in flow.here.plan(flow.root)["flow.sums"]
    assert flow.ran() == {"sums": ("2012-01",)}
    assert flow.table()["sum"].to_list() == [1, 3, 4]


def test_the_last_partition_deleted_runs_nothing_but_counts(flow: Flow) -> None:
    flow.ran()
    flow.sales("2011-10-30,1", "2011-11-02,2", "2011-12-31,3")
    assert flow.here.plan(flow.root)["flow.sums"] == "run 0 of 3 partitions; gone: 2012-01"
    assert "2012-01 is gone" in flow.here.why(flow.root, "sums")
    assert flow.ran() == {"sums": ()}
    assert flow.table()["date"].max() == dt.date(2011, 12, 31)


def test_code_and_lookback_wake_all(flow: Flow) -> None:
    flow.ran()
    for old, new in (("cum_sum()", "cum_sum() + 1"), ("lookback=1", "lookback=2"), ('each="month"', 'each="day"')):
        flow.edit(old, new)
        assert "4 of 4 partitions" in flow.here.plan(flow.root)["flow.sums"]
        assert "flow.steps.sums changed (flow/steps.py" in flow.here.plan(flow.root)["flow.sums"]
        assert len(flow.ran()["sums"]) == 4


def test_a_lost_partition_is_made_again(flow: Flow) -> None:
    """The store may lose an object; only what it held is made again, of the step and of what was split."""
    flow.ran()
    store = open_project(flow.root).store
    made = flow.here.run(flow.root).artifacts
    for node, expected in (("flow.sums", {"sums": ("2011-12",)}), ("sales@month", {})):
        record = dataset.load(store.get(made[node].object), dataset.Dataset)
        store.delete(record.parts[2].object)
        assert flow.ran() == expected
        assert store.has(record.parts[2].object)


def test_a_failing_partition_keeps_the_others(flow: Flow) -> None:
    flow.edit("    return", "    if sales['date'].max().month == 12:\n        raise ValueError('no')\n    return")
    error = flow.error()
    assert "step flow.sums[2011-12] failed: ValueError: no" in str(error)
    flow.sales("2011-10-30,1", "2011-11-02,2", "2012-01-01,4")
    assert flow.ran() == {"sums": ("2012-01",)}


@pytest.mark.parametrize(("period", "keys"), [
    ("day", ("2011-10-30", "2011-11-02", "2011-12-31", "2012-01-01")), ("week", ("2011-W43", "2011-W44", "2011-W52")),
    ("year", ("2011", "2012")),
])  # fmt: skip
def test_periods(flow: Flow, period: str, keys: tuple[str, ...]) -> None:
    """1 January 2012 is a Sunday: it belongs to the last ISO week of 2011."""
    flow.edit('each="month"', f'each="{period}"')
    assert flow.ran() == {"sums": keys}


def test_keys_and_numbers_agree_over_centuries() -> None:
    days = pl.date_range(dt.date(1, 1, 1), dt.date(9999, 12, 31), "37d", eager=True)
    table = pl.DataFrame({"date": days})
    for period, text in (("day", "%Y-%m-%d"), ("week", "%G-W%V"), ("month", "%Y-%m"), ("year", "%Y")):
        numbers = dataset.numbers(table, "date", period).to_list()
        assert [key_of(period, n) for n in numbers] == days.dt.strftime(text).str.zfill(
            len(key_of(period, 5000))
        ).to_list()
        assert numbers == sorted(numbers)


def test_times_belong_to_their_local_day() -> None:
    moment = dt.datetime(2011, 10, 31, 23, 30, tzinfo=dt.UTC)
    utc = pl.DataFrame({"at": [moment]})
    berlin = utc.with_columns(pl.col("at").dt.convert_time_zone("Europe/Berlin"))
    assert [key_of("month", n) for f in (utc, berlin) for n in dataset.numbers(f, "at", "month")] == [
        "2011-10",
        "2011-11",
    ]


def test_several_inputs_and_one_that_is_whole(tmp_path: Path, here: Here) -> None:
    """A partition for each month of either; where one has no rows it is empty, with its columns."""
    flow = Flow(tmp_path, here, """
@step
def prices(other: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({"price": [2]})

@step(each="month", whole=["prices"])
def both(sales: pl.DataFrame, other: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([sales, other]).select("date", worth=pl.col("units") * prices["price"][0])
""", "prices, both")  # fmt: skip
    flow.copy.write("other.csv", "date,units\n2012-02-05,9\n")
    assert flow.ran() == {"both": ("2011-10", "2011-11", "2011-12", "2012-01", "2012-02")}
    assert flow.table("flow.both")["worth"].to_list() == [2, 4, 6, 8, 18]
    flow.copy.write("other.csv", "date,units\n2012-02-05,8\n")
    assert flow.ran() == {"both": ("2012-02",)}
    flow.edit('"price": [2]', '"price": [3]')
    assert len(flow.ran()["both"]) == 5
    flow.copy.write("other.csv", "date,units,more\n2012-02-05,8,1\n")
    flow.edit("[sales, other]", '[sales, other.select("date", "units")]')
    assert len(flow.ran()["both"]) == 5  # the columns of an empty table are an input too


def test_chains_split_once_and_join_once(tmp_path: Path, here: Here) -> None:
    """Same period: partition by partition. Another period: joined and split again. A plain step: the whole table."""
    flow = Flow(tmp_path, here, SUMS + """
@step(each="month")
def twice(sums: pl.DataFrame) -> pl.DataFrame:
    return sums.with_columns(sum=pl.col("sum") // 4)

@step(each="year")
def yearly(twice: pl.DataFrame) -> pl.DataFrame:
    return twice.filter(pl.col("date") == pl.col("date").max())

@step
def rows(yearly: pl.DataFrame, twice: pl.DataFrame, sales: Path) -> int:
    return yearly.height * 100 + twice.height
""", "sums, twice, yearly, rows")  # fmt: skip
    flow.ran()
    assert set(flow.here.plan(flow.root)) == {
        "sales@month", "flow.sums", "flow.twice", "flow.twice@whole", "flow.twice@year",
        "flow.yearly", "flow.yearly@whole", "flow.rows",
    }  # fmt: skip
    assert flow.copy.root is flow.root
    flow.sales("2011-10-30,2", "2011-11-02,2", "2011-12-31,3", "2012-01-01,4")
    assert flow.ran() == {"sums": ("2011-10", "2011-11"), "twice": ("2011-10", "2011-11"), "yearly": ("2011",)}
    flow.sales("2011-10-30,1", "2011-11-02,2", "2011-12-31,3", "2012-01-01,5")
    assert flow.ran() == {"sums": ("2012-01",), "twice": ("2012-01",), "yearly": ("2012",)}


def test_a_contract_holds_for_every_partition(flow: Flow) -> None:
    flow.edit("@step(each", "class Few:\n    def check(self, table, /):\n"
              "        if table['units'].max() > 3:\n            raise ValueError('too many')\n\n@step(contract=Few(), each")  # fmt: skip
    assert "flow.sums[2012-01]" in str(flow.error())
    assert "too many" in str(flow.error())


@pytest.mark.parametrize(("rows", "says"), [
    (("2011-10-30,1", ",2"), "1 rows have no date"),
    ((), "by 'date': it holds"),
])  # fmt: skip
def test_a_table_that_cannot_be_split(flow: Flow, rows: tuple[str, ...], says: str) -> None:
    flow.sales(*rows)
    error = flow.error()
    assert isinstance(error, StepFailed)
    assert "a table cannot be partitioned" in str(error)
    assert says in str(error)


@pytest.mark.parametrize(("old", "new", "says"), [
    ('lookback=1', 'by="day"', "a table cannot be partitioned: by 'day': the table has no such column"),
    ('lookback=1', 'by="units"', "by 'units': it holds Int64"),
    ('sales.with_columns(sum=', 'sales.select(sum=', "what the step returned cannot be partitioned: by 'date'"),
    ('cum_sum())', 'cum_sum(), date=pl.col("date").dt.offset_by("1mo"))', "rows of a partition that it was not shown: date in 2011-1"),
    ('cum_sum())', 'cum_sum(), date=pl.col("date").dt.offset_by("-5mo"))', "was not shown: date in 2011-0"),
    ('sales.with_columns(sum=pl.col("units").cum_sum())', 'sales.cast({"units": pl.Int8 if sales.height == 1 else pl.Int64})',
     "returned unlike tables: partitions 2011-10 and 2011-11"),
    ('sales.with_columns', 'sales.clear() if 0 else sales.lazy().with_columns', "another type than it declares"),
])  # fmt: skip
def test_a_step_that_breaks_the_rules(flow: Flow, old: str, new: str, says: str) -> None:
    flow.edit(old, new)
    assert says in str(flow.error())


def test_no_rows_at_all(flow: Flow) -> None:
    flow.edit("(sales: pl.DataFrame)", "(none: pl.DataFrame)")
    flow.edit("return sales", "return none")
    flow.edit(
        "@step(each", "@step\ndef none(sales: pl.DataFrame) -> pl.DataFrame:\n    return sales.clear()\n\n@step(each"
    )
    flow.edit("steps=[sums]", "steps=[none, sums]")
    assert "step flow.sums has no partitions: no rows in none" in str(flow.error())


@pytest.mark.parametrize(("arguments", "says"), [
    ({"each": "months"}, "allowed: day, week, month, year"),
    ({"each": "month", "lookback": -1}, "lookback=-1"),
    ({"each": "month", "lookback": True}, "lookback=True"),
    ({"each": "month", "by": ""}, "by=''"),
    ({"each": "month", "whole": "prices"}, "whole=['prices']"),
    ({"lookback": 1}, "without each"),
    ({"by": "day"}, "without each"),
    ({"whole": ["prices"]}, "without each"),
])  # fmt: skip
def test_mistakes_where_they_are_declared(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as error:
        step(**arguments)
    assert says in str(error.value)


@pytest.mark.parametrize(("old", "new", "says"), [
    ("lookback=1", "whole=['sale']", "sums: whole='sale'"),
    ("lookback=1", "whole=['sales']", "no input is cut"),
    ("sales: pl.DataFrame", "sales: Path", "no input is cut"),
    ("-> pl.DataFrame", "-> int", "it returns builtins.int"),
])  # fmt: skip
def test_mistakes_in_the_graph(flow: Flow, old: str, new: str, says: str) -> None:
    flow.edit(old, new)
    with pytest.raises(UsageError) as error:
        flow.here.plan(flow.root)
    assert says in str(error.value)
    assert "edit flow/steps.py:" in str(error.value)


def test_nobody_sets_how_tables_are_split(flow: Flow) -> None:
    text = (flow.root / "lockgate.toml").read_text()
    flow.copy.write("lockgate.toml", text + '[params."sales@month"]\nby = "other"\n')
    with pytest.raises(UsageError, match="a step that does not exist"):
        flow.here.plan(flow.root)


def test_a_predictor_and_a_holdout_get_the_whole_table(tmp_path: Path, here: Here) -> None:
    """What is packaged into a release is the table, not the record of its partitions."""
    flow = Flow(tmp_path, here, SUMS + """
from dataclasses import dataclass
from lockgate import predictor

@dataclass
class Request:
    date: dt.date

@dataclass
class Answer:
    units: float

@predictor(request=Request, response=Answer, state={"sums": "date"})
def answer(requests: pl.DataFrame, sums: pl.DataFrame) -> pl.DataFrame:
    return requests.select(units=pl.lit(1.0))

trained = Pipeline("trained", kind="training", steps=[sums], predictor=answer, holdout="sums")
""", "")  # fmt: skip
    flow.edit("flow = Pipeline('flow', kind='data', steps=[])", "")
    with imported_from(tmp_path):
        graph = flow.copy.lower(["other", "sales"])
    info = graph["pipelines"]["trained"]
    assert info["predictor"]["inputs"] == {"sums": "trained.sums@whole"}
    assert info["holdout"] == "trained.sums@whole"
    assert info["nodes"] == ["trained.sums", "trained.sums@whole"]
    made = here.run(tmp_path).artifacts["trained.sums@whole"]
    assert made.codec == "polars.ipc"
