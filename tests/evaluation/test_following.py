"""What followed a day: only what was asked from then on, about days before the end; the same rows on both sides."""

from __future__ import annotations

import numpy as np

from lockgate.evaluation.following import followed
from lockgate.evaluation.scored import Scored


def table(answers: list[float], *, simple: float = 3.0) -> Scored:
    """One question a day for 12 days, asked on the first, of which the truth is 2; and the same asked a week before."""
    days = np.arange("2011-10-01", "2011-10-13", dtype="datetime64[D]")
    origins = np.repeat(np.array(["2011-10-01", "2011-09-24"], "datetime64[D]"), 12)
    rows = {
        "date": np.tile(days, 2), "as_of": origins, "actual": np.full(24, 2.0), "best_simple": np.full(24, simple),
        "units": np.array([*answers, *([99.0] * 12)]), "product": np.full(24, "a"),
    }  # fmt: skip
    return Scored(columns=rows, truth="actual", answer="units", day="date", keys=("product", "date"))


def test_only_what_is_asked_from_the_day_on_about_days_before_the_end_counts() -> None:
    ours = table([2.0] * 7 + [50.0] * 5)
    found = followed(ours, since="2011-10-01", until="2011-10-08", metric="wape")
    assert (found["rows"], found["days"], found["first"], found["last"]) == (7, 7, "2011-10-01", "2011-10-07")
    assert found["ours"]["value"] == "0"
    assert found["against"] == ""
    later = followed(ours, since="2011-10-01", until="2011-10-09", metric="mae")
    assert later["ours"]["value"] == "6"  # 48 off on one of 8 days


def test_it_is_held_against_what_was_live_on_the_same_rows() -> None:
    found = followed(
        table([1.0] * 12),
        table([0.0] * 12),
        since="2011-10-01",
        until="2011-11-01",
        metric="wape",
        baseline="best_simple",
    )
    assert (found["against"], found["ours"]["value"], found["theirs"]["value"]) == ("live", "0.5", "1")
    assert found["relative"]["value"] == "-0.5"


def test_where_nothing_was_live_it_is_held_against_the_simple_method() -> None:
    found = followed(table([2.5] * 12), since="2011-10-01", until="2011-11-01", metric="wape", baseline="best_simple")
    assert (found["against"], found["theirs"]["value"], found["relative"]["value"]) == ("baseline", "0.5", "-0.5")
    assert (
        followed(table([2.5] * 12), since="2011-10-01", until="2011-11-01", metric="wape", baseline="none")["against"]
        == ""
    )


def test_what_nobody_asked_is_no_number() -> None:
    assert followed(table([2.0] * 12), since="2011-10-02", until="2011-11-01", metric="wape") == {
        "rows": 0, "days": 0, "first": "", "last": "",
    }  # fmt: skip


def test_a_missing_answer_is_said_and_hides_nothing() -> None:
    broken = table([2.0] * 11 + [float("nan")])
    found = followed(broken, table([1.0] * 12), since="2011-10-01", until="2011-11-01", metric="wape")
    assert found["ours"]["value"] is None
    assert found["relative"]["value"] is None
    assert "no number" in found["relative"]["why"]
