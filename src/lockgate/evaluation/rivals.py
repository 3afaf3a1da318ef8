"""For whom is the release better than something else, and for whom not? Its metric beside that of each rival, in every group.

Rivals answer the same rows: the live release, the best simple method, and the same answer for everybody. An average hides
for whom a gain is, so all rows stand first and every group follows. The same answer is the commoner one of these very rows, so it
looks a little better than it is. Differences are paired, in the metric's own unit. All rows
have an interval of 95%; those of the groups hold for all groups at once (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from lockgate.errors import UsageError
from lockgate.evaluation.blocks import LEAST_BLOCKS
from lockgate.evaluation.comparison import on_common_rows
from lockgate.evaluation.decided import YES_OR_NO
from lockgate.evaluation.intervals import Interval, too_few
from lockgate.evaluation.mcnemar import right_more_often
from lockgate.evaluation.metrics import Metric, metric_named
from lockgate.evaluation.resampling import Ratios, apart, ratios
from lockgate.evaluation.scored import Scored
from lockgate.evaluation.verdict_chances import reach_of
from lockgate.records.digest import Json
from lockgate.records.evidence import decimal
from lockgate.records.findings import BesideRival, RivalKind
from lockgate.records.wire import to_json

__all__ = ["method_in_words", "rivals"]

FEWEST = 30  # rows of a group whose number people see; gates have limits of their own
MOST_GROUPS = 40  # beside each rival, shared out among the columns; nobody reads more
ALPHA = 0.05
LIVE = "the live release"
EVERYBODY = "all"  # how all rows stand in `by`; a column of that name could not be told from them
LONGEST_NAME = 80  # characters of a method's name: it stands in sentences
SAME = "lockgate:same_answer"  # a column that no table has


Groups = list[tuple[str, str, NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rival:
    """Two answers; `theirs` of a live release may be to other rows until both are cut to those that they share.

    `counted`: the metric is the share of yes-or-no answers that are right.
    """

    kind: RivalKind
    words: str
    ours: Scored
    theirs: Scored
    counted: bool


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
    if why := measure.complaint(scored):
        return {"rows": [], "not_assessed": [f"any other answer: {why}"]}
    rows: list[Json] = []
    not_assessed: list[str] = []
    for found in _rivals(scored, champion, baseline, measure):
        rival, why = _on_common_rows(found, measure)
        if why:
            not_assessed.append(f"{rival.words}: {why}")
            continue
        groups, left_out = _groups(rival.ours, by)
        not_assessed += [f"{rival.words}: {line}" for line in left_out]
        rival = replace(rival, ours=_measured_only(rival.ours), theirs=_measured_only(rival.theirs))
        everybody = np.arange(len(rival.ours))
        rows.append(to_json(_beside(rival, EVERYBODY, "all rows", everybody, measure, at_once=1)))
        rows += [to_json(_beside(rival, b, g, at, measure, at_once=len(groups))) for b, g, at in groups]
    return {"rows": rows, "not_assessed": not_assessed}


def method_in_words(scored: Scored, baseline: str) -> str:
    """A baseline by name: the method's own, when a column `BASELINE_method` holds one."""
    words = "the best simple method" if baseline == "best_simple" else f"the baseline {baseline.replace('_', ' ')}"
    column = f"{baseline}_method"
    names = sorted(set(scored.labels(column).tolist())) if column in scored.columns else []
    name = " or ".join(names)
    name = f"{name[:LONGEST_NAME]}…" if len(name) > LONGEST_NAME else name
    return f"{words} ({name})" if 0 < len(names) <= 3 else words


def _rivals(scored: Scored, champion: Scored | None, baseline: str, measure: Metric) -> Iterator[_Rival]:
    counted = measure.name == "accuracy" and _is_yes_or_no(scored)
    if champion is not None:
        yield _Rival(kind="live", words=LIVE, ours=scored, theirs=champion, counted=counted)
    if baseline in scored.columns:
        words = method_in_words(scored, baseline)
        yield _Rival(kind="simple", words=words, ours=scored, theirs=scored.answering(baseline), counted=counted)
    if counted:
        answer = float(scored.role("truth").mean() >= 0.5)
        always = replace(scored, columns={**scored.columns, SAME: np.full(len(scored), answer)}).answering(SAME)
        words = f"the same answer for everybody ({'yes' if answer else 'no'})"
        yield _Rival(kind="same", words=words, ours=scored, theirs=always, counted=counted)


