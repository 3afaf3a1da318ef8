"""Several intervals that hold all at once: how far each must reach.

Among many groups one always looks bad by chance. Widening each interval from z = 1.96 to a common `reach` makes all of
them hold together as often as one is promised to. The reach is the quantile of the largest |t| over all (max-t: Hothorn,
Bretz and Westfall, Biometrical Journal 50, 2008). It takes from the data how the estimates go together, so two groups
that are each other's mirror image count as one. It is never beyond Šidák's, which takes them as independent.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = ["level_of", "reach_of", "sidak"]

Floats = NDArray[np.float64]
DRAWS = 10_000
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
    return 2 * NormalDist().cdf(reach) - 1


def reach_of(influence: Floats, *, level: float = 0.95, units: int = 0, seed: int = 20261101) -> float:
    """How many standard errors joint intervals reach to either side.

    Args:
        influence: what each block adds to the error of each estimate, shape (blocks, estimates); a column of zeros (no
            spread was seen) is taken as independent of the others.
        units: days or clusters behind the standard errors, which few of them leave uncertain (Student's t with
            `units` - 1 degrees of freedom); 0: rows, whose errors are known.

    >>> mirrored = np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, -0.5]])
    >>> round(reach_of(mirrored), 3), round(reach_of(mirrored[:, :1]), 3)
    (1.96, 1.96)
    """
    correlation = _distinct(_correlation(influence))
    number = len(correlation)
    if number <= 1:
        return _single(level, units)
    random = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(correlation)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))
    largest = np.abs(random.standard_normal((DRAWS, number)) @ roots.T).max(axis=1)
    if units > 1:
        largest = largest / np.sqrt(random.chisquare(units - 1, DRAWS) / (units - 1))
    found = float(np.quantile(largest, level, method="higher"))
    return min(max(found, _single(level, units)), _single(sidak(level, number), units))


def _single(level: float, units: int) -> float:
    if units > 1:
        from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]  lazy: only blocks need it

        return float(stdtrit(units - 1, (1 + level) / 2))
    return NormalDist().inv_cdf((1 + level) / 2)


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
