"""A result that was made in several ways accuses nobody as long as one of them is what the lineage says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.delivery.reproduction.records_held import Made, contradictions
from lockgate.release.training_lock import Locked


def made(rate: float, source: str, package: str) -> Made:
    return Made(object="", inputs={"rows": source}, parameters={"rate": rate}, packages=(package,), machine={})


RELEASE: Any = SimpleNamespace(lineage=SimpleNamespace(sources={"sales": "s1"}, parameters={"model": {"rate": 0.5}}))
REBUILT: Any = SimpleNamespace(
    inputs={"model": {"rows": "source:sales"}}, locked=(Locked(name="polars", version="2.0"),)
)
TRUE = made(0.5, "s1", "polars==2.0")
OTHERS = [made(0.7, "s2", "polars==1.0"), made(0.7, "s1", "polars==2.0")]


@pytest.mark.parametrize("records", [[TRUE, *OTHERS], [*OTHERS, TRUE], [OTHERS[0], TRUE, OTHERS[1]]])
def test_one_record_that_agrees_is_enough(records: list[Made]) -> None:
    assert contradictions(RELEASE, "model", records, REBUILT) == ()


def test_without_one_the_nearest_speaks() -> None:
    assert contradictions(RELEASE, "model", OTHERS, REBUILT) == (
        "parameter rate: the lineage says 0.5, it was made with 0.7",
    )
    assert contradictions(RELEASE, "model", (), REBUILT) == ()
