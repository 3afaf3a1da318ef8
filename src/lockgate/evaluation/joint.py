"""Several intervals that hold all at once: how far each must reach.

Among many groups one always looks bad by chance. Widening each interval from z = 1.96 to a common `reach` makes all of
them hold together as often as one is promised to. The reach is the quantile of the largest |t| over all (max-t: Hothorn,
Bretz and Westfall, Biometrical Journal 50, 2008). It takes from the data how the estimates go together, so two groups
that are each other's mirror image count as one. It is never beyond Šidák's, which takes them as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.verdict_chances import reach_of

__all__ = ["SUREST", "level_of", "reaches", "sidak"]

Floats = NDArray[np.float64]
DRAWS = 10_000
SUREST = 1 - 1e-15  # beyond this a number cannot tell a level from certainty
ALIKE = 1 - 1e-9  # correlations beyond this are one and the same comparison


def sidak(level: float, number: int) -> float:
    """The level that each of `number` intervals needs, so that all hold at once with `level` (Šidák 1967).

    >>> round(sidak(0.95, 1), 4), round(sidak(0.95, 20), 4)
    (0.95, 0.9974)
    """
    return level ** (1 / max(1, number))


def level_of(reach: float) -> float:
    """The level of a single normal interval that reaches so many standard errors.

    >>> round(level_of(1.959964), 4)
    0.95
    """
    return min(2 * NormalDist().cdf(reach) - 1, SUREST)


def reaches(
    influence: Floats, *, level: float = 0.95, freedom: Sequence[float] = (), seed: int = 20261101
) -> list[float]:
    """How many standard errors each of these joint intervals reaches to either side.

    All need one level, which the normal distribution tells; few days or clusters behind an estimate leave its own error
    uncertain, so that it reaches further at that level (Student's t), and the others do not.

    Args:
        influence: what each block adds to the error of each estimate, shape (blocks, estimates); a column of zeros (no
            spread was seen) is taken as independent of the others.
        freedom: degrees of freedom of each standard error; none: rows, whose errors are known.

    >>> mirrored = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5]])
    >>> [round(r, 3) for r in reaches(mirrored)], [round(r, 3) for r in reaches(mirrored, freedom=[7, 200])]
    ([1.96, 1.96], [2.365, 1.972])
    """
    common = _common(_distinct(_correlation(influence)), level, seed)
    if not len(freedom):
        return [common] * influence.shape[1]
    each = {f: max(common, reach_of(level_of(common), freedom=f)) for f in set(freedom)}
    return [each[f] for f in freedom]


def _common(correlation: Floats, level: float, seed: int) -> float:
    """The reach of all, if no error were in doubt."""
    number = len(correlation)
    if number <= 1:
        return reach_of(level)
    random = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(correlation)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))
    largest = np.abs(random.standard_normal((DRAWS, number)) @ roots.T).max(axis=1)
    found = float(np.quantile(largest, level, method="higher"))
    return min(max(found, reach_of(level)), reach_of(sidak(level, number)))


def _correlation(influence: Floats) -> Floats:
    size = np.sqrt((influence**2).sum(0))
    scaled = influence / np.where(size > 0, size, 1.0)
    found = scaled.T @ scaled
    np.fill_diagonal(found, 1.0)
    return found


def _distinct(correlation: Floats) -> Floats:
    """Without the estimates that say the same as one before, or the opposite."""
    kept = list[int]()
    for at in range(len(correlation)):
        if not kept or np.abs(correlation[at, kept]).max() < ALIKE:
            kept.append(at)
    return correlation[np.ix_(kept, kept)]
