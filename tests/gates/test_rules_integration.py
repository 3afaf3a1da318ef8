"""The integration gate and consumers' contracts."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from lockgate import gates
from lockgate.errors import UsageError
from lockgate.testing.gates import measure, verdict
from lockgate.gates.served import Exchange, Served, read_contract

CONTRACT = {
    "consumer": "planner",
    "why": "fills the shelves",
    "requests": [{"product": "85123A", "date": {"days_after_as_of": 3}}],
    "response": {
        "units": {"type": "number", "minimum": 0, "maximum": 1000},
        "note": {"type": "string", "nullable": True},
    },
}


def served(answered: list[object], **more: object) -> Served:
    asked = tuple({"product": str(i)} for i in range(len(answered)))
    ours = tuple({"units": i + 0.1, "note": None} for i in range(len(answered)))
    return Served(requests=asked, evaluated=ours, answered=tuple(answered), **more)


def decide(given: Served, consumers: str | None = None):
    gate = gates.integration(consumers=consumers)
    return verdict(gate, measure(gate, {"served": given}))


def exchange(*problems: str, status: int = 200) -> Exchange:
    return Exchange(consumer="planner", request={}, status=status, answer={}, problems=problems)


def test_equal_answers_pass_and_the_envelope_may_hold_more():
    found = decide(served([{"units": 0.1, "note": None, "release": "sha256:1"}, {"units": 1.1, "note": None}]))
    assert found.outcome == "pass"
    assert found.reason == "All 2 answers over HTTP equal evaluation's; nobody consumes this release."


@pytest.mark.parametrize("answer", [None, {}, {"units": 0.1}, {"units": 0.1000000001, "note": None}])
def test_one_different_answer_fails(answer):
    found = decide(served([answer, {"units": 1.1, "note": None}]))
    assert found.outcome == "fail"
    assert found.reason.startswith("1 of 2 answers over HTTP differ")


def test_contracts_hold_break_or_are_missing():
    good = [{"units": 0.1, "note": None}]
    assert decide(served(good, exchanges=(exchange(),)), "consumers").outcome == "pass"
    broken = decide(served(good, exchanges=(exchange(), exchange("units is -1, below 0"))), "consumers")
    assert broken.outcome == "fail"
    assert "1 of 2 consumer examples break their contract (planner: units is -1, below 0)" in broken.reason
    assert "HTTP status 500" in decide(served(good, exchanges=(exchange(status=500),)), "consumers").reason
    assert "no consumer contract was found" in decide(served(good), "consumers").reason


def test_nothing_asked_and_answers_lost_fail():
    assert decide(served([])).outcome == "fail"
    lost = Served(requests=({}, {}), evaluated=({}, {}), answered=({},))
    assert decide(lost).outcome == "fail"


def test_a_contract_asks_relative_to_the_day():
    contract = read_contract(json.dumps(CONTRACT), where="planner.json")
    assert contract.requests_at(dt.date(2011, 10, 15)) == ({"product": "85123A", "date": "2011-10-18"},)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"units": 3, "note": None}, ()),
        ({"units": 3.5, "note": "x", "more": 1}, ()),
        ({"note": None}, ("units is missing",)),
        ({"units": None, "note": None}, ("units is null",)),
        ({"units": True, "note": None}, ("units is true, not a number",)),
        ({"units": float("nan"), "note": None}, ("units is NaN, not a number",)),
        ({"units": "3", "note": 1}, ('units is "3", not a number', "note is 1, not a string")),
        ({"units": 1001, "note": None}, ("units is 1001, above 1000",)),
        ("3", ('the answer is not an object but "3"',)),
        (None, ("the answer is not an object but null",)),
    ],
)
def test_what_an_answer_must_keep(answer, problem):
    assert read_contract(json.dumps(CONTRACT), where="planner.json").problems(answer) == problem


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({**CONTRACT, "respons": {}}),
        json.dumps({**CONTRACT, "requests": []}),
        json.dumps({**CONTRACT, "response": {}}),
        json.dumps({**CONTRACT, "response": {"units": {"type": "float"}}}),
        json.dumps({**CONTRACT, "response": {"units": {"type": "number", "min": 0}}}),
    ],
)
def test_a_contract_that_promises_nothing_clear_is_refused(text):
    with pytest.raises(UsageError):
        read_contract(text, where="planner.json")