def _is_yes_or_no(scored: Scored) -> bool:
    return all(bool(np.isin(side, YES_OR_NO).all()) for side in (scored.role("truth"), scored.role("answer")))


def _on_common_rows(rival: _Rival, measure: Metric) -> tuple[_Rival, str]:
    """Both sides cut to the rows that they share; or why they cannot be compared, which leaves the other rivals as they are."""
    ours, theirs = rival.ours, rival.theirs
    try:
        if rival.kind == "live":  # the others are of the very same rows
            ours, theirs = on_common_rows(ours, theirs)
        why = measure.complaint(theirs)
        if not why and rival.counted and not _is_yes_or_no(theirs):
            why = "it answers something else than yes or no"
    except UsageError as error:
        return rival, error.what
    return replace(rival, ours=ours, theirs=theirs), why


def _measured_only(scored: Scored) -> Scored:
    """Without the columns that no metric reads: each group's rows are copied."""
    roles = (
        scored.truth,
        scored.answer,
        scored.day,
        scored.cluster,
        scored.low,
        scored.high,
        scored.score,
        scored.scale,
    )
    return replace(scored, columns={name: scored.columns[name] for name in roles if name}, keys=())


def _groups(scored: Scored, by: Sequence[str]) -> tuple[Groups, list[str]]:
    """Column, group and positions of its rows, the largest of each column; and how many of which column were left out, and why."""
    columns = [c for c in dict.fromkeys(by) if c in scored.columns and c != EVERYBODY]
    most = MOST_GROUPS // max(1, len(columns)) or 1
    found: Groups = []
    left_out: list[str] = []
    for column in columns:
        names, code = scored.groups(column)
        rows = np.bincount(code, minlength=len(names))
        large = np.flatnonzero(rows >= FEWEST)
        kept = np.sort(large[np.argsort(-rows[large], kind="stable")][:most])
        found += [(column, str(names[at]), np.flatnonzero(code == at)) for at in kept]
        if small := len(names) - len(large):
            left_out.append(f"{small:,} group{'s' * (small != 1)} of {column} with fewer than {FEWEST} rows")
        if more := len(large) - len(kept):
            left_out.append(f"{more:,} group{'s' * (more != 1)} of {column} beyond the {most} largest")
    return found, left_out


def _beside(rival: _Rival, by: str, group: str, at: NDArray[np.int64], measure: Metric, *, at_once: int) -> BesideRival:
    ours, theirs = rival.ours.subset(at), rival.theirs.subset(at)
    level = 1 - ALPHA / at_once
    closed = rival.counted and ours.unit == "row"  # honest where hardly any row differs, too
    found = (
        right_more_often(ours, theirs, level=level) if closed else _over_blocks(ratios(measure, [ours, theirs]), level)
    )
    estimate = found.estimate("difference", measure.unit)
    return BesideRival(
        rival=rival.kind, words=rival.words, by=by, group=group, own=decimal(measure.value(ours)),
        theirs=decimal(measure.value(theirs)), difference=estimate, at_once=at_once,
    )  # fmt: skip


def _over_blocks(over: Ratios, level: float) -> Interval:
    """Student's t over whole days, clusters or rows, by linearisation of both ratios.

    It holds where days vary as they did here; a rare bad day that the test has not seen is not in it.
    """
    value, error = apart(over, 0, 1)
    found = Interval(
        value=value, low=nan, high=nan, level=level, n=int(over.n.min()), blocks=0 if over.unit == "row" else over.blocks,
        block=over.unit, method=f"Student's t over {over.blocks:,} {over.unit}s, linearised",
    )  # fmt: skip
    if why := _too_little(over, value, error):
        return replace(found, why=why)
    reach = reach_of(level, freedom=max(1, over.blocks - 1)) * error
    return replace(found, low=value - reach, high=value + reach)


def _too_little(over: Ratios, value: float, error: float) -> str:
    """Why nothing can be said: too few of what is counted, too few days, or no variation from which to tell how sure it is."""
    if not isfinite(value):
        return "undefined on these rows, as nothing happened there"
    if value == error == 0:
        return ""  # the same answers
    if (n := int(over.n.min())) < FEWEST:
        return f"{n:,} rows behind it, fewer than {FEWEST}"
    if over.blocks < LEAST_BLOCKS:
        return too_few(over.blocks, over.unit)
    return "" if error else f"every {over.unit} differs by the same, so nothing says how sure that is"
