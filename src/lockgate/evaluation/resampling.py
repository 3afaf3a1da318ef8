"""The day-block bootstrap: how sure is a metric, when rows of one day err together?

Whole days are drawn with replacement. A metric is a ratio of sums, so a drawn day only needs its sums: ten
thousand resamples of a month are one matrix product. Intervals are _studentized (bootstrap-t: Efron 1982,
Hall 1988): each resample also estimates its own error, which keeps the promise with few days, where
the percentile method is too narrow (measured in `tests/evaluation/test_coverage.py`). Metrics that are positive
are handled on the log scale, so that intervals never cross zero and ratios are natural.

Days are taken as exchangeable: what one day says about the next is not modelled. The same rows, seed and numpy
version give the same bits, whatever the order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, inf, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import UsageError
from lockgate.evaluation.intervals import Interval, wilson
from lockgate.evaluation.metrics import SHARE, Metric
from lockgate.evaluation.scored import Scored

__all__ = [
    "FAR",
    "REPLICATES",
    "SEED",
    "Ratios",
    "Resamples",
    "day_sums",
    "draws",
    "ratios",
    "resample",
    "single",
]

REPLICATES = 10_000
SEED = 20261101
CELLS_AT_ONCE = 4_000_000  # bounds the memory of one chunk to tens of megabytes
FEW_BLOCKS = 2_000  # up to here days are drawn one by one; above, equal blocks are drawn as counts
ROUNDING = 1e-12
FAR = 700.0  # beyond this an exponential overflows: no bound at all
METHOD = "bootstrap-t over whole days"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """`G` ratio metrics over the same `D` days: value = (top.sum(0) / bottom.sum(0)) ** power.

    Attributes:
        top, bottom: per-day sums, shape (D, G).
        n: rows behind each, shape (G,).
    """

    top: Floats
    bottom: Floats
    n: NDArray[np.int64]
    power: float = 1.0
    bounds: tuple[float, float] = (0.0, inf)

    @property
    def blocks(self) -> int:
        return len(self.top)

    @property
    def log(self) -> bool:
        """Whether values live on the log scale: positive by definition and in fact."""
        return self.bounds == (0.0, inf) and bool((self.top.sum(0) > 0).all() and (self.bottom.sum(0) > 0).all())

    def values(self) -> Floats:
        """The metrics, shape (G,); NaN where the bottom is zero."""
        top, bottom = self.top.sum(0), self.bottom.sum(0)
        with np.errstate(all="ignore"):
            return np.where(bottom > 0, (top / bottom) ** self.power, nan)


def day_sums(scored: Scored, terms: Sequence[Floats], cell: NDArray[np.int64] | None = None, cells: int = 1) -> Floats:
    """Sum per-row terms by day and cell: shape (days in order, cells, terms).

    The order of rows changes no bit of the result: within a day, rows are summed in the order of their values.
    """
    days, day = np.unique(scored.column(scored.day), return_inverse=True)
    slot = day * cells + (cell if cell is not None else 0)
    order = np.lexsort((*terms, slot))
    size = len(days) * cells
    sums = [np.bincount(slot[order], weights=term[order], minlength=size).astype(np.float64) for term in terms]
    return np.stack(sums, axis=-1).reshape(len(days), cells, len(terms))


def ratios(metric: Metric, scored: Sequence[Scored]) -> Ratios:
    """One metric of several answers on identical rows (same days), as ratios to be resampled together."""
    sums = [day_sums(one, metric.rows(one))[:, 0, :] for one in scored]
    return Ratios(
        top=np.stack([s[:, 0] for s in sums], axis=1), bottom=np.stack([s[:, 1] for s in sums], axis=1),
        n=np.array([len(one) for one in scored]), power=metric.power, bounds=metric.bounds,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Resamples:
    """What the resamples said about `G` ratios and the differences of `pairs`.

    Attributes:
        ratios: what was resampled.
        center, error: estimate and standard error on the working scale, shape (G + P,): ratios first, then pairs.
        t: _studentized deviations, shape (B, G + P); or with `joint`, the largest |t| of ratios and of pairs, (B, 2).
    """

    ratios: Ratios
    pairs: NDArray[np.int64]
    center: Floats
    error: Floats
    t: Floats
    joint: bool

    def bounds(self, which: int, *, level: float = 0.95) -> tuple[float, float]:
        """Low and high of one ratio or pair on the working scale; infinite where the days are too few."""
        center, error = self.center[which], self.error[which]
        if self.ratios.blocks < 2:  # one day tells nothing about another
            return -inf, inf
        if self.joint:
            reach = _quantile(self.t[:, int(which >= len(self.ratios.n))], level) * error if error else 0.0
            return center - reach, center + reach
        if not error:
            return center, center
        tail = (1 - level) / 2
        below, above = _quantile(self.t[:, which], 1 - tail), _quantile(self.t[:, which], tail)
        return center - below * error, center - above * error

    def interval(self, which: int, *, level: float = 0.95) -> Interval:
        """Interval of one ratio, in its own unit."""
        low, high = self.bounds(which, level=level)
        value = float(self.ratios.values()[which])
        if self.ratios.log:
            low, high = (exp(bound) if bound < FAR else inf for bound in (low, high))
        floor, ceiling = self.ratios.bounds
        low, high = (max(low, floor), min(high, ceiling)) if np.isfinite([low, high]).all() else (nan, nan)
        return self.as_interval(value, low, high, n=int(self.ratios.n[which]), level=level)

    def as_interval(self, value: float, low: float, high: float, *, n: int, level: float) -> Interval:
        """Wrap numbers with where they come from, and say why when a bound is missing."""
        why = ""
        if not np.isfinite(value):
            why = "undefined on these rows, as nothing happened there"
        elif not np.isfinite([low, high]).all():
            days = self.ratios.blocks
            why = f"{days} day{'s are' if days > 1 else ' is'} too few for an interval"
        method = f"{METHOD}{', joint' if self.joint else ''}, {len(self.t):,} resamples"
        return Interval(
            value=value, low=low, high=high, level=level, n=n, blocks=self.ratios.blocks, method=method, why=why
        )


def single(metric: Metric, scored: Scored, *, replicates: int = REPLICATES, seed: int = SEED) -> Interval:
    """A metric with its interval. Rows must be free of nulls (see `Scored.complaint`).

    >>> day = np.repeat(np.arange("2011-10-01", "2011-10-25", dtype="datetime64[D]"), 10)
    >>> truth = np.tile(np.arange(1.0, 11), 24)
    >>> scored = Scored(columns={"day": day, "y": truth, "f": truth + 1.1}, truth="y", answer="f", day="day")
    >>> from lockgate.evaluation.metrics import METRICS
    >>> round(single(METRICS["wape"], scored).value, 3)
    0.2
    """
    drawn = resample(ratios(metric, [scored]), replicates=replicates, seed=seed)
    found = drawn.interval(0)
    rare = not found.known or not drawn.error[0]
    return _rare_share(drawn, found) if metric.bounds == SHARE and rare and found.blocks > 1 else found


def _rare_share(drawn: Resamples, found: Interval) -> Interval:
    """A share so near 0 or 1 that many resamples see none at all: Wilson, on as many rows as the days are worth.

    Rows of one day err together, so they count for fewer (design effect: Kish 1965).
    """
    spread = found.value * (1 - found.value) / found.n
    effect = max(1.0, float(drawn.error[0]) ** 2 / spread) if spread else 1.0
    closed = wilson(found.value * found.n / effect, found.n / effect, level=found.level)
    method = f"Wilson on {found.n / effect:,.0f} effective rows (too rare to resample days)"
    return replace(closed, value=found.value, n=found.n, blocks=found.blocks, method=method)


def resample(
    over: Ratios, pairs: Any = (), *, joint: bool = False, replicates: int = REPLICATES, seed: int = SEED
) -> Resamples:
    """Draw days and studentize. `pairs`: (P, 2) positions whose difference (of logs, on the log scale) is wanted."""
    if not over.blocks:
        raise UsageError("there are no rows to resample", allowed="at least one day")
    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    sums = np.stack([over.top, over.bottom], axis=2).reshape(over.blocks, -1)  # (D, 2G): top, bottom, top, bottom …
    once = np.ones((1, over.blocks))
    center, error = _studentize(over, sums, once, pairs)
    chunks = list[Floats]()
    for counts, rows in draws(sums, replicates, seed, width=4 * (len(over.n) + len(pairs))):
        drawn, spread = _studentize(over, rows, counts, pairs)
        t = _studentized(drawn, center, spread)
        chunks.append(_largest(t, len(over.n)) if joint else t)
    return Resamples(ratios=over, pairs=pairs, center=center[0], error=error[0], t=np.concatenate(chunks), joint=joint)


def _studentize(over: Ratios, rows: Floats, counts: Floats, pairs: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Estimates and standard errors of each resample, shape (B, G + P), by linearisation of the ratio."""
    groups, days = len(over.n), counts[0].sum()
    first = np.concatenate([np.arange(groups), pairs[:, 0]])
    second = np.concatenate([np.arange(groups), pairs[:, 1]])
    top, bottom = rows[:, 0::2], rows[:, 1::2]
    sums_top, sums_bottom = counts @ top, counts @ bottom
    with np.errstate(all="ignore"):
        value = (sums_top / sums_bottom) ** over.power
        # d(value) = value * power * (d top / top - d bottom / bottom); on the log scale without the leading value
        scale = over.power if over.log else over.power * value
        on_top, on_bottom = scale / sums_top, -scale / sums_bottom
        if not over.log:  # value / top is 0 / 0 for a flawless day; for power 1 it is simply 1 / bottom
            on_top = np.where(sums_top == 0, (over.power == 1.0) / sums_bottom, on_top)
        center = np.log(value) if over.log else value
        covariance = on_top[:, first] * on_top[:, second] * (counts @ (top[:, first] * top[:, second]))
        covariance += on_top[:, first] * on_bottom[:, second] * (counts @ (top[:, first] * bottom[:, second]))
        covariance += on_bottom[:, first] * on_top[:, second] * (counts @ (bottom[:, first] * top[:, second]))
        covariance += on_bottom[:, first] * on_bottom[:, second] * (counts @ (bottom[:, first] * bottom[:, second]))
        covariance *= days / (days - 1) if days > 1 else 1.0
        own = covariance[:, :groups]
        sizes = own[:, pairs[:, 0]] + own[:, pairs[:, 1]]
        variance = np.concatenate([own, sizes - 2 * covariance[:, groups:]], axis=1)
        center = np.concatenate([center, center[:, pairs[:, 0]] - center[:, pairs[:, 1]]], axis=1)
        # what is smaller than this is rounding, not spread: identical answers must have error 0
        noise = np.maximum(1e-14 * np.concatenate([own, sizes], axis=1), 1e-26 * center**2)
        return center, np.sqrt(np.where(variance > noise, variance, 0.0))


