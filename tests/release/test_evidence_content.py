"""What the evidence page is filled with: summary numbers, cautions, changes, the groups' own sentences."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lockgate.delivery.evidence.cautions import cautions
from lockgate.delivery.comparison.changes import changes
from lockgate.errors import UsageError
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.summary import summary
from lockgate.gates.evidence.interval_coverage import evidence as coverage_evidence
from lockgate.project import read_settings
from lockgate.records.evidence import Estimate, Evidence, Verdict

PROJECT = '[project]\nname = "demand"\npipelines = ["demand.pipelines"]\n'


def table(days: int = 20, per_day: int = 40) -> Scored:
    """Half the rows asked a week ahead, a few a month ahead; the interval serves group `b` badly."""
    random = np.random.default_rng(3)
    rows = days * per_day
    date = np.repeat(np.arange("2011-10-01", days, dtype="datetime64[D]"), per_day)
    ahead = np.where(date < np.datetime64("2011-10-03"), 30, 5)
    truth = random.gamma(4.0, 5.0, rows) * np.repeat(random.uniform(0.7, 1.3, days), per_day)
    group = np.where(np.arange(rows) % 4 == 0, "b", "a")
    reach = np.where(group == "b", 1.0, 15.0)
    return Scored(
        columns={
            "date": date, "as_of": date - ahead, "actual": truth, "units": np.full(rows, 18.0), "low": 20.0 - reach,
            "high": 20.0 + reach, "band": group, "new": np.where(np.arange(rows) % 2 == 0, "yes", "no"),
        },
        truth="actual", answer="units", day="date", low="low", high="high",
    )  # fmt: skip


def test_coverage_is_one_number_with_one_margin() -> None:
    scored = table()
    shown = summary(scored, ["band", "new"])["coverage"]
    check = coverage_evidence(scored).statistic
    assert [(g["by"], g["group"]) for g in shown] == [
        ("all", "all answers"),
        ("band", "a"),
        ("band", "b"),
        ("new", "no"),
        ("new", "yes"),
    ]
    assert (shown[0]["estimate"]["value"], shown[0]["estimate"]["low"], shown[0]["estimate"]["high"]) == (
        check.value,
        check.low,
        check.high,
    )
    assert all(g["estimate"]["blocks"] == 20 for g in shown)


def test_few_days_have_no_interval() -> None:
    near, far = (g["estimate"] for g in summary(table())["by_horizon"])
    assert (far["low"], far["high"], far["why"]) == (None, None, "too few days (2) to say how sure")
    assert far["n"] == 80
    assert near["low"] is not None


def manifest(*, as_of: str = "2011-10-29", dirty: bool = False, lock: str = "", **lineage: Any) -> Any:
    fields = {"dirty": dirty, "sources": {}, "parameters": {}, "extra": {}, **lineage}
    return SimpleNamespace(
        digest="sha256:0123456789ab",
        as_of=as_of,
        lock="lock.txt",
        files=[SimpleNamespace(path="lock.txt", blake3=lock)],
        lineage=SimpleNamespace(**fields),
        predictor=SimpleNamespace(request=(), state={}),
        inputs={},
    )


def judged(tolerance: str = "0.05") -> tuple[Verdict, ...]:
    return (
        Verdict(
            gate="c",
            kind="interval_coverage",
            outcome="pass",
            reason="",
            threshold={"nominal": "0.8", "tolerance": tolerance},
        ),
    )


def test_cautions() -> None:
    found = cautions(manifest(dirty=True), summary(table(), ["band", "new"]), judged())
    assert "in no commit that a colleague could review" in found[0]
    assert found[1].startswith("Added up over 20 days the forecast is ")
    assert "below what happened" in found[1]
    assert found[2].startswith("Intervals are too narrow for one group (band: b):")
    assert "75% to 85% is allowed" in found[2]


def test_a_group_whose_coverage_falls_short_is_warned_of_although_its_interval_touches_what_is_allowed() -> None:
    def found(value: str, low: str, high: str) -> tuple[str, ...]:
        estimate = {"name": "coverage", "value": value, "low": low, "high": high, "unit": "share", "n": 308}
        return cautions(manifest(), {"coverage": [{"by": "new", "group": "true", "estimate": estimate}]}, judged())

    assert "one group (new): 68.8% of its truths" in found("0.6883", "0.6223", "0.7543")[0]
    assert found("0.70", "0.58", "0.82") == ()  # too few rows to say: what is promised is in the interval
    assert found("0.77", "0.76", "0.78") == ()  # inside what is allowed


def test_nothing_to_be_careful_about() -> None:
    days = [{"date": "2011-10-01", "actual": 100.0, "forecast": 96.0}]
    assert cautions(manifest(), {"days": days}, judged()) == ()
    assert cautions(manifest(), {}, ()) == ()
    assert cautions(manifest(), {"days": [{"date": "2011-10-01", "actual": 0.0, "forecast": 9.0}]}, ()) == ()


def test_a_side_that_is_mostly_missed_is_said() -> None:
    every = {"by": "all", "group": "all rows", "right_yes": 1164, "wrong_yes": 137, "right_no": 22, "wrong_no": 7}
    found = cautions(manifest(), {"decided": [every]}, ())
    assert found == ("Of 159 requests that came out as a no, 137 (86%) are answered yes.",)
    assert cautions(manifest(), {"decided": [{**every, "wrong_yes": 60, "right_no": 99}]}, ()) == ()


class Locks:
    """A project whose store holds lock files under their own text."""

    def __init__(self, folder: Any) -> None:
        self.store, self.folder = self, folder

    def get(self, text: str) -> Any:
        path = self.folder / "lock.txt"
        path.write_text(text)
        return path


def champion() -> Evidence:
    ours, theirs = (
        Estimate(name=n, value=v, low="0.6", high="0.8", unit="share")
        for n, v in (("wape", "0.692"), ("wape_of_champion", "0.703"))
    )
    paired = Estimate(name="relative_difference", value="-0.016", low="-0.025", high="-0.0068", unit="share")
    return Evidence(gate="champion", kind="champion", statistic=paired, also=(ours, theirs), params={"better": "lower"})


def test_changes_in_words(tmp_path: Any) -> None:
    before = manifest(as_of="2011-10-22", lock="numpy==1.0\n", sources={"sales": "blake3:aa"}, parameters={"train": {"rounds": 80}},
                      extra={"definitions": {"demand.train.fit": "blake3:11"}})  # fmt: skip
    now = manifest(lock="numpy==1.1\nlockgate==0\n", sources={"sales": "blake3:bb"}, parameters={"train": {"rounds": 90}},
                   extra={"definitions": {"demand.train.fit": "blake3:22"}})  # fmt: skip
    found = changes(Locks(tmp_path), now, before, champion())  # type: ignore[arg-type]
    assert [(c.kind, c.what, c.before, c.after, c.is_digest) for c in found[:-1]] == [
        ("data", "last day known", "21 October 2011", "28 October 2011", False),
        ("data", "source sales", "aa", "bb", True),
        ("code", "demand.train.fit", "11", "22", True),
        ("parameters", "train.rounds", "80", "90", False),
        ("packages", "numpy", "1.0", "1.1", False),
    ]
    assert found[0].words == "a week more: known up to 28 October 2011 instead of 21 October 2011"
    words = "on the same rows, both answering as they would today: WAPE 70.3% → 69.2%, a paired comparison says 0.7% to 2.5% better"
    assert found[-1].words == words
    assert changes(Locks(tmp_path), now, None, champion()) == ()  # type: ignore[arg-type]


def test_lockgate_counts_by_a_published_version(tmp_path: Any) -> None:
    found = changes(Locks(tmp_path), manifest(lock="lockgate==1.1.0\n"), manifest(lock="lockgate==1.0.0\n"), None)  # type: ignore[arg-type]
    assert [(c.before, c.after) for c in found] == [("1.0.0", "1.1.0")]


@pytest.mark.parametrize(
    ("days", "words"), [(1, "a day more"), (3, "3 days more"), (14, "2 weeks more"), (-7, "a week less")]
)
def test_how_much_more_is_known(tmp_path: Any, days: int, words: str) -> None:
    later = dt.date(2011, 10, 22) + dt.timedelta(days=days)
    found = changes(Locks(tmp_path), manifest(as_of=later.isoformat()), manifest(as_of="2011-10-22"), None)  # type: ignore[arg-type]
    assert found[0].words.startswith(words + ": known up to")


def test_groups_are_explained_in_the_settings() -> None:
    assert read_settings(PROJECT + '[groups]\nnew = "Young products."').groups == {"new": "Young products."}
    assert read_settings(PROJECT).groups == {}
    with pytest.raises(UsageError, match="wrong groups.new"):
        read_settings(PROJECT + "[groups]\nnew = 3")
