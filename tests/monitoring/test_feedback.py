"""Labels meet answers by the request's fields or by the answer's id; a decision is counted, not averaged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from lockgate.monitoring.feedback import Joined, as_text, join, score
from lockgate.records.digest import Json
from lockgate.records.prediction import Prediction

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)


def served(number: int, inputs: Mapping[str, Json], output: Mapping[str, Json]) -> Prediction:
    return Prediction(request_id=f"id-{number}", time=NOW, release="sha256:r", environment="production", as_of="2026-01-05",
                      inputs=dict(inputs), output=dict(output), note=None)  # fmt: skip


SAME = {"income": 64.0, "jobs": 2, "owner": False, "savings": None}


def test_numbers_and_truths_meet_whatever_way_a_file_writes_them() -> None:
    answers = [served(1, SAME, {"approve": True})]
    labels = {(as_text(64), as_text(2.0), "false", ""): 1.0}
    assert [j.actual for j in join(answers, labels, keys=["income", "jobs", "owner", "savings"])] == [1.0]
    assert as_text("007") == "007"  # a code is no number


def test_two_people_who_asked_the_same_are_told_apart_by_the_answer_s_id() -> None:
    answers = [served(1, SAME, {"approve": True}), served(2, SAME, {"approve": True})]
    joined = join(answers, {("id-1",): 1.0, ("id-2",): 0.0}, keys=["request_id"])
    assert [j.actual for j in joined] == [1.0, 0.0]
    assert len(join(answers, {("64.0",): 1.0}, keys=["income"])) == 1


def test_an_answer_without_an_interval_covers_nothing_and_misses_nothing() -> None:
    joined = [Joined(prediction=served(n, SAME, {"approve": n > 1}), actual=1.0) for n in (1, 2, 3)]
    found = score(joined, answers=3, answer="approve")
    assert (found.absolute_error, found.coverage) == (1.0, None)
    ranged = [Joined(prediction=served(1, SAME, {"units": 3.0, "low": 1.0, "high": 4.0}), actual=4.0)]
    assert score(ranged, answers=1, answer="units").coverage == 1.0
