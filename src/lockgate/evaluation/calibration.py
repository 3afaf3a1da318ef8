"""Does a probability of 0.8 come true in 8 of 10 cases?

Three views of it, each with an interval: the expected calibration error over bins of equally many rows, and the
slope and intercept of a logistic regression of what happened on the log odds that were said (Cox 1958): slope 1 and
intercept 0 are perfect, a slope below 1 means too sure, an intercept above 0 too low. Where whole days or clusters err together,
their errors reach as far as Student's t asks for so many, and fewer than `LEAST_BLOCKS` have none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.bca import bca
from lockgate.evaluation.blocks import LEAST_BLOCKS, blocks_of
from lockgate.evaluation.intervals import Interval, too_few, wilson
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.verdict_chances import reach_of

__all__ = ["Bin", "Calibration", "calibration", "calibration_error"]

Floats = NDArray[np.float64]
BINS = 10
ROUNDS = 50
NEVER_CERTAIN = 1e-12  # log odds of certainty are infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows with neighbouring probabilities: what was said on average, and how often it happened."""

    said: float
    happened: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """All views of one table's probabilities. `intercept` is calibration in the large: fitted with slope 1."""

    error: Interval
    slope: Interval
    intercept: Interval
    bins: tuple[Bin, ...]


def calibration(
    scored: Scored, *, bins: int = BINS, level: float = 0.95, replicates: int = 1_000, seed: int = SEED
) -> Calibration:
    """Measure how honest the probabilities are. What cannot be had has a reason."""
    if why := complaint(scored):
        none = Interval(value=nan, low=nan, high=nan, level=level, n=len(scored), why=why)
        return Calibration(error=none, slope=none, intercept=none, bins=())
    error = bca(
        scored, lambda t: calibration_error(t.role("truth"), t.role("score"), bins=bins),
        level=level, replicates=replicates, seed=seed,
    )  # fmt: skip
    slope, intercept = _regressed(scored, level)
    return Calibration(error=error, slope=slope, intercept=intercept, bins=_bins(scored, bins, level))


def complaint(scored: Scored) -> str:
    """Why calibration cannot be measured, or nothing."""
    if why := scored.complaint("truth", "score"):
        return why
    truth, score = scored.role("truth"), scored.role("score")
    return scored.complain((truth != 0) & (truth != 1), "another number than 0 or 1", "truth") or scored.complain(
        (score < 0) | (score > 1), "a number outside of 0 to 1", "score"
    )


def calibration_error(truth: Floats, score: Floats, *, bins: int = BINS) -> float:
    """How far the share that happened is from what was said, averaged over bins of equally many rows (ECE).

    Equal probabilities stay in one bin. Biased upward on few rows, also for perfect probabilities.

    >>> calibration_error(np.array([1.0, 0, 1, 0]), np.array([0.5, 0.5, 0.5, 0.5]))
    0.0
    """
    which = _bin_of(score, bins)
    said = np.bincount(which, weights=score)
    happened = np.bincount(which, weights=truth)
    return float(np.abs(said - happened).sum() / len(truth)) if len(truth) else nan


def _bin_of(score: Floats, bins: int) -> NDArray[np.int64]:
    edges = np.quantile(score, np.linspace(0, 1, bins + 1)[1:-1]) if len(score) else np.array([])
    return np.searchsorted(edges, score, side="left")


def _bins(scored: Scored, bins: int, level: float) -> tuple[Bin, ...]:
    truth, score = scored.role("truth"), scored.role("score")
    which = _bin_of(score, bins)
    return tuple(
        Bin(
            said=float(score[which == b].mean()),
            happened=wilson(truth[which == b].sum(), int((which == b).sum()), level=level),
        )
        for b in np.unique(which)
    )


def _regressed(scored: Scored, level: float) -> tuple[Interval, Interval]:
    """Slope (beside an intercept of its own) and intercept (beside slope 1), with errors that hold within blocks."""
    truth = scored.role("truth")
    said = np.clip(scored.role("score"), NEVER_CERTAIN, 1 - NEVER_CERTAIN)
    odds = np.log(said / (1 - said))
    ones = np.ones_like(odds)
    slope = _logistic(scored, np.stack([ones, odds], axis=1), np.zeros_like(odds), truth, level)
    intercept = _logistic(scored, ones[:, None], odds, truth, level)
    return replace(slope, method="slope of a logistic regression"), replace(intercept, method="intercept at slope 1")


def _logistic(scored: Scored, columns: Floats, offset: Floats, truth: Floats, level: float) -> Interval:
    """The last coefficient, by Newton's method; a sandwich over blocks gives its error (White 1980)."""
    beta = np.zeros(columns.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(columns @ beta + offset, -500, 500)))
        information = columns.T @ (columns * (p * (1 - p))[:, None])
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e14:
            return _no_fit(scored, level)
        step = np.linalg.solve(information, columns.T @ (truth - p))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return _fitted(scored, columns, truth - p, information, float(beta[-1]), level)
    return _no_fit(scored, level)


def _fitted(scored: Scored, columns: Floats, miss: Floats, information: Floats, value: float, level: float) -> Interval:
    blocks = blocks_of(scored, np.arange(len(scored)))
    parts = columns * miss[:, None]
    sums = np.stack([np.bincount(blocks.index, weights=c, minlength=blocks.number) for c in parts.T], axis=1)
    inverse = np.linalg.inv(information)
    number = 0 if blocks.unit == "row" else blocks.units
    if blocks.units < LEAST_BLOCKS:
        why = too_few(blocks.units, blocks.unit)
        return Interval(
            value=value, low=nan, high=nan, level=level, n=len(scored), blocks=number, block=blocks.unit, why=why
        )
    variance = inverse @ (sums.T @ sums) @ inverse * blocks.number / (blocks.number - 1)
    freedom = inf if blocks.unit == "row" else float(blocks.units - 1)
    reach = reach_of(level, freedom=freedom) * sqrt(max(0.0, float(variance[-1, -1])))
    return Interval(
        value=value, low=value - reach, high=value + reach, level=level, n=len(scored), blocks=number, block=blocks.unit
    )  # fmt: skip


def _no_fit(scored: Scored, level: float) -> Interval:
    truth = scored.role("truth")
    one_class = truth.min() == truth.max()
    why = (
        f"every truth is {'yes' if truth[0] else 'no'}"
        if one_class
        else "the probabilities tell yes and no apart wholly or not at all"
    )
    return Interval(value=nan, low=nan, high=nan, level=level, n=len(scored), why=why)
