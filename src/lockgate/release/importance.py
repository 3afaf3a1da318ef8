"""Steps that find out what a release looks at: by shuffling its inputs, by changing them, and by its own word.

Three views that need not agree. Shuffling measures what the answers would lose; the model's own contributions say how
far an input moves answers, right or wrong; where both rank one input far apart, a person should ask why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from lockgate import codecs
from lockgate.errors import LockgateError
from lockgate.evaluation.attribution import split
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.scored import Scored
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, decimal
from lockgate.records.findings import Dependence, DependencePoint, Importance
from lockgate.records.wire import to_json
from lockgate.release.client import ReleaseHost

__all__ = ["disagreements", "explained"]

SHUFFLED_ROWS = 2_000
VARIED_ROWS = 200
ASKED_ROWS = 300
SEED = 20261101
SHUFFLED = "shuffled"
TOP = 3


def explained(release: Path, holdout: Path, metric: str = "wape", truth: str = "actual") -> dict[str, Json]:
    """What the release looks at, by a sample of its holdout: a step of the engine.

    Returns:
        `importances`: `Importance`s, the most harmful to shuffle first; `dependences`: `Dependence`s; `own`: cause → share
        by the release's own reasons; `rows`: how many were shuffled; `missing`: what could not be found out, and why.
    """
    measure = metric_named(metric, comparable=True)
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as folder, ReleaseHost(release, f"sha256:{release.name}") as host:
        rows, harms = _harms(host, holdout, truth, measure, Path(folder), missing)
        own = _own(host, holdout, missing)
        fields = _tried("how answers move with each field", missing, lambda: host.vary(holdout, rows=VARIED_ROWS)) or []
    missing += [f"how answers move with {f['name']}: {f['why']}" for f in fields if f["why"]]
    return {
        "importances": [to_json(i) for i in _side_by_side(harms, own)],
        "dependences": [to_json(_dependence(f)) for f in fields if f["points"]],
        "own": {name: decimal(share) for name, share in own.items()},
        "rows": rows,
        "missing": list(missing),
    }


def disagreements(harms: Mapping[str, float], own: Mapping[str, float], clear: Collection[str]) -> dict[str, str]:
    """Inputs on which both views differ in a way that chance does not explain, in words.

    Either the model itself ranks an input among its first three and shuffling it does no harm that is clear, or it harms
    clearly, and among the most, and the model ranks it in its lower half. Only inputs that both name are ranked.

    Args:
        harms: input → harm of shuffling. own: input → share by the model's own word.
        clear: inputs whose harm lies above zero with its whole interval.

    >>> disagreements({"a": 4, "b": 3, "c": 2, "d": 1}, {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2}, {"a", "b", "c", "d"})
    {'a': 'shuffling ranks it 1 of 4, the model itself 4'}
    """
    names = [n for n in harms if n in own]
    if len(names) <= TOP:
        return {}
    by_harm, by_own = ({n: i for i, n in enumerate(sorted(names, key=lambda n: -side[n]), 1)} for side in (harms, own))
    found: dict[str, str] = {}
    for n in names:
        if by_own[n] <= TOP and n not in clear:
            found[n] = f"the model itself ranks it {by_own[n]} of {len(names)}, yet shuffling it does no clear harm"
        elif by_harm[n] <= TOP and n in clear and by_own[n] > (len(names) + 1) / 2:
            found[n] = f"shuffling ranks it {by_harm[n]} of {len(names)}, the model itself {by_own[n]}"
    return found


def _harms(
    host: ReleaseHost, holdout: Path, truth: str, measure: Metric, folder: Path, missing: list[str]
) -> tuple[int, dict[str, Estimate]]:
    """Rows of the sample, and input → change of the metric when it is shuffled; above zero is worse."""

    def ask() -> Json:
        return host.probe(holdout, rows=SHUFFLED_ROWS, truth=truth, seed=SEED, folder=folder)

    found = _tried("what shuffling an input does", missing, ask)
    if found is None:
        return 0, {}
    missing += [f"what shuffling {name} does: {why}" for name, why in found["failed"].items()]
    base = _load(folder / "as_it_is.npz")
    if why := base.complaint(*measure.inputs):
        missing.append(f"what shuffling an input does: {why}")
        return len(base), {}
    return len(base), {n: _harm(base, _load(folder / file), measure) for n, file in found["inputs"].items()}


def _harm(base: Scored, shuffled: Scored, measure: Metric) -> Estimate:
    """On identical rows; what both share, such as hard days, cancels out."""
    if why := shuffled.complaint(*measure.inputs):
        return Estimate(name=measure.name, value=None, why=why, unit=measure.unit)
    total, _ = split({frozenset(): base, frozenset([SHUFFLED]): shuffled}, [SHUFFLED], metric=measure)
    estimate = total.estimate(measure.name, measure.unit)
    return estimate if measure.better == "lower" else _turned(estimate)


def _turned(estimate: Estimate) -> Estimate:
    """A score that falls is a harm that rises."""
    sides = [None if v is None else decimal(0.0 - float(v)) for v in (estimate.value, estimate.high, estimate.low)]
    return replace(estimate, value=sides[0], low=sides[1], high=sides[2])


def _own(host: ReleaseHost, holdout: Path, missing: list[str]) -> dict[str, float]:
    """Cause → share of what the release says moves its answers, the largest first."""
    found = _tried("the model's own contributions", missing, lambda: host.contribute(holdout, rows=ASKED_ROWS))
    if found is None:
        return {}
    whole = sum(found.values())
    if not whole > 0:
        missing.append("the model's own contributions: its explanation gives words, but no numbers (lockgate.Reason)")
        return {}
    return {n: v / whole for n, v in sorted(found.items(), key=lambda item: (-item[1], item[0]))}


def _side_by_side(harms: Mapping[str, Estimate], own: Mapping[str, float]) -> list[Importance]:
    values = {n: float(e.value) for n, e in harms.items() if e.value is not None}
    clear = {n for n, e in harms.items() if e.low is not None and float(e.low) > 0}
    apart = disagreements(values, own, clear)
    ranked = sorted(harms, key=lambda n: (n not in values, -values.get(n, 0.0), n))
    return [
        Importance(name=n, harm=harms[n], own=decimal(own[n]) if n in own else None, disagrees=apart.get(n, ""))
        for n in ranked
    ]


def _dependence(field: Mapping[str, Json]) -> Dependence:
    points = (
        DependencePoint(value=p["value"], **{n: decimal(p[n]) or "" for n in ("mean", "low", "high")})
        for p in cast("Sequence[Mapping[str, Json]]", field["points"])
    )
    return Dependence(name=field["name"], rows=field["rows"], points=tuple(points))


def _tried(what: str, missing: list[str], ask: Callable[[], Json]) -> Json:
    """The answer, or None with the reason among what is missing: one view less is no reason to show no page."""
    try:
        return ask()
    except LockgateError as error:
        missing.append(f"{what}: {error.what}" + (f": {error.value}" if error.value else ""))
        return None


def _load(path: Path) -> Scored:
    return cast("Scored", codecs.load("columns.npz", path, Scored))
