"""Rates of yes-or-no answers per group from their counts: group × truth × answer is all that a resample needs.

Drawing n rows with replacement is drawing one multinomial of the cells (the counts bootstrap). Ten thousand resamples
of all rates in ten groups take a tenth of a second, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import UsageError, did_you_mean
from lockgate.evaluation.resampling import REPLICATES, SEED
from lockgate.evaluation.scored import Scored

__all__ = ["RATES", "Counts", "counts_of", "rates_by_group", "resampled_rates"]

Floats = NDArray[np.float64]
NO, YES = 0, 1
Cells = Sequence[tuple[int, int]]
ALL: Cells = ((NO, NO), (NO, YES), (YES, NO), (YES, YES))

RATES: Mapping[str, tuple[Cells, Cells]] = {
    "base_rate": (((YES, NO), (YES, YES)), ALL),
    "selection_rate": (((NO, YES), (YES, YES)), ALL),
    "accuracy": (((NO, NO), (YES, YES)), ALL),
    "tpr": (((YES, YES),), ((YES, NO), (YES, YES))),
    "fpr": (((NO, YES),), ((NO, NO), (NO, YES))),
    "fnr": (((YES, NO),), ((YES, NO), (YES, YES))),
    "tnr": (((NO, NO),), ((NO, NO), (NO, YES))),
    "ppv": (((YES, YES),), ((NO, YES), (YES, YES))),
    "npv": (((NO, NO),), ((NO, NO), (YES, NO))),
}
"""Rate → cells (truth, answer) that are counted, and those among which they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows per group, truth and answer, shape (groups, 2, 2)."""

    names: tuple[str, ...]
    cells: NDArray[np.int64]


def counts_of(scored: Scored, by: str) -> Counts:
    """Count independent rows. Raises UsageError when truth or answer is not 0 or 1 in a row."""
    names, group = scored.groups(by)
    truth, answer = scored.role("truth"), scored.role("answer")
    for values, role in ((truth, "truth"), (answer, "answer")):
        if why := scored.complain((values != 0) & (values != 1), "another number than 0 or 1", role):
            raise UsageError("only yes-or-no answers can be counted", value=why)
    slot = group * 4 + truth.astype(np.int64) * 2 + answer.astype(np.int64)
    cells = np.bincount(slot, minlength=4 * len(names)).reshape(len(names), 2, 2)
    return Counts(names=tuple(names.tolist()), cells=cells)


def rates_by_group(cells: NDArray[np.int64] | Floats, rate: str) -> Floats:
    """One rate of each group (the axis before the last two); NaN where there is none to count among.

    >>> rates_by_group(np.array([[[2681, 1282], [1216, 2035]]]), "fpr").round(4).tolist()
    [0.3235]
    """
    if rate not in RATES:
        raise UsageError("no such rate", value=rate, allowed=did_you_mean(rate, RATES))
    counted, among = (sum(cells[..., t, a] for t, a in part) for part in RATES[rate])
    with np.errstate(all="ignore"):
        return np.where(np.asarray(among) > 0, counted / np.asarray(among, dtype=np.float64), nan)


def resampled_rates(
    counts: Counts, rates: Sequence[str], *, replicates: int = REPLICATES, seed: int = SEED
) -> dict[str, Floats]:
    """Rate → its value per resample and group, shape (replicates, groups).

    Percentiles of these are for looking at spread; at 0 and 1 they show none, so gates use `group_gaps`.
    """
    flat = counts.cells.reshape(-1)
    total = int(flat.sum())
    if not total:
        return {rate: np.full((replicates, len(counts.names)), nan) for rate in rates}
    drawn = np.random.default_rng(seed).multinomial(total, flat / total, size=replicates)
    cells = drawn.reshape(replicates, len(counts.names), 2, 2)
    return {rate: rates_by_group(cells, rate) for rate in rates}
