"""The block bootstrap: how sure is a metric, when rows of one day, or of one customer, err together?

Whole days, whole clusters or single rows (`blocks`) are drawn with replacement. A metric is a ratio of sums, so a drawn
block only needs its sums: ten thousand resamples of a month are one matrix product. Intervals are _studentized (bootstrap-t: Efron 1982,
Hall 1988): each resample also estimates its own error, which keeps the promise with few days, where
the percentile method is too narrow (measured in `tests/evaluation/test_coverage.py`). Metrics that are positive
are handled on the log scale, so that intervals never cross zero and ratios are natural.

Blocks are taken as exchangeable: what one day says about the next is not modelled. The same rows, seed and numpy
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
from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of
from lockgate.evaluation.intervals import Interval, too_few, wilson
from lockgate.evaluation.metrics import SHARE, Metric
from lockgate.evaluation.scored import Scored, Unit

__all__ = [
    "FAR",
    "REPLICATES",
    "SEED",
    "Ratios",
    "Resamples",
    "apart",
    "draws",
    "method_over",
    "over_blocks",
    "ratios",
    "ratios_of",
    "resample",
    "single",
]

REPLICATES = 10_000
SEED = 20261101
CELLS_AT_ONCE = 4_000_000  # bounds the memory of one chunk to tens of megabytes
FEW_BLOCKS = 2_000  # up to here blocks are drawn one by one; above, equal blocks are drawn as counts
ROUNDING = 1e-12
FAR = 700.0  # beyond this an exponential overflows: no bound at all
UNITS: dict[Unit, str] = {"day": "whole days", "cluster": "whole clusters", "row": "single rows"}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """`G` ratio metrics over the same `D` blocks: value = (top.sum(0) / bottom.sum(0)) ** power.

    Attributes:
        top, bottom: sums per block, shape (D, G).
        n: rows behind each, shape (G,).
        often: how many rows each block stands for (kinds of equal rows), shape (D,); None: every block counts once.
        unit: what is resampled; `units`: how many of them there are, when several were dealt into one block.
    """

    top: Floats
    bottom: Floats
    n: NDArray[np.int64]
    power: float = 1.0
    bounds: tuple[float, float] = (0.0, inf)
    often: Floats | None = None
    unit: Unit = "day"
    units: int = 0

    @property
    def blocks(self) -> int:
        """Days, clusters or rows that can be drawn."""
        return self.units or len(self.top)

    @property
    def counts(self) -> Floats:
        """What was seen: every block once, every kind of row as often as it occurs; shape (1, D)."""
        return np.ones((1, len(self.top))) if self.often is None else self.often[None]

    def total(self, sums: Floats) -> Floats:
        """Sum over all blocks."""
        return sums.sum(0) if self.often is None else self.often @ sums

    @property
    def log(self) -> bool:
        """Whether values live on the log scale: positive by definition and in fact."""
        return self.bounds == (0.0, inf) and bool(
            (self.total(self.top) > 0).all() and (self.total(self.bottom) > 0).all()
        )

    def values(self) -> Floats:
        """The metrics, shape (G,); NaN where the bottom is zero."""
        top, bottom = self.total(self.top), self.total(self.bottom)
        with np.errstate(all="ignore"):
            return np.where(bottom > 0, (top / bottom) ** self.power, nan)


def ratios(metric: Metric, scored: Sequence[Scored]) -> Ratios:
    """One metric of several answers on identical rows (same days), as ratios to be resampled together."""
    return ratios_of([metric.rows(one) for one in scored], scored, power=metric.power, bounds=metric.bounds)


def ratios_of(
    terms: Sequence[Sequence[Floats]], scored: Sequence[Scored], *, power: float = 1.0, bounds: tuple[float, float] = (0.0, inf)
) -> Ratios:  # fmt: skip
    """The same of any per-row top and bottom per answer."""
    blocks = blocks_of(scored[0], *(term for pair in terms for term in pair))
    sums = [blocks.sums(pair)[:, 0, :] for pair in terms]
    return over_blocks(
        blocks, np.stack([s[:, 0] for s in sums], axis=1), np.stack([s[:, 1] for s in sums], axis=1),
        n=np.array([len(one) for one in scored]), power=power, bounds=bounds,
    )  # fmt: skip


def over_blocks(
    blocks: Blocks, top: Floats, bottom: Floats, *, n: NDArray[np.int64], power: float, bounds: tuple[float, float]
) -> Ratios:
    """Ratios of sums that `Blocks` made. Shares are counted, so behind each stand the rows of its bottom."""
    n = blocks.total(bottom).round().astype(np.int64) if bounds == SHARE else n
    return Ratios(
        top=top, bottom=bottom, n=n, power=power, bounds=bounds, often=blocks.often, unit=blocks.unit, units=blocks.units
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
        """Low and high of one ratio or pair on the working scale; infinite where the days are too few.

        Two answers that no day tells apart (a pair without error) are alike on few days, too.
        """
        center, error, pair = self.center[which], self.error[which], which >= len(self.ratios.n)
        if self.ratios.blocks < (2 if pair and not error else LEAST_BLOCKS):
            return -inf, inf
        if self.joint:
            reach = _quantile(self.t[:, int(pair)], level) * error if error else 0.0
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
            low, high = (value, value) if not self.error[which] and np.isfinite([low, high]).all() else (low, high)
        floor, ceiling = self.ratios.bounds
        low, high = (max(low, floor), min(high, ceiling)) if np.isfinite([low, high]).all() else (nan, nan)
        return self.as_interval(value, low, high, n=int(self.ratios.n[which]), level=level)

    def as_interval(self, value: float, low: float, high: float, *, n: int, level: float) -> Interval:
        """Wrap numbers with where they come from, and say why when a bound is missing."""
        why = ""
        if not np.isfinite(value):
            why = "undefined on these rows, as nothing happened there"
        elif not np.isfinite([low, high]).all():
            why = too_few(self.ratios.blocks, self.ratios.unit)
        unit, blocks = self.ratios.unit, self.ratios.blocks
        return Interval(
            value=value, low=low, high=high, level=level, n=n, blocks=0 if unit == "row" else blocks, why=why,
            method=method_over("bootstrap-t", unit, len(self.t), joint=self.joint), block=unit,
        )  # fmt: skip


def method_over(method: str, unit: Unit, replicates: int, *, joint: bool = False) -> str:
    """How an interval was made.

    >>> method_over("bootstrap-t", "row", 10_000)
    'bootstrap-t over single rows, 10,000 resamples'
    """
    return f"{method} over {UNITS[unit]}{', joint' if joint else ''}, {replicates:,} resamples"


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
    return _rare_share(drawn, found) if metric.bounds == SHARE and rare and _countable(drawn, found) else found


def _countable(drawn: Resamples, found: Interval) -> bool:
    """A few days tell nothing about others; one row is a count of one."""
    return bool(found.n) and (drawn.ratios.unit == "row" or found.blocks >= LEAST_BLOCKS)


def _rare_share(drawn: Resamples, found: Interval) -> Interval:
    """A share so near 0 or 1 that many resamples see none at all: Wilson, on as many rows as the days are worth.

    Rows of one day err together, so they count for fewer (design effect: Kish 1965).
    """
    spread = found.value * (1 - found.value) / found.n
    effect = max(1.0, float(drawn.error[0]) ** 2 / spread) if spread else 1.0
    closed = wilson(found.value * found.n / effect, found.n / effect, level=found.level)
    unit = drawn.ratios.unit
    method = f"Wilson on {found.n / effect:,.0f} effective rows (too rare to resample {unit}s)"
    return replace(closed, value=found.value, n=found.n, blocks=found.blocks, block=unit, method=method)


def resample(
    over: Ratios, pairs: Any = (), *, joint: bool = False, replicates: int = REPLICATES, seed: int = SEED
) -> Resamples:
    """Draw blocks and studentize. `pairs`: (P, 2) positions whose difference (of logs, on the log scale) is wanted."""
    if not over.blocks:
        raise UsageError("there are no rows to resample", allowed=f"at least one {over.unit}")
    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    sums = np.stack([over.top, over.bottom], axis=2).reshape(len(over.top), -1)  # (D, 2G): top, bottom, top, bottom …
    center, error = _studentize(over, sums, over.counts, pairs)
    chunks = list[Floats]()
    for counts, rows in draws(sums, replicates, seed, width=4 * (len(over.n) + len(pairs)), often=over.often):
        drawn, spread = _studentize(over, rows, counts, pairs)
        t = _studentized(drawn, center, spread)
        chunks.append(_largest(t, len(over.n)) if joint else t)
    return Resamples(ratios=over, pairs=pairs, center=center[0], error=error[0], t=np.concatenate(chunks), joint=joint)


def apart(over: Ratios, first: int, second: int) -> tuple[float, float]:
    """The difference of two of the ratios in their own unit, and its standard error; nothing is drawn."""
    linear = replace(over, bounds=(-inf, inf))  # not on the log scale
    sums = np.stack([over.top, over.bottom], axis=2).reshape(len(over.top), -1)
    center, error = _studentize(linear, sums, over.counts, np.array([[first, second]]))
    return float(center[0, -1]), float(error[0, -1])


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


def draws(
    rows: Floats, replicates: int, seed: int, *, width: int, often: Floats | None = None
) -> Iterator[tuple[Floats, Floats]]:
    """Yield (counts, rows): how often each block was drawn, in chunks that fit in memory.

    `often`: each row of `rows` is a kind of block that occurs so often.
    """
    random = np.random.default_rng(seed)
    if often is not None and often.sum() <= min(
        FEW_BLOCKS, 2 * len(rows)
    ):  # hardly any kind repeats: faster one by one
        rows, often = np.repeat(rows, often.astype(np.int64), axis=0), None
    elif often is None and len(rows) > FEW_BLOCKS:  # many blocks repeat: draw the distinct ones by how often they occur
        rows, number = np.unique(rows, axis=0, return_counts=True)
        often = number.astype(np.float64)
    blocks = len(rows) if often is None else int(often.sum())
    chunk = max(1, CELLS_AT_ONCE // max(len(rows), width))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        if often is not None:
            yield random.multinomial(blocks, often / blocks, size=size).astype(np.float64), rows
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
