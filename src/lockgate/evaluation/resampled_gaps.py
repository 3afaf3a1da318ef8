"""Gaps of any metric by resampling: the studentized bootstrap of `resampling`, with one draw for all groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, inf, nan

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.blocks import Blocks
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import Metric
from lockgate.evaluation.rates import Measured
from lockgate.evaluation.resampling import FAR, Ratios, Resamples, over_blocks, resample
from lockgate.evaluation.sides import BOTTOM, ROWS, TOP, Side

__all__ = ["measured_by_resampling", "values_by_resampling"]


def measured_by_resampling(
    sides: Sequence[Side], metric: Metric, *, level: float, replicates: int, seed: int
) -> list[Measured]:
    """Measure all gaps at once. Differences are in the metric's unit; ratios exist where every value is above zero."""
    over = _ratios(sides[0].blocks, [s.own for s in sides] + [s.others for s in sides], metric)
    number = len(sides)
    pairs = [(at, number + at) for at in range(number)]
    plain = resample(replace(over, bounds=(-inf, inf)), pairs, replicates=replicates, seed=seed)
    logs = resample(over, pairs, replicates=replicates, seed=seed) if over.log else None
    reach = _reach(plain, 2 * number, level)
    values = _intervals(logs or plain, range(2 * number), level)
    differences = _intervals(plain, range(2 * number, 3 * number), level)
    ratios = _intervals(logs, range(2 * number, 3 * number), level) if logs else [_no_ratio(metric, level)] * number
    return [
        Measured(
            value=values[at], other=values[number + at], difference=differences[at], ratio=ratios[at],
            error=float(plain.error[2 * number + at]), reach=reach,
        )
        for at in range(number)
    ]  # fmt: skip


def values_by_resampling(
    sides: Sequence[Side], metric: Metric, *, level: float, replicates: int, seed: int
) -> list[Interval]:
    """Each group's own value, joint over the groups."""
    over = _ratios(sides[0].blocks, [s.own for s in sides], metric)
    over = over if over.log else replace(over, bounds=(-inf, inf))
    return _intervals(resample(over, replicates=replicates, seed=seed), range(len(sides)), level)


def _ratios(blocks: Blocks, both: Sequence[NDArray[np.float64]], metric: Metric) -> Ratios:
    return over_blocks(
        blocks, np.stack([s[:, TOP] for s in both], axis=1), np.stack([s[:, BOTTOM] for s in both], axis=1),
        n=np.array([round(float(blocks.total(s[:, ROWS]))) for s in both]), power=metric.power, bounds=metric.bounds,
    )  # fmt: skip


def _reach(drawn: Resamples, start: int, level: float) -> float:
    """The order statistic of the largest |t|; an infinite one means that the rows are too few."""
    return float(np.quantile(np.abs(drawn.t[:, start:]).max(axis=1), level, method="higher"))


def _intervals(drawn: Resamples, which: range, level: float) -> list[Interval]:
    values = drawn.ratios.values()
    own = which.stop <= len(values)
    reach = float(np.quantile(np.abs(drawn.t[:, which.start : which.stop]).max(axis=1), level, method="higher"))
    found = list[Interval]()
    for at in which:
        center, error = float(drawn.center[at]), float(drawn.error[at])
        low, high, log = center - reach * error, center + reach * error, drawn.ratios.log
        first, second = (at, at) if own else drawn.pairs[at - len(values)].tolist()
        value = float(values[first]) if own else exp(center) if log else center
        if log:
            low, high = (exp(bound) if bound < FAR else inf for bound in (low, high))
        n = int(drawn.ratios.n[first]) + (0 if own else int(drawn.ratios.n[second]))
        known = np.isfinite([low, high]).all()
        joint = drawn.as_interval(value, *((low, high) if known else (nan, nan)), n=n, level=level)
        found.append(replace(joint, method=joint.method.replace(", ", f", joint over {len(which)}, ", 1)))
    return found


def _no_ratio(metric: Metric, level: float) -> Interval:
    why = "a value of zero has no ratio" if metric.bounds[0] == 0 else f"a ratio of {metric.words} says nothing"
    return Interval(value=nan, low=nan, high=nan, level=level, why=why)
