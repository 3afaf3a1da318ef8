"""AUC: how often does somebody whose truth is yes have a higher score than somebody whose truth is no?

Its error comes from DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), by ranks (Sun and Xu 2014); whole days and
clusters err together (Obuchowski, Biometrics 53, 1997): then Student's t takes the place of the normal distribution, and there
is no interval on fewer than `LEAST_BLOCKS`. At 0 and at 1 no spread is seen, so there the interval is
Newcombe's (Statistics in Medicine 25, 2006, method 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import LEAST_BLOCKS, Blocks, blocks_of
from lockgate.evaluation.comparison import on_common_rows
from lockgate.evaluation.intervals import Interval, too_few
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.verdict_chances import reach_of

__all__ = ["Auc", "AucComparison", "auc", "compare_auc", "delong"]

Floats = NDArray[np.float64]
FAR = 700.0  # beyond this an exponential overflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Auc:
    """Areas of K scores for the same truths, and their covariance, shape (K,) and (K, K)."""

    values: Floats
    covariance: Floats
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AucComparison:
    """Two scores for the same rows. `difference` is first - second; `z` and `p_value` test that it is zero."""

    first: Interval
    second: Interval
    difference: Interval
    z: float
    p_value: float


def delong(truth: NDArray[np.bool_], scores: Sequence[Floats], blocks: Blocks | None = None) -> Auc:
    """Areas under the curve of several scores. NaN where only one class is there.

    Args:
        truth: whether it was a yes.
        blocks: rows that err together; None: rows are independent.

    >>> found = delong(np.array([True, True, False, False]), [np.array([0.9, 0.4, 0.5, 0.1])])
    >>> found.values.tolist(), round(float(found.covariance[0, 0]), 4)
    ([0.75], 0.125)
    """
    positives, negatives = int(truth.sum()), int((~truth).sum())
    size = len(scores)
    if not positives or not negatives:
        unknown = np.full((size, size), nan)
        return Auc(values=np.full(size, nan), covariance=unknown, positives=positives, negatives=negatives)
    parts = [_placements(truth, score) for score in scores]
    values = np.array([own.mean() for own, _ in parts])
    above, below = (np.stack(part) - values[:, None] for part in zip(*parts, strict=True))
    if blocks is None or blocks.unit == "row":
        covariance = _over(above) + _over(below)
    else:
        covariance = _clustered(truth, above / positives, below / negatives, blocks)
    return Auc(values=values, covariance=covariance, positives=positives, negatives=negatives)


def _over(parts: Floats) -> Floats:
    """Covariance of a mean of independent rows; none can be had of a single one."""
    n = parts.shape[1]
    return parts @ parts.T / (n - 1) / n if n > 1 else np.zeros((len(parts), len(parts)))


def _placements(truth: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """Of each yes the share of noes below it, of each no the share of yeses above it; ties count half."""
    whole = _midranks(score)
    yes, no = _midranks(score[truth]), _midranks(score[~truth])
    return (whole[truth] - yes) / (~truth).sum(), 1 - (whole[~truth] - no) / truth.sum()


def _midranks(values: Floats) -> Floats:
    _, which, often = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(often)
    return (last - (often - 1) / 2)[which]


def _clustered(truth: NDArray[np.bool_], above: Floats, below: Floats, blocks: Blocks) -> Floats:
    influence = np.empty((len(above), len(truth)))
    influence[:, truth], influence[:, ~truth] = above, below
    sums = np.stack([np.bincount(blocks.index, weights=row, minlength=blocks.number) for row in influence])
    return sums @ sums.T * blocks.number / max(1, blocks.number - 1)


def auc(scored: Scored, *, level: float = 0.95) -> Interval:
    """The area under the curve with its interval, on the logit scale so that it stays within 0 and 1."""
    if why := _complaint(scored):
        return _unknown(why, level, len(scored))
    truth, blocks = scored.role("truth") == 1, _blocks(scored)
    return _interval(delong(truth, [scored.role("score")], blocks), 0, blocks, level)


def compare_auc(first: Scored, second: Scored, *, level: float = 0.95) -> AucComparison:
    """Compare two scores on the same rows (matched by key, see `on_common_rows`)."""
    first, second = on_common_rows(first, second)
    if why := _complaint(first) or _complaint(second):
        none = _unknown(why, level, len(first))
        return AucComparison(first=none, second=none, difference=none, z=nan, p_value=nan)
    blocks = _blocks(first)
    found = delong(first.role("truth") == 1, [first.role("score"), second.role("score")], blocks)
    value = float(found.values[0] - found.values[1])
    error = sqrt(max(0.0, float(found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1])))
    z = value / error if error else (0.0 if not value else nan)
    reach = _reach(blocks, level) * error
    sides = [_interval(found, at, blocks, level) for at in (0, 1)]
    flat = not error and value  # both perfect on these rows in another way: nothing says how sure the difference is
    why = "no row says how sure this is" if flat else sides[0].why if error else ""
    difference = Interval(
        value=value, low=nan if why else max(-1.0, value - reach), high=nan if why else min(1.0, value + reach),
        level=level, n=len(first), blocks=sides[0].blocks, block=blocks.unit, method="DeLong", why=why,
    )  # fmt: skip
    p_value = nan if why else _two_sided(z, blocks)
    return AucComparison(first=sides[0], second=sides[1], difference=difference, z=z, p_value=p_value)


def _interval(found: Auc, which: int, blocks: Blocks, level: float) -> Interval:
    value, error = float(found.values[which]), sqrt(max(0.0, float(found.covariance[which, which])))
    why = too_few(blocks.units, blocks.unit) if _is_few(blocks) else ""
    if why:
        low, high, method = nan, nan, "DeLong"
    elif error and 0 < value < 1:
        reach = _reach(blocks, level) * error / (value * (1 - value))
        low, high, method = _expit(_logit(value) - reach), _expit(_logit(value) + reach), "DeLong, logit"
    else:
        low, high = _newcombe(value, found.positives, found.negatives, level)
        method = "Newcombe's score interval, as no spread was seen"
    n = found.positives + found.negatives
    number = 0 if blocks.unit == "row" else blocks.units
    return Interval(
        value=value, low=low, high=high, level=level, n=n, blocks=number, block=blocks.unit, method=method, why=why
    )  # fmt: skip


def _is_few(blocks: Blocks) -> bool:
    """Rows have errors that are known; so few days or clusters have not."""
    return blocks.unit != "row" and blocks.units < LEAST_BLOCKS


def _freedom(blocks: Blocks) -> float:
    return inf if blocks.unit == "row" else max(1.0, blocks.units - 1)


def _reach(blocks: Blocks, level: float) -> float:
    return reach_of(level, freedom=_freedom(blocks))


def _two_sided(z: float, blocks: Blocks) -> float:
    """How often chance alone is as far from zero."""
    if blocks.unit == "row":
        return 2 * NormalDist().cdf(-abs(z))
    from scipy.special import stdtr  # pyright: ignore[reportMissingTypeStubs]  lazy: only blocks need it

    return 2 * float(stdtr(_freedom(blocks), -abs(z)))


def _newcombe(value: float, positives: int, negatives: int, level: float) -> tuple[float, float]:
    """The areas that lie within z of what was seen, by Hanley and McNeil's variance with balanced numbers."""
    z, half = NormalDist().inv_cdf((1 + level) / 2), (positives + negatives) / 2 - 1

    def beyond(area: float) -> bool:
        spread = 1 + half * ((1 - area) / (2 - area) + area / (1 + area))
        return abs(area - value) > z * sqrt(area * (1 - area) * spread / (positives * negatives))

    return _edge(beyond, value, 0.0), _edge(beyond, value, 1.0)


def _edge(beyond: Callable[[float], bool], inside: float, outside: float) -> float:
    """Bisect: the area nearest to `outside` that is not beyond."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if beyond(middle):
            outside = middle
        else:
            inside = middle
    return inside


def _logit(share: float) -> float:
    return log(share / (1 - share))


def _expit(number: float) -> float:
    return 1 / (1 + exp(-number)) if number > -FAR else 0.0


def _blocks(scored: Scored) -> Blocks:
    return blocks_of(scored, np.arange(len(scored)))


def _complaint(scored: Scored) -> str:
    if why := scored.complaint("truth", "score"):
        return why
    truth = scored.role("truth")
    if why := scored.complain((truth != 0) & (truth != 1), "another number than 0 or 1", "truth"):
        return why
    if truth.min() == truth.max():
        return f"every truth is {'yes' if truth[0] else 'no'}, so nothing can be told apart"
    return ""


def _unknown(why: str, level: float, n: int) -> Interval:
    return Interval(value=nan, low=nan, high=nan, level=level, n=n, method="DeLong", why=why)
