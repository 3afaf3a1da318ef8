"""Metrics by name: what is computed from truths and answers. Each is a ratio of two sums over rows (`metric`)."""

from __future__ import annotations

from typing import Any

from lockgate.errors import NotFound, did_you_mean
from lockgate.evaluation.classification import CLASSIFICATION, accuracy
from lockgate.evaluation.forecasting import FORECASTING, bias, coverage, mae, mase, pinball, rmse, rmsse, wape
from lockgate.evaluation.metric import SHARE, Metric

__all__ = [
    "METRICS",
    "SHARE",
    "Metric",
    "accuracy",
    "bias",
    "coverage",
    "mae",
    "mase",
    "metric_named",
    "pinball",
    "rmse",
    "rmsse",
    "wape",
]

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*FORECASTING, *CLASSIFICATION)}


def metric_named(name: Any, *, comparable: bool = False) -> Metric:
    """Look a metric up. `comparable` asks for one that can say which of two answers is better."""
    known = {n for n, m in METRICS.items() if not comparable or m.better != "neither"}
    if name not in known:
        what = "no such metric that can say which answer is better" if comparable else "no such metric"
        raise NotFound(what, value=str(name), allowed=did_you_mean(str(name), known))
    return METRICS[name]
