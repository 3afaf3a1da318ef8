"""Does a probability of 0.8 come true in 8 of 10 cases, for everybody?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.calibration import Calibration, calibration, complaint
from lockgate.evaluation.joint import sidak
from lockgate.evaluation.resampling import SEED
from lockgate.evaluation.scored import Scored
from lockgate.gates.evidence import unmeasured
from lockgate.records.digest import Json
from lockgate.records.evidence import Evidence, GroupEstimate, decimal

__all__ = ["EVERYBODY", "evidence"]

KIND = "calibration"
NAME = "calibration_error"
EVERYBODY = "all answers"
LEVEL = 0.95
REPLICATES = 1_000
MOST_ROWS = 20_000
"""More rows than this, of all or of one group, are drawn from at random: the error's interval recomputes it a thousand times."""


def evidence(scored: Scored, *, by: Sequence[str] = (), min_n: int = 500, seed: int = SEED) -> Evidence:
    """Measure the calibration error (ECE over ten bins of equally many rows) and the slope, over all rows and per group.

    Every row of `groups` is one of the two, named `calibration_error` or `slope`; their intervals hold all at once.
    `extra["bins"]`: what was said and what happened per bin, for the figure.
    """
    params: dict[str, Json] = {"by": list(by), "min_n": min_n}
    if why := scored.complaint("truth") or _no_score(scored) or complaint(scored):
        return unmeasured(KIND, NAME, why, **params)
    order = np.lexsort((*(scored.labels(c) for c in by), scored.role("score"), scored.role("truth")))
    parts, left_out = _parts(scored.subset(order), by, min_n)  # the order of the rows must not matter
    level = sidak(LEVEL, 2 * len(parts))
    found = [
        (column, name, calibration(part, level=level, replicates=REPLICATES, seed=seed)) for column, name, part in parts
    ]
    groups = [g for column, name, made in found for g in _estimates(column, name, made)]
    known = [g for g in groups if g.estimate.low is not None]
    unknown = [g for g in groups if g.estimate.low is None and groups[0].estimate.low is not None]
    left_out += [f"{g.by} = {g.group}: {g.estimate.name}: {g.estimate.why}" for g in unknown]
    overall = found[0][2]
    return Evidence(
        gate=KIND, kind=KIND, statistic=groups[0].estimate, groups=tuple(known), params=params, seed=seed,
        also=(groups[1].estimate, overall.intercept.estimate("intercept")), not_assessed=tuple(left_out),
        extra={"bins": [_bins(column, name, made) for column, name, made in found]},
    )  # fmt: skip


def _no_score(scored: Scored) -> str:
    return "" if scored.score else "the predictor answers no probability (a field `score`)"


def _parts(scored: Scored, by: Sequence[str], min_n: int) -> tuple[list[tuple[str, str, Scored]], list[str]]:
    """All rows, then every group that is large enough; and those that are not."""
    parts, left_out = [(EVERYBODY, "yes", _drawn(scored, np.arange(len(scored))))], list[str]()
    left_out += [f"all but {MOST_ROWS:,} rows, drawn at random"] if len(scored) > MOST_ROWS else []
    for column in dict.fromkeys(by):
        names, group = scored.groups(column)
        for at, name in enumerate(names.tolist()):
            rows = np.flatnonzero(group == at)
            if why := _too_small(scored, rows, min_n):
                left_out.append(f"{column} = {name}: {why}")
            else:
                parts.append((column, name, _drawn(scored, rows)))
    return parts, left_out


def _too_small(scored: Scored, rows: np.ndarray, min_n: int) -> str:
    """Why these rows alone say nothing, or nothing: too few, or on too few days or clusters."""
    if len(rows) < min_n:
        return f"{len(rows):,} row{'s' * (len(rows) != 1)}, fewer than {min_n:,}"
    blocks = LEAST_BLOCKS if scored.unit == "row" else len(np.unique(scored.column(scored.blocks)[rows]))
    unit = scored.unit
    return "" if blocks >= LEAST_BLOCKS else f"rows on {blocks} {unit}{'s' * (blocks != 1)}, fewer than {LEAST_BLOCKS}"


def _drawn(scored: Scored, rows: np.ndarray) -> Scored:
    """At most so many of these rows; whole clusters or days are not kept together, which only loses rows of each."""
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(SEED).permutation(len(rows))[:MOST_ROWS])]
    return scored.subset(rows)


def _estimates(column: str, name: str, made: Calibration) -> list[GroupEstimate]:
    """Both at the level that they have together."""
    two = (made.error.estimate(NAME, "share"), made.slope.estimate("slope"))
    return [GroupEstimate(by=column, group=name, estimate=replace(e, level=f"{LEVEL:g}")) for e in two]


def _bins(column: str, name: str, made: Calibration) -> Json:
    """Decimal strings, as all numbers that people may act on."""
    rows = [
        {"said": decimal(b.said), "happened": decimal(b.happened.value), "low": decimal(b.happened.low),
         "high": decimal(b.happened.high), "n": b.happened.n}
        for b in made.bins
    ]  # fmt: skip
    return {"by": column, "group": name, "bins": rows}
