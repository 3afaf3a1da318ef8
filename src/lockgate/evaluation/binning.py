"""One column, counted: in bins of equal width, or by label; and how far apart two counts over the same bins are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.scored import MISSING, Column
from lockgate.records.evidence import decimal
from lockgate.records.findings import QUANTILES, Part, PartName

__all__ = ["Bins", "bins_of", "chance_of", "shift_between", "texts_of"]

BINS = 12
LABELS = 8
DRAWS = 400
SEED = 20261101
OTHERS = "(others)"


def shift_between(first: Sequence[int], second: Sequence[int]) -> float:
    """Total variation distance of two counts over the same bins, 0 (alike) to 1 (nothing in common).

    >>> shift_between([50, 50], [100, 0])
    0.5
    """
    one, other = (np.asarray(side, dtype=np.float64) for side in (first, second))
    return float(np.abs(one / one.sum() - other / other.sum()).sum() / 2)


def chance_of(first: Sequence[int], second: Sequence[int], *, seed: int = SEED) -> float:
    """The 95th percentile of that distance when both are drawn from their common distribution."""
    one, other = (np.asarray(side, dtype=np.int64) for side in (first, second))
    together = (one + other) / (one.sum() + other.sum())
    random = np.random.default_rng(seed)
    drawn = [random.multinomial(int(side.sum()), together, size=DRAWS) / side.sum() for side in (one, other)]
    return float(np.quantile(np.abs(drawn[0] - drawn[1]).sum(axis=1) / 2, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Where the values of one column are counted: between `edges` of a number, or at `labels`; the last may be `(others)`."""

    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()

    def counted(self, name: PartName, values: Column) -> Part:
        """How many rows lie in each bin. A number's outer bins also hold what lies beyond them; a missing value is in none."""
        return self._numbers(name, values.astype(np.float64)) if self.edges else self._texts(name, texts_of(values))

    def _numbers(self, name: PartName, values: NDArray[np.float64]) -> Part:
        known = values[np.isfinite(values)]
        counts, _ = np.histogram(np.clip(known, self.edges[0], self.edges[-1]), bins=self.edges)
        return Part(
            name=name, n=len(values), missing=len(values) - len(known), counts=tuple(int(c) for c in counts),
            quantiles=_quantiles(known),
        )  # fmt: skip

    def _texts(self, name: PartName, values: NDArray[np.str_]) -> Part:
        missing = int((values == MISSING).sum())
        counts = [int((values == label).sum()) for label in self.labels]
        if self.labels[-1] == OTHERS:
            counts[-1] = len(values) - missing - sum(counts[:-1])
        return Part(name=name, n=len(values), missing=missing, counts=tuple(counts))


def bins_of(values: Sequence[Column]) -> Bins | None:
    """Bins for all of these together; None where they are neither numbers nor texts, or where no value is known.

    >>> bins_of([np.array([True, False]), np.array([True])])
    Bins(edges=(), labels=('yes', 'no'))
    """
    kinds = {v.dtype.kind for v in values}
    if not kinds <= set("fbU"):
        return None
    if "U" not in kinds and (edges := _edges(values)) is not None:
        return Bins(edges=edges)
    labels = _labels([texts_of(v) for v in values])
    return Bins(labels=labels) if labels else None


def texts_of(values: Column) -> NDArray[np.str_]:
    """Values as labels; what has none is `(missing)`."""
    if values.dtype.kind == "b":
        return np.where(values, "yes", "no")
    if values.dtype.kind == "f":
        return np.array([MISSING if v != v else f"{v:g}" for v in values.tolist()], dtype=np.str_)
    return np.where(values == "", MISSING, values)


def _edges(values: Sequence[Column]) -> tuple[float, ...] | None:
    """Bins of equal width over the middle 98 of 100 values; None for a few values that are better told by name."""
    known = np.concatenate([v.astype(np.float64) for v in values])
    known = known[np.isfinite(known)]
    if len(np.unique(known)) <= LABELS:
        return None
    low, high = np.quantile(known, [0.01, 0.99])
    if not high > low:
        low, high = known.min(), known.max()
    return tuple(np.linspace(low, high, BINS + 1).tolist())


def _labels(values: Sequence[NDArray[np.str_]]) -> tuple[str, ...]:
    """The most frequent labels; ties by name. What is left over is one bin of its own."""
    names, counts = np.unique(np.concatenate(values), return_counts=True)
    ranked = [str(n) for _, n in sorted(zip(-counts, names, strict=True)) if n != MISSING]
    return tuple(ranked) if len(ranked) <= LABELS else (*ranked[: LABELS - 1], OTHERS)


def _quantiles(known: NDArray[np.float64]) -> dict[str, str]:
    if not len(known):
        return {}
    found = np.quantile(known, [float(q) for q in QUANTILES])
    return {q: decimal(float(v)) or "" for q, v in zip(QUANTILES, found, strict=True)}
