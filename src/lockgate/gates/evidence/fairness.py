"""Is any group of people answered otherwise than the rest? Rates per group, and how far each lies from the others'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from lockgate.errors import UsageError
from lockgate.evaluation.groups import Gap, group_gaps
from lockgate.evaluation.metrics import SHARE, metric_named
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate, decimal

__all__ = ["evidence"]

KIND = "fairness"
On = Literal["difference", "ratio"]


def evidence(
    scored: Scored, *, estimand: str, by: Sequence[str], on: On, reference: Mapping[str, str], crossed: int, min_n: int,
    better: str = "", seed: int = SEED,
) -> Evidence:  # fmt: skip
    """Measure each group's rate against that of the rest or of a reference group; intervals hold for all groups at once.

    Each group's estimate is the difference (or the smaller rate over the larger), with both rates and what this many
    rows can tell in `extra`. `better`: which side is served better where the rate itself does not say so.
    """
    measure = metric_named(estimand)
    good = better or ("higher" if measure.better == "neither" else measure.better)
    params: dict[str, Json] = {"metric": estimand, "words": measure.words, "by": list(by), "better": good, "on": on}
    params |= {"against": "a reference group" if reference else "the rest", "min_n": min_n, "crossed": crossed}
    if measure.bounds != SHARE:
        what = "fairness compares rates"
        raise UsageError(what, value=estimand, allowed="selection_rate, tpr, fpr, fnr, tnr, ppv, npv or accuracy")
    if why := measure.complaint(scored) or _no_such_group(scored, reference):
        return unmeasured(KIND, on, why, **params)
    found = group_gaps(scored, list(by), metric=measure, reference=reference, crossed=crossed, min_n=min_n, seed=seed)
    groups = [_group(gap, on) for gap in found.groups if on == "difference" or gap.parity.known]
    if not groups:
        return replace(unmeasured(KIND, on, _nobody(found.not_assessed), **params), not_assessed=found.not_assessed)
    groups.sort(key=lambda g: (_order(g, on), g.by, g.group))
    return Evidence(
        gate=KIND, kind=KIND, statistic=groups[0].estimate, groups=tuple(groups), params=params, seed=seed,
        also=(found.overall.estimate(estimand, measure.unit),), not_assessed=found.not_assessed,
    )  # fmt: skip


def _no_such_group(scored: Scored, reference: Mapping[str, str]) -> str:
    """A reference that nobody belongs to is a mistake in writing, and would judge nobody."""
    for column, group in reference.items():
        names = scored.groups(column)[0].tolist() if column in scored.columns else []
        if names and group not in names:
            return f"{column} has no group '{group}' to hold others against (there: {', '.join(names[:6])})"
    return ""


def _group(gap: Gap, on: On) -> GroupEstimate:
    """The group's own number, whom it is held against, and how little a group of this size could be told from it."""
    estimate = (gap.difference if on == "difference" else gap.parity).estimate(
        on, "share" if on == "difference" else "times"
    )
    said: dict[str, Json] = {
        "own": decimal(gap.value.value), "against": decimal(gap.other.value), "whom": gap.against, "rows": gap.value.n,
        "own_low": decimal(gap.value.low), "own_high": decimal(gap.value.high),
        "reach": decimal(gap.reach), "detectable": decimal(gap.detectable),
    }  # fmt: skip
    return GroupEstimate(by=gap.by, group=gap.name, estimate=replace(estimate, extra={**estimate.extra, **said}))


def _order(found: GroupEstimate, on: On) -> float:
    value = float(found.estimate.value or "nan")
    return -abs(value) if on == "difference" else value


def _nobody(not_assessed: Sequence[str]) -> str:
    some = f" ({'; '.join(not_assessed[:3])})" if not_assessed else ""
    return f"no group is large enough to be judged{some}"
