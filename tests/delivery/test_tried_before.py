"""What is suspected is found by trying: whatever alone changes a result is what gets named."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.delivery.reproduction.other_circumstances import THREADS, suspect

SWITCHES = {
    "the order of a set": "PYTHONHASHSEED",
    "the date": "LOCKGATE_CLOCK",
    "the number of threads": "OMP_NUM_THREADS",
}


@given(st.sets(st.sampled_from(sorted(SWITCHES))))
def test_exactly_the_switches_that_matter_are_named(mattering: set[str]) -> None:
    def attempt(environment: Mapping[str, str]) -> str:
        return repr([environment.get(SWITCHES[words]) for words in sorted(mattering)])

    found = suspect(attempt({}), attempt)
    assert {words for words in SWITCHES if words in found} == mattering
    assert bool(found) == bool(mattering)


@pytest.mark.parametrize(("calm", "words"), [(None, "random numbers"), ("still", "the time"), ("threads", "threads")])
def test_a_step_that_does_not_agree_with_itself(calm: str | None, words: str) -> None:
    numbers = itertools.count()

    def attempt(environment: Mapping[str, str]) -> str:
        still = environment.get("LOCKGATE_CLOCK", "").startswith("still")
        one = all(environment.get(name) == "1" for name in THREADS)
        return "calm" if (calm == "still" and still) or (calm == "threads" and one) else str(next(numbers))

    assert suspect("first", attempt).startswith(words)
