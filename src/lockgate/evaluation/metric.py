"""The shape of a metric: a ratio of two sums over rows, raised to a power.

So the sums of each block are all that a resample needs, and ten thousand resamples are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lockgate.evaluation.scored import Scored

__all__ = ["SHARE", "Domain", "Floats", "Metric", "Terms", "floats", "ratio"]

Floats = NDArray[np.float64]
Terms = tuple[Floats, Floats]
Domain = Literal["yes_no", "probability", "positive"]
SHARE = (0.0, 1.0)
"""Bounds of a metric that counts: its top is part of its bottom, and both are 0 or 1 in every row."""


def floats(values: ArrayLike) -> Floats:
    """Numbers as float64; booleans become 0 and 1."""
    return np.asarray(values, dtype=np.float64)


def ratio(terms: Terms, power: float = 1.0) -> float:
    """Sum of the tops over the sum of the bottoms; NaN where the bottom is zero."""
    top, bottom = terms[0].sum(), terms[1].sum()
    return float((top / bottom) ** power) if bottom else float("nan")


DOMAINS: Mapping[Domain, tuple[str, Callable[[Floats], NDArray[np.bool_]]]] = {
    "yes_no": ("another number than 0 or 1", lambda x: (x == 0) | (x == 1)),
    "probability": ("a number outside of 0 to 1", lambda x: (x >= 0) & (x <= 1)),
    "positive": ("a number that is not above 0", lambda x: x > 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric by name: `(sum of top / sum of bottom) ** power`.

    Attributes:
        words: as a product owner reads it, inside a sentence.
        meaning: how it is computed, for somebody who never heard of it.
        function: arrays in the order of `inputs` → number.
        terms: the same arrays → per-row top and bottom.
        inputs: which columns of `Scored` it reads.
        better: where good is; `neither` has a target (coverage, bias), so it never decides which of two is better.
        bounds: what the value can be.
        unit: `share` is read in per cent; empty is the unit of the truth.
        domains: role → what its numbers must be: 0 or 1, between 0 and 1, above 0. Any finite number otherwise.
    """

    name: str
    words: str
    function: Callable[..., float]
    terms: Callable[..., Terms]
    inputs: tuple[str, ...] = ("truth", "answer")
    power: float = 1.0
    better: Literal["lower", "higher", "neither"] = "lower"
    bounds: tuple[float, float] = (0.0, inf)
    unit: str = ""
    meaning: str = ""
    domains: Mapping[str, Domain] = field(default_factory=dict[str, Domain])

    def complaint(self, scored: Scored) -> str:
        """Say in one sentence why this metric cannot be had of these rows, or nothing when it can."""
        if why := scored.complaint(*self.inputs):
            return why
        for role, domain in self.domains.items():
            lack, allowed = DOMAINS[domain]
            if why := scored.complain(~allowed(scored.role(role)), lack, role):
                return why
        with np.errstate(all="ignore"):
            sizes = [float(np.abs(term).sum()) for term in self.rows(scored)]
        return "" if np.isfinite([size * size for size in sizes]).all() else "the numbers are too large to be added up"

    def rows(self, scored: Scored) -> Terms:
        """Per-row top and bottom."""
        return self.terms(*(scored.role(role) for role in self.inputs))

    def value(self, scored: Scored) -> float:
        """The metric over all rows; NaN where it is undefined."""
        return ratio(self.rows(scored), self.power)