def draws(rows: Floats, replicates: int, seed: int, *, width: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield (counts, rows): how often each block was drawn, in chunks that fit in memory."""
    random, blocks = np.random.default_rng(seed), len(rows)
    weights = None
    if blocks > FEW_BLOCKS:  # many blocks repeat (0/1 outcomes by row): draw the distinct ones by how often they occur
        rows, often = np.unique(rows, axis=0, return_counts=True)
        weights = often / blocks
    chunk = max(1, CELLS_AT_ONCE // max(len(rows), width))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        if weights is not None:
            yield random.multinomial(blocks, weights, size=size).astype(np.float64), rows
            continue
        picks = random.integers(blocks, size=(size, blocks)) + np.arange(size)[:, None] * blocks
        yield np.bincount(picks.ravel(), minlength=size * blocks).reshape(size, blocks).astype(np.float64), rows


def _studentized(drawn: Floats, center: Floats, spread: Floats) -> Floats:
    """Deviation in units of spread. None at all is 0; some without spread is infinite, and so is what is unknown."""
    with np.errstate(all="ignore"):
        deviation = drawn - center
        t = deviation / spread
    t = np.where((spread == 0) & (np.abs(deviation) < ROUNDING), 0.0, t)
    return np.where(np.isnan(t), np.where(deviation < 0, -inf, inf), t)


def _largest(t: Floats, groups: int) -> Floats:
    size = np.abs(t)
    pairs = size[:, groups:].max(axis=1) if size.shape[1] > groups else np.zeros(len(t))
    return np.stack([size[:, :groups].max(axis=1), pairs], axis=1)


def _quantile(values: Floats, level: float) -> float:
    """An order statistic, so that infinities stay infinities instead of becoming NaN by interpolation."""
    return float(np.quantile(values, level, method="inverted_cdf" if level < 0.5 else "higher"))
