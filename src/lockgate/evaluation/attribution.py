"""Why did the metric change? What changed is split among code, data, parameters and packages.

Two releases differ in some *factors*. For a set S of them, v(S) is the metric of the release that has the factors in S from
the new release and all others from the old one, always on the same rows. With F all factors that differ:

    total        v(F) - v({})
    effect of f  v({f}) - v({}): what this change does alone, on top of the old release
    together     total - the sum of all effects: what the changes do only in company (the interaction)

These are the threefold decomposition of Winsborough and Dickinson (1971; Jann, Stata Journal 8, 2008, equation 3) and, seen
from the old release, the one-factor terms of a two-level factorial design with base v({}) (cut-HDMR: Rabitz and Alis 1999). Each
effect is the difference to one release that was really built; k factors need k rebuilds and not 2^k - 2. Shapley's
shares would divide `together` among the factors; with two factors a share is the effect plus half of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.contrasts import contrasts
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.metrics import Metric
from lockgate.evaluation.resampling import REPLICATES, SEED, Ratios, ratios, ratios_of
from lockgate.evaluation.scored import Scored

__all__ = ["TOGETHER", "Mix", "Part", "mean_of_answers", "parts_of", "split"]

Mix = frozenset[str]
"""Which factors come from the new release; the others come from the old one."""

TOGETHER = "together"
NOTHING: Mix = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One summand of a difference.

    Attributes:
        factors: one: its effect alone. Several: what they do together, and the effects of those that could not be
            built alone (`alone` names them).
        weights: mix → factor; the part is the weighted sum of the mixes' values.
    """

    name: str
    factors: tuple[str, ...]
    weights: Mapping[Mix, float]
    alone: tuple[str, ...] = ()


def parts_of(factors: Sequence[str], built: frozenset[Mix]) -> tuple[Part, ...]:
    """The summands that these mixes can tell apart; their weights add up to those of the total.

    A factor that was not built alone is counted with what the factors do together.

    >>> [p.name for p in parts_of(["code", "data"], frozenset([frozenset(["code"]), frozenset(["data"])]))]
    ['code', 'data', 'together']
    >>> [(p.name, p.alone) for p in parts_of(["code", "data"], frozenset([frozenset(["data"])]))]
    [('data', ()), ('together', ('code',))]
    """
    everything: Mix = frozenset(factors)
    if len(factors) == 1:
        return (Part(name=factors[0], factors=tuple(factors), weights=_difference(everything, NOTHING)),)
    known = [f for f in factors if frozenset([f]) in built]
    parts = [Part(name=f, factors=(f,), weights=_difference(frozenset([f]), NOTHING)) for f in known]
    rest = {everything: 1.0, **{frozenset([f]): -1.0 for f in known}, NOTHING: float(len(known) - 1)}
    unknown = tuple(f for f in factors if f not in known)
    return (*parts, Part(name=TOGETHER, factors=tuple(factors), weights=rest, alone=unknown))


def _difference(more: Mix, less: Mix) -> dict[Mix, float]:
    return {less: -1.0, more: 1.0}


def split(
    mixes: Mapping[Mix, Scored], factors: Sequence[str], *, metric: Metric,
    level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED,
) -> tuple[Interval, dict[str, Interval]]:  # fmt: skip
    """The total change of a metric, and part → its share of it; the parts add up to the total.

    Args:
        mixes: answers to identical rows, at least of the old release (the empty mix) and of the new one (all factors).
        factors: those that differ, at least one, in the order in which they are told.
    """
    return _split(ratios(metric, list(mixes.values())), list(mixes), factors, level, replicates, seed)


def mean_of_answers(
    mixes: Mapping[Mix, Scored], factors: Sequence[str], *,
    level: float = 0.95, replicates: int = REPLICATES, seed: int = SEED,
) -> tuple[Interval, dict[str, Interval]]:  # fmt: skip
    """The same for the mean answer: how much more or less is answered, whatever is true."""
    answers = list(mixes.values())
    over = ratios_of([_answers(s) for s in answers], answers, bounds=(-np.inf, np.inf))
    return _split(over, list(mixes), factors, level, replicates, seed)


def _answers(scored: Scored) -> list[NDArray[np.float64]]:
    answers = scored.role("answer")
    return [answers, np.ones_like(answers)]


def _split(
    over: Ratios, order: list[Mix], factors: Sequence[str], level: float, replicates: int, seed: int
) -> tuple[Interval, dict[str, Interval]]:
    parts = parts_of(factors, frozenset(order))
    whole = Part(name="", factors=tuple(factors), weights=_difference(frozenset(factors), NOTHING))
    weights = [[part.weights.get(mix, 0.0) for mix in order] for part in (whole, *parts)]
    total, *found = contrasts(over, weights, level=level, replicates=replicates, seed=seed)
    return total.unless_few(), {p.name: i.unless_few() for p, i in zip(parts, found, strict=True)}
