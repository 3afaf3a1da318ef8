"""Errors of a wage equation by sex, to the published digits: governance.md §5.7, `wage1` of Wooldridge (2019)."""

import io

import numpy as np
import polars as pl
import pytest

from lockgate import gates
from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.scored import Scored
from lockgate.testing.gates import measure, verdict

CAUSES = ("educ", "exper", "tenure")


@pytest.fixture(scope="module")
def answered(wage1: bytes) -> tuple[Scored, np.ndarray]:
    """Least squares of log wage on schooling, experience and tenure, on the rows it was fitted on; and its coefficients."""
    table = pl.read_csv(io.BytesIO(wage1))
    design = np.column_stack([np.ones(table.height), *(table[cause].to_numpy() for cause in CAUSES)])
    truth = table["lwage"].to_numpy().astype(np.float64)
    coefficients = np.linalg.lstsq(design, truth, rcond=None)[0]
    sex = np.where(table["female"].to_numpy() == 1, "female", "male")
    columns = {"lwage": truth, "said": design @ coefficients, "sex": sex}
    return Scored(columns=columns, truth="lwage", answer="said"), coefficients


def test_the_equation(answered: tuple[Scored, np.ndarray]) -> None:
    assert answered[1].round(4).tolist() == [0.2844, 0.0920, 0.0041, 0.0221]


def test_bias_and_error_by_sex(answered: tuple[Scored, np.ndarray]) -> None:
    scored, _ = answered
    sides = {sex: scored.subset(scored.column("sex") == sex) for sex in ("male", "female")}
    found = {sex: [round(metric_named(name).value(side), 4) for name in ("bias", "mae")] for sex, side in sides.items()}
    assert found == {"male": [-0.1371, 0.3510], "female": [0.1490, 0.3388]}


def test_the_gates_see_that_women_are_predicted_too_much(answered: tuple[Scored, np.ndarray]) -> None:
    """On average nothing is wrong: least squares has no bias at all. By sex, each is off by some 14 % of a wage."""
    scored, _ = answered
    assert abs(metric_named("bias").value(scored)) < 1e-9

    def said(limit: float) -> str:
        gate = gates.group_bias(["sex"], limit, relative=False)
        return verdict(gate, measure(gate, {"scored": scored})).outcome

    assert [said(0.05), said(0.14), said(0.25)] == ["fail", "uncertain", "pass"]
