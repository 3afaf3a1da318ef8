"""Sources as of past days: what steps would see of them, whatever form the store has them in, and nothing stored twice."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from lockgate.delivery.backtest.past import Past, past_of
from lockgate.delivery.sources.materialise import materialise
from lockgate.errors import NotFound, UsageError
from lockgate.project import Project, open_project

DAYS = [dt.date(2020, 1, 8), dt.date(2020, 1, 15)]
FIRST = dt.date(2020, 1, 1)
NOW_NS = 2_000_000_000_000_000_000


def project(root: Path, source: str, files: Mapping[str, str]) -> Project:
    (root / "lockgate.toml").write_text(f'[project]\nname = "p"\npipelines = ["p"]\n\n[sources.sales]\n{source}\n')
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return open_project(root)


def past(made: Project, *, times: tuple[str, ...] = ("date",), days: list[dt.date] = DAYS) -> Past:
    return past_of(made, {"sales"}, days, times=times, now_ns=NOW_NS)


def seen(made: Project, found: Past, day: dt.date) -> dict[str, str]:
    """Name → text of each file that a step would be shown."""
    source = found.sources[day]["sales"]
    place = materialise(made, source)
    if source.single:
        return {place.name: place.read_text()}
    return {str(p.relative_to(place)): p.read_text() for p in sorted(place.rglob("*")) if p.is_file()}


def table(first: int, last: int, *, wide: int = 1) -> str:
    """A row a day, `wide` characters each."""
    rows = (f"{FIRST + dt.timedelta(days=n)},{n:0{wide}d}" for n in range(first, last))
    return "\n".join(["date,n", *rows]) + "\n"


def objects(made: Project) -> int:
    return sum(1 for p in (made.root / ".lockgate" / "objects").rglob("*") if p.is_file())


def test_one_file_is_cut_to_the_rows_before_each_day(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"', {"sales.csv": table(0, 30)})
    found = past(made)
    assert seen(made, found, DAYS[0]) == {"sales.csv": table(0, 7)}
    assert seen(made, found, DAYS[1]) == {"sales.csv": table(0, 14)}
    assert found.shown == {"sales": "rows before the day, by column date"}


def test_a_large_file_is_cut_without_storing_it_again(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"', {"sales.csv": table(0, 30, wide=100_000)})
    past(made, days=[dt.date(2020, 1, 31)])
    before = objects(made)
    found = past(made)
    assert objects(made) == before
    assert seen(made, found, DAYS[0]) == {"sales.csv": table(0, 7, wide=100_000)}


def test_a_large_file_that_grew_is_pieces_of_pieces(tmp_path: Path) -> None:
    source = 'kind = "file"\npath = "sales.csv"'
    made = project(tmp_path, source, {"sales.csv": table(0, 12, wide=100_000)})
    past(made)
    made = project(tmp_path, source, {"sales.csv": table(0, 30, wide=100_000)})
    found = past(made)
    assert seen(made, found, DAYS[1]) == {"sales.csv": table(0, 14, wide=100_000)}


def test_files_that_nobody_had_yet_are_not_there(tmp_path: Path) -> None:
    files = {
        "sales/a.csv": table(0, 3),
        "sales/b.csv": table(5, 10),
        "sales/c.csv": table(10, 20),
        "sales/d.csv": "date,n\n",
    }
    made = project(tmp_path, 'kind = "file"\npath = "sales"', files)
    found = past(made)
    assert seen(made, found, DAYS[0]) == {"a.csv": table(0, 3), "b.csv": table(5, 7)}
    assert seen(made, found, DAYS[1]) == {"a.csv": table(0, 3), "b.csv": table(5, 10), "c.csv": table(10, 14)}


def test_many_small_files_in_packs(tmp_path: Path) -> None:
    files = {f"sales/{n:03d}.csv": table(n, n + 2) for n in range(100)}
    made = project(tmp_path, 'kind = "file"\npath = "sales"', files)
    assert seen(made, past(made), DAYS[0]) == {
        **{f"{n:03d}.csv": table(n, n + 2) for n in range(6)}, "006.csv": table(6, 7),
    }  # fmt: skip


def test_a_day_after_everything_is_what_the_source_holds_now(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"', {"sales.csv": table(0, 30)})
    today = dt.date(2020, 2, 1)
    from lockgate.delivery.sources.seeing import see

    assert past(made, days=[today]).sources[today]["sales"].identity == see(made, now_ns=NOW_NS)["sales"].identity


def test_a_declared_column_goes_before_the_states(tmp_path: Path) -> None:
    text = "date,known\n2020-01-01,2020-01-10\n2020-01-02,2020-01-03\n"
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"\ndate = "known"', {"sales.csv": text})
    assert seen(made, past(made), DAYS[0]) == {"sales.csv": "date,known\n2020-01-02,2020-01-03\n"}


def test_a_timeless_source_is_the_same_on_every_day(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "facts.json"\ntimeless = true', {"facts.json": "{}"})
    found = past(made)
    assert [seen(made, found, d) for d in DAYS] == [{"facts.json": "{}"}] * 2
    assert found.shown == {"sales": "the same on every day"}


@pytest.mark.parametrize(
    ("source", "files", "said"),
    [
        ('kind = "file"\npath = "s.csv"', {"s.csv": "day,n\n2020-01-01,1\n"}, "s.csv has the columns day, n"),
        ('kind = "file"\npath = "s.csv"\ndate = "dat"', {"s.csv": "date,n\n2020-01-01,1\n"}, "column dat is in no file"),
        ('kind = "file"\npath = "s.json"', {"s.json": '{"date": 1}'}, "s.json has the columns"),
        ('kind = "file"\npath = "s.parquet"', {"s.parquet": "PAR1\x00\x15"}, "s.parquet is no CSV table"),
        ('kind = "file"\npath = "d"', {"d/a.csv": "date\n2020-01-01\n", "d/b.csv": "day\n2020-01-01\n"}, "b.csv has the columns day"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused_with_what_to_declare(
    tmp_path: Path, source: str, files: Mapping[str, str], said: str
) -> None:
    made = project(tmp_path, source, files)
    with pytest.raises(UsageError) as refused:
        past(made)
    assert said in str(refused.value)
    assert 'date = "COLUMN"' in refused.value.allowed
    assert "timeless = true" in refused.value.allowed


def test_rows_of_a_database_are_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table sales (id integer, date text)")
    made = project(tmp_path, 'kind = "sqlite"\npath = "shop.db"\nquery = "select * from sales"\nwatermark = "id"', {})
    with pytest.raises(UsageError, match="rows of a database"):
        past(made)


def test_a_day_before_the_data_is_refused_with_the_first_one(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"', {"sales.csv": table(0, 30)})
    with pytest.raises(NotFound) as refused:
        past(made, days=[FIRST, *DAYS])
    assert refused.value.value == "2020-01-01"
    assert "2020-01-01" in refused.value.allowed


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    made = project(tmp_path, 'kind = "file"\npath = "sales.csv"', {})
    with pytest.raises(NotFound, match="a source is not there"):
        past(made)
