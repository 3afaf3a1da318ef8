"""Yes and no, right and wrong: counted by group, and held against the same answer for everybody."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lockgate.evaluation.decided import decided
from lockgate.evaluation.scored import Scored
from lockgate.records.evidence import Estimate
from lockgate.records.pack import Decided, Pack
from lockgate.records.wire import from_json
from lockgate.release.evidence_page import render
from lockgate.release.same_answer import same_answer, same_answer_is_as_good

GOLDEN = Path(__file__).parents[1] / "golden"
LENT = Decided(by="all", group="all rows", right_yes=1164, wrong_yes=137, right_no=22, wrong_no=7)
"""The lending example's third release: 88 of 100 lenders said yes, and it says yes to nearly everybody."""


def scored(truth: list[float], answer: list[float], race: list[str]) -> Scored:
    columns = {"y": np.array(truth), "yhat": np.array(answer), "race": np.array(race)}
    return Scored(columns=columns, truth="y", answer="yhat")


def test_each_answer_is_counted_once() -> None:
    table = scored([1, 1, 0, 0, 1], [1, 0, 1, 0, 1], ["a", "a", "a", "b", "b"])
    every, a, b = (from_json(Decided, d) for d in decided(table, ["race"]))
    assert every == Decided(by="all", group="all rows", right_yes=2, wrong_yes=1, right_no=1, wrong_no=1)
    assert (a.group, a.rows, a.wrong_yes, a.wrong_no) == ("a", 3, 1, 1)
    assert (b.group, b.rows, b.right_yes, b.right_no) == ("b", 2, 1, 1)
    assert [d["group"] for d in decided(table, ["race"], fewest=3)] == ["all rows", "a"]


@pytest.mark.parametrize("answer", [[0.3, 1, 1, 0, 1], [2, 1, 1, 0, 1], [float("nan"), 1, 1, 0, 1]])
def test_other_answers_are_no_decisions(answer: list[float]) -> None:
    assert decided(scored([1, 1, 0, 0, 1], answer, ["a"] * 5)) == []


@pytest.mark.parametrize(
    ("value", "low", "is_as_good"), [("0.892", "0.874", True), ("0.92", "0.90", False), ("0.795", None, True)]
)
def test_the_same_answer_for_everybody(value: str, low: str | None, is_as_good: bool) -> None:
    overall = Estimate(name="accuracy", value=value, low=low, high="0.95" if low else None, unit="share")
    assert same_answer_is_as_good(LENT, overall) == is_as_good
    said = same_answer(LENT, overall)
    assert said.startswith(
        "The same answer for everybody, yes, would be right for 88.0% of the 1,330 rows; this release is right for "
    )
    assert said.endswith("not shown to be better.") == is_as_good


def test_worse_than_the_same_answer_for_everybody_is_said() -> None:
    overall = Estimate(name="accuracy", value="0.795", low="0.774", high="0.817", unit="share")
    assert same_answer(LENT, overall).endswith("79.5%, between 77.4% and 81.7%: it is worse.")


def test_another_metric_is_not_held_against_it() -> None:
    overall = Estimate(name="brier", value="0.1", low="0.08", high="0.12")
    assert not same_answer_is_as_good(LENT, overall)
    assert same_answer(LENT, overall).endswith("of the 1,330 rows.")


def test_the_page_counts_mistakes_of_both_kinds() -> None:
    pack = from_json(Pack, json.loads((GOLDEN / "evidence_pack.json").read_text("utf-8")))
    text = re.sub(r"<[^>]+>", " ", render(dataclasses.replace(pack, decided=(LENT,))))
    assert "Which mistakes does it make?" in text
    assert re.search(r"all rows\s+1,330\s+1,301\s+137 of 159\s+7 of 1,171", text)
