"""For whom is the release better than something else, and for whom not? Its metric beside that of each rival, in every group.

Rivals answer the same rows: the live release, the best simple method, and the same answer for everybody. An average hides
for whom a gain is, so all rows stand first and every group follows. Differences are paired, in the metric's own unit. All rows
have an interval of 95%; those of the groups hold for all groups at once (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lockgate.evaluation.comparison import on_common_rows
from lockgate.evaluation.contrasts import contrasts
from lockgate.evaluation.decided import YES_OR_NO
from lockgate.evaluation.intervals import Interval
from lockgate.evaluation.mcnemar import paired_shares
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import ratios
from lockgate.evaluation.scored import Scored
from lockgate.records.digest import Json
from lockgate.records.evidence import decimal
from lockgate.records.findings import BesideRival, RivalKind
from lockgate.records.wire import to_json

__all__ = ["method_in_words", "rivals"]

FEWEST = 30  # rows of a group whose number people see; gates have limits of their own
MOST_GROUPS = 40  # beside each rival; nobody reads more
ALPHA = 0.05
SAME = "same answer"  # a column that no table has


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rival:
    """`ours` and `theirs` are on identical rows."""

    kind: RivalKind
    words: str
    ours: Scored
    theirs: Scored


def rivals(
    scored: Scored, champion: Scored | None, by: Sequence[str] = (), metric: str = "wape", baseline: str = "best_simple"
) -> dict[str, Json]:
    """Hold the release against its rivals: a step of the engine. No rule reads it.

    Args:
        champion: the live release's answers; None: there is none. Rows that it was not asked are left out beside it.
        by: columns that group rows; those that the table lacks are passed over.
        baseline: column of the best simple method; passed over where the table lacks it.

    Returns:
        `rows`: `BesideRival`, rival by rival, all rows first, then the groups in the order of their columns.
        `not_assessed`: rivals and groups that could not be held against each other, with the reason.
    """
    measure = metric_named(metric, comparable=True)
    if measure.complaint(scored):
        return {"rows": [], "not_assessed": []}
    rows: list[Json] = []
    not_assessed: list[str] = []
    for rival in _rivals(scored, champion, baseline, measure):
        if why := measure.complaint(rival.theirs):
            not_assessed.append(f"{rival.words}: {why}")
            continue
        groups, more = _groups(rival.ours, by)
        not_assessed += [f"{rival.words}: {more} beyond the {MOST_GROUPS} first"] * bool(more)
        everybody = np.arange(len(rival.ours))
        rows.append(to_json(_beside(rival, "all", "all rows", everybody, measure, at_once=1)))
        rows += [to_json(_beside(rival, b, g, at, measure, at_once=len(groups))) for b, g, at in groups]
    return {"rows": rows, "not_assessed": not_assessed}


def method_in_words(scored: Scored, baseline: str) -> str:
    """A baseline by name: the method's own, when a column `BASELINE_method` holds one."""
    words = "the best simple method" if baseline == "best_simple" else f"the baseline {baseline.replace('_', ' ')}"
    column = f"{baseline}_method"
    names = sorted(set(scored.labels(column).tolist())) if column in scored.columns else []
    return f"{words} ({' or '.join(names)})" if 0 < len(names) <= 3 else words


def _rivals(scored: Scored, champion: Scored | None, baseline: str, measure: Metric) -> Iterator[_Rival]:
    if champion is not None:
        ours, theirs = on_common_rows(scored, champion)
        yield _Rival(kind="live", words="the live release", ours=ours, theirs=theirs)
    if baseline in scored.columns:
        words = method_in_words(scored, baseline)
        yield _Rival(kind="simple", words=words, ours=scored, theirs=scored.answering(baseline))
    if _is_right_or_wrong(scored, measure):
        truth = scored.role("truth")
        answer = float(truth.mean() >= 0.5)
        always = replace(scored, columns={**scored.columns, SAME: np.full(len(scored), answer)}).answering(SAME)
        words = f"the same answer for everybody ({'yes' if answer else 'no'})"
        yield _Rival(kind="same", words=words, ours=scored, theirs=always)


def _is_right_or_wrong(scored: Scored, measure: Metric) -> bool:
    """Whether the metric is the share of yes-or-no answers that are right: there one answer for all can look good."""
    sides = (scored.role("truth"), scored.role("answer"))
    return measure.name == "accuracy" and bool(len(scored)) and all(np.isin(s, YES_OR_NO).all() for s in sides)


def _groups(scored: Scored, by: Sequence[str]) -> tuple[list[tuple[str, str, NDArray[np.int64]]], str]:
    """Column, group and positions of its rows; and how many groups were left out."""
    found: list[tuple[str, str, NDArray[np.int64]]] = []
    for column in (c for c in dict.fromkeys(by) if c in scored.columns):
        names, code = scored.groups(column)
        members = ((str(name), np.flatnonzero(code == at)) for at, name in enumerate(names))
        found += [(column, name, rows) for name, rows in members if len(rows) >= FEWEST]
    left = len(found) - MOST_GROUPS
    return found[:MOST_GROUPS], f"{left} group{'s' * (left != 1)}" if left > 0 else ""


def _beside(rival: _Rival, by: str, group: str, at: NDArray[np.int64], measure: Metric, *, at_once: int) -> BesideRival:
    ours, theirs = rival.ours.subset(at), rival.theirs.subset(at)
    found = _difference(ours, theirs, measure, 1 - ALPHA / at_once)
    estimate = found.estimate("difference", measure.unit)
    return BesideRival(
        rival=rival.kind, words=rival.words, by=by, group=group, own=decimal(measure.value(ours)),
        theirs=decimal(measure.value(theirs)), difference=estimate, at_once=at_once,
    )  # fmt: skip


def _difference(ours: Scored, theirs: Scored, measure: Metric, level: float) -> Interval:
    """Ours minus theirs. Shares of single rows have a closed formula, which is honest where hardly any row differs, too."""
    if _is_right_or_wrong(ours, measure) and ours.unit == "row":
        one, other = (s.role("truth") == s.role("answer") for s in (ours, theirs))
        cells = [int(x.sum()) for x in (one & other, one & ~other, ~one & other, ~one & ~other)]
        return paired_shares(*cells, level=level)
    return contrasts(ratios(measure, [ours, theirs]), [(1, -1)], level=level)[0].unless_few()
