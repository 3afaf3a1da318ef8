"""Yes and no, right and wrong: counted by group."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lockgate.evaluation.decided import decided
from lockgate.evaluation.scored import Scored
from lockgate.records.pack import Decided, Pack
from lockgate.records.wire import from_json
from lockgate.release.evidence_page import render

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


def test_the_page_counts_mistakes_of_both_kinds() -> None:
    pack = from_json(Pack, json.loads((GOLDEN / "evidence_pack.json").read_text("utf-8")))
    text = re.sub(r"<[^>]+>", " ", render(dataclasses.replace(pack, decided=(LENT,))))
    assert "Which mistakes does it make?" in text
    assert re.search(r"all rows\s+1,330\s+1,301\s+137 of 159\s+7 of 1,171", text)
