"""Is the release no worse than the best that was ever approved?"""

from __future__ import annotations

from lockgate.evaluation.metrics import metric_named
from lockgate.evaluation.resampling import SEED, single
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.gates.history import History, Measured, definition
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "ratchet"
NOTHING: dict[str, Json] = {"applicable": False, "why": "no approved release has been measured by this metric yet"}


def evidence(scored: Scored, history: History | None, *, metric: str, seed: int = SEED) -> Evidence:
    """Measure the metric, and find the best value that an approved release was signed with, with its interval.

    The first release has nothing to be held against; its number is recorded, so that the next one has.
    """
    measure = metric_named(metric, comparable=True)
    same = definition(measure)
    params: dict[str, Json] = {"metric": metric, "words": measure.words, "better": measure.better, "definition": same}
    if why := measure.complaint(scored):
        return unmeasured(KIND, metric, why, **params)
    known = [m for m in (history.measured if history else ()) if m.metric == metric]
    alike = [m for m in known if m.definition == same]
    found = single(measure, scored, seed=seed).estimate(metric, measure.unit)
    other = len(known) - len(alike)
    best = _best(alike, higher=measure.better == "higher")
    if best is not None:
        params |= {"release": best.release, "approved": best.approved.isoformat(), "holdout": best.holdout}
    elif found.value is not None:  # what cannot be measured fails, whatever it would have been held against
        params |= NOTHING
    return Evidence(
        gate=KIND, kind=KIND, statistic=found, params=params, seed=seed,
        also=(Estimate(name="best_approved", value=best.value, low=best.low, high=best.high, unit=measure.unit),) if best else (),
        not_assessed=(f"{other:,} approved releases that were measured by another definition of {metric}",) if other else (),
    )  # fmt: skip


def _best(measured: list[Measured], *, higher: bool) -> Measured | None:
    """The best value; of equal ones the oldest."""
    if not measured:
        return None
    return min(measured, key=lambda m: -float(m.value) if higher else float(m.value))
