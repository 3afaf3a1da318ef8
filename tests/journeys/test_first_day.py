"""The mistakes of a first day with a folder of CSV files: each is answered in words that name the thing and what to do."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from journeys.walking import FAILED, USAGE, WIDTH, Lockgate

TOML = """\
[project]
name = "mine"
pipelines = ["steps"]

[sources.sales]
kind = "file"
path = "data"
"""
STEPS = """\
import polars as pl
from lockgate import Pipeline, step


@step
def clean(sales: pl.DataFrame) -> pl.DataFrame:
    return sales.drop_nulls()


@step
def daily(clean: pl.DataFrame) -> pl.DataFrame:
    return clean.group_by("day").agg(pl.col("amount").sum()).sort("day")


mine = Pipeline("mine", kind="data", steps=[clean, daily])
"""


@pytest.fixture
def lockgate(tmp_path: Path) -> Lockgate:
    (tmp_path / "data" / "old").mkdir(parents=True)
    for name, text in {
        "lockgate.toml": TOML,
        "steps.py": STEPS,
        "data/a.csv": "day,amount\n2030-01-01,10\n",
        "data/old/b.csv": "day,amount\n2030-01-02,5\n",
    }.items():
        (tmp_path / name).write_text(text)
    made = Lockgate(tmp_path)
    made("init", "--person", "ada")
    return made


@pytest.mark.parametrize(
    ("name", "data", "said", "helps"),
    [
        ("a.csv", b"day,amount\n2030-01-01,3,4\n", "a file cannot be read as a table: a.csv: ", "mend a.csv"),
        ("old/b.csv", b"", "a file cannot be read as a table: old/b.csv: empty CSV", "mend old/b.csv"),
        ("a.csv", b"day;amount\n2030-01-01;3\n", "two files of a folder have unlike columns", "mend a.csv or old/b.csv"),
        ("a.csv", b"day,amount\n2030-01-01,x\n", "amount: String in a.csv, Int64 in old/b.csv", "mend a.csv or old/b.csv"),
        ("c.parquet", b"no", "a file cannot be read as a table: c.parquet: ", "mend c.parquet"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_named(lockgate: Lockgate, name: str, data: bytes, said: str, helps: str) -> None:
    (lockgate.root / "data" / name).write_bytes(data)
    done = lockgate("run", expect=FAILED)
    assert said in done.err
    assert helps in done.err
    assert "Path" in done.err or "same names" in done.err


def test_a_single_file_that_is_no_table_is_named(lockgate: Lockgate) -> None:
    (lockgate.root / "lockgate.toml").write_text(TOML.replace('"data"', '"data/a.csv"'))
    (lockgate.root / "data" / "a.csv").write_bytes(b"")
    assert "a file cannot be read as a table: a.csv: empty CSV" in lockgate("run", expect=FAILED).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "daily"), "next:    lockgate run --to daily"),
        (("show", "dayly"), "no such step: dayly\n  allowed: daily?"),
        (("show", "sales"), "lockgate data log sales"),
        (("status",), "this project has no delivery pipeline, so no releases: mine"),
        (("releases",), "declare one in a module of [project] pipelines"),
        (("data", "lgo"), "allowed: log? (known: "),
        (("store", "x: 'y (choose from"), "invalid choice: x: 'y (choose from\n"),
        (("store", "gcc"), "invalid choice: gcc\n  allowed: gc?"),
        (("data", "add", "sale"), "allowed: sales?"),
    ],
)
def test_a_slip_is_answered_with_the_way_on(lockgate: Lockgate, arguments: tuple[str, ...], said: str) -> None:
    done = lockgate(*arguments, expect=USAGE)
    assert said in done.err
    assert all(len(line) <= WIDTH for line in done.err.splitlines())


def test_a_source_that_is_not_there_is_said_with_its_place(lockgate: Lockgate) -> None:
    (lockgate.root / "lockgate.toml").write_text(TOML.replace('"data"', '"dat"'))
    said = lockgate("data").out
    assert "next: nothing is at dat: put it there, or edit [sources.sales] in lockgate.toml" in said
    assert "edit path of [sources.sales]" in lockgate("data", "add", "sales", expect=USAGE).err
    (lockgate.root / "lockgate.toml").write_text(TOML.partition("[sources")[0])
    assert "next: declare [sources.NAME]" in lockgate("data").out
    assert "next:    declare [sources.sales]" in lockgate("data", "add", "sales", expect=USAGE).err


def test_a_file_that_still_settles_is_not_left_out_in_silence(lockgate: Lockgate) -> None:
    settings = TOML.replace('"file"', '"folder"') + 'settle = "{}"\n'
    (lockgate.root / "lockgate.toml").write_text(settings.format("0s"))
    assert "left out" not in lockgate("run").text
    (lockgate.root / "lockgate.toml").write_text(settings.format("1000s"))
    (lockgate.root / "data" / "c.csv").write_text("day,amount\n2030-01-03,1\n")
    assert "left out  3 files still settling in sales; next: lockgate run" in lockgate("run").err


def test_a_table_leaves_in_the_form_that_its_suffix_names(lockgate: Lockgate) -> None:
    lockgate("run")
    read = {
        "csv": pl.read_csv,
        "parquet": pl.read_parquet,
        "ndjson": pl.read_ndjson,
        "arrow": pl.read_ipc,
        "ipc": pl.read_ipc,
    }
    for suffix, reader in read.items():
        to = lockgate.root / f"daily.{suffix}"
        lockgate("show", "daily", "--to", str(to))
        assert reader(to)["amount"].to_list() == [10, 5]


def test_a_form_that_a_result_does_not_have_is_refused(lockgate: Lockgate) -> None:
    lockgate("run")
    done = lockgate("show", "daily", "--to", str(lockgate.root / "daily.json"), expect=USAGE)
    assert "cannot be written in such a form: daily.json\n  allowed: .arrow, .csv, .parquet, .ndjson" in done.err
    assert not (lockgate.root / "daily.json").exists()


def test_init_in_a_folder_of_a_project_asks_which_one_is_meant(lockgate: Lockgate) -> None:
    folder = Lockgate(lockgate.root / "data")
    done = folder("init", expect=USAGE)
    assert f"this folder belongs to a project already: {lockgate.root}" in done.err
    assert not (folder.root / "lockgate.toml").exists()
    folder("init", "own")
    assert (folder.root / "own" / "lockgate.toml").exists()


def test_a_missing_package_is_said_with_where_it_is_looked_for(lockgate: Lockgate) -> None:
    (lockgate.root / "steps.py").write_text("import nowhere_found\n" + STEPS)
    said = lockgate("plan", expect=USAGE).err
    assert (
        "No module named 'nowhere_found'\n  allowed: a module of the project, or of a package installed where" in said
    )
    assert "look at steps.py:1" in said


def test_a_message_names_a_file_with_its_folder(lockgate: Lockgate) -> None:
    (lockgate.root / "flows").mkdir()
    (lockgate.root / "flows" / "__init__.py").write_text("")
    (lockgate.root / "flows" / "daily.py").write_text(
        STEPS.replace("clean: pl", "clened: pl").replace("clean.group", "clened.group")
    )
    (lockgate.root / "lockgate.toml").write_text(TOML.replace('"steps"', '"flows.daily"'))
    assert "edit flows/daily.py:10" in lockgate("plan", expect=USAGE).err
