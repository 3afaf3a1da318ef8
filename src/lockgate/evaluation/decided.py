"""Answers that are yes or no, counted by whether they were right: for all rows, and for each group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import Scored
from lockgate.records.digest import Json
from lockgate.records.pack import Decided
from lockgate.records.wire import to_json

__all__ = ["decided"]

YES_OR_NO = (0.0, 1.0)


def decided(scored: Scored, by: Sequence[str] = (), *, fewest: int = 1) -> list[Json]:
    """A `Decided` record of all rows first, then of each group of `by` with `fewest` rows or more; empty when answers are no decisions.

    Yes is 1 and no is 0, for truth and answer. A row without a truth or an answer makes a table one of no decisions.
    """
    truth, answer = scored.role("truth"), scored.role("answer")
    if not len(scored) or not all(np.isin(side, YES_OR_NO).all() for side in (truth, answer)):
        return []
    found = [_counted("all", "all rows", truth, answer)]
    for column in by:
        names, codes = scored.groups(column)
        for code, name in enumerate(names):
            there = codes == code
            if there.sum() >= fewest:
                found.append(_counted(column, str(name), truth[there], answer[there]))
    return [to_json(one) for one in found]


def _counted(by: str, group: str, truth: NDArray[np.float64], answer: NDArray[np.float64]) -> Decided:
    yes, said_yes = truth == 1, answer == 1
    return Decided(
        by=by, group=group,
        right_yes=int((yes & said_yes).sum()), wrong_yes=int((~yes & said_yes).sum()),
        right_no=int((~yes & ~said_yes).sum()), wrong_no=int((yes & ~said_yes).sum()),
    )  # fmt: skip
