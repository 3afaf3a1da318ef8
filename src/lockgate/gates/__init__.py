"""Gates: automated checks in a delivery pipeline. These constructors only declare; nothing heavy is imported.

    gates.beats_baseline(baseline="best_simple", metric="wape")

A gate measures (`gates/evidence/NAME.py`, wired by parameter name: `scored`, `champion`, `replayed`, `served`,
`release`) and a pure rule judges what was measured (`gates/rules/`). A limit that is left out here may be set in
`policy.toml` under the gate's name; otherwise the rule's own default holds (`rules.LIMITS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.gates.population import population

__all__ = [
    "beats_baseline",
    "bounded_loss",
    "calibration",
    "champion",
    "champion_slices",
    "custom",
    "enough_good_data",
    "error_parity",
    "fairness",
    "group_bias",
    "integration",
    "interval_coverage",
    "no_leak",
    "quality",
    "ratchet",
    "representation",
    "slices",
]

Number = int | float | str | Decimal


def enough_good_data(
    min_rows: Number | None = None, per: str | None = None, *, min_days: Number | None = None,
    max_bad_share: Number | None = None, name: str = "enough_good_data",
) -> Gate:  # fmt: skip
    """Is the holdout large and clean enough to judge anything?

    Args:
        min_rows: good rows needed; with `per`, in *each* group of that column. Good: dated, truth and answer known.
        min_days: different days needed (they are what is resampled).
        max_bad_share: share of rows that may lack a date, a truth or an answer, or name a row twice (default 0).
    """
    limits = {"min_rows": min_rows, "min_days": min_days, "max_bad_share": max_bad_share}
    return _gate(name, "enough_good_data", "enough", {"per": per}, limits)


def beats_baseline(
    baseline: str = "best_simple", metric: str = "wape", margin: Number | None = None, *, name: str = "beats_baseline"
) -> Gate:
    """Is the release better than a simple method on the same rows?

    Args:
        baseline: the column with the simple method's answers; a text column `BASELINE_method` may name the method.
        margin: how much better it must be, relative: 0.02 asks for 2% (default 0: better at all).
    """
    return _gate(name, "beats_baseline", "better", {"baseline": baseline, "metric": metric}, {"margin": margin})


def champion(
    metric: str = "wape", margin: Number | None = None,
    *, mode: Literal["non_inferior", "superior"] = "non_inferior", name: str = "champion",
) -> Gate:  # fmt: skip
    """Is the release at least as good as the live one, which answers the same rows as it would today?

    Args:
        margin: how much worse it may be, relative: 0.01 allows 1% (default 0: not worse). In mode `superior` how much
            better it must be (default 0: better at all).
        mode: `non_inferior`, or `superior`: for a change that costs something and must pay.
    """
    rules = {"non_inferior": "not_worse", "superior": "superior"}
    if mode not in rules:
        raise UsageError("gates.champion has no such mode", value=repr(mode), allowed=" or ".join(rules))
    return _gate(name, "champion", rules[mode], {"metric": metric}, {"margin": margin})


def quality(
    metric: str, *, at_least: Number | None = None, at_most: Number | None = None, name: str | None = None
) -> Gate:  # fmt: skip
    """Is the release good enough by itself? A floor, a ceiling or both, here or in `policy.toml`.

    Args:
        at_least: for metrics where higher is better; the whole interval must lie at or above it.
        at_most: for errors; the whole interval must lie at or below it.
    """
    limits = {"at_least": at_least, "at_most": at_most}
    return _gate(name or f"quality_{metric}", "quality", "within", {"metric": metric}, limits)


def champion_slices(
    metric: str = "wape", by: Sequence[str] = (), margin: Number | None = None, min_n: int = 200,
    *, name: str = "champion_slices",
) -> Gate:  # fmt: skip
    """Is no group served worse than by the live release? A better average must not be paid for by one group.

    Args:
        by: columns; every group of every column is compared with itself under the live release.
        margin: how much worse a group may be, relative (default 0).
        min_n: smaller groups are listed as not assessed.
    """
    params = {"metric": metric, "by": _columns("champion_slices", by), "min_n": min_n}
    return _gate(name, "champion_slices", "no_slice_worse", params, {"margin": margin})


def fairness(
    estimand: str, by: Sequence[str], max_difference: Number | None = None,
    *, min_ratio: Number | None = None, on: Literal["difference", "ratio"] | None = None,
    against: Literal["rest"] | Mapping[str, str] = "rest", crossed: int = 1, min_n: int = 100,
    better: Literal["higher", "lower"] | None = None, name: str | None = None,
) -> Gate:  # fmt: skip
    """Is any group of people answered otherwise than the rest? For yes-or-no answers.

    Args:
        estimand: what is compared: `selection_rate`, `tpr` (equal opportunity), `fpr`, `fnr`, `tnr`, `ppv`, `npv`, `accuracy`.
        by: columns with groups. With `crossed=2` every two columns are crossed, too (`sex & race`), with 3 every three.
        max_difference: the largest gap allowed, either way, as a share (default 0.10).
        min_ratio: instead of it, the smaller rate over the larger (default 0.8, the four-fifths rule).
        on: `ratio` to have the ratio judged while its limit stands in `policy.toml`.
        against: `rest`: all other rows; or a reference group per column, `{"sex": "male"}`.
        min_n: smaller groups (of a `tpr`, fewer positives) are listed as not assessed.
        better: which side is served better. It goes without saying but for `selection_rate`, where more is better unless
            you say `lower` (the answer is a burden, such as "high risk").
    """
    chosen = on or ("difference" if min_ratio is None else "ratio")
    if (chosen == "difference" and min_ratio is not None) or (chosen == "ratio" and max_difference is not None):
        raise UsageError(
            "gates.fairness judges the difference or the ratio", value="both limits", allowed="one of them; a gate each"
        )
    reference = _reference(against, by)
    params = {
        "estimand": estimand, "by": _columns("fairness", by), "on": chosen, "reference": reference, "crossed": crossed,
        "min_n": min_n, "better": better or "",
    }  # fmt: skip
    rule, limits = (
        ("gap_within", {"max_difference": max_difference})
        if chosen == "difference"
        else ("ratio_within", {"min_ratio": min_ratio})
    )
    return _gate(name or f"fairness_{estimand}", "fairness", rule, params, limits)


def error_parity(
    metric: str = "mae", by: Sequence[str] = (), worst_over_best: Number | None = None, min_n: int = 200,
    *, name: str = "error_parity",
) -> Gate:  # fmt: skip
    """Are errors about as large in every group of people? As `slices`, with the limit that fairness asks for.

    Args:
        worst_over_best: the largest ratio allowed between two groups' errors (default 1.25).
    """
    params = {"metric": metric, "by": _columns("error_parity", by), "min_n": min_n}
    return _gate(name, "slices", "parity_of_errors", params, {"worst_over_best": worst_over_best})


def bounded_loss(
    metric: str, by: Sequence[str], at_most: Number | None = None, *, crossed: int = 1, min_n: int = 200,
    name: str = "bounded_loss",
) -> Gate:  # fmt: skip
    """Is the error bounded in every group, whatever the average is?

    Args:
        at_most: no group's error may be larger; the upper ends of all groups' intervals must lie below. No default.
    """
    params = {"metric": metric, "by": _columns("bounded_loss", by), "crossed": crossed, "min_n": min_n}
    return _gate(name, "group_errors", "bounded", params, {"at_most": at_most})


def group_bias(
    by: Sequence[str], max_bias: Number | None = None, *, relative: bool = True, crossed: int = 1, min_n: int = 200,
    name: str = "group_bias",
) -> Gate:  # fmt: skip
    """Is nobody always given too much, or always too little? The signed bias of every group.

    Args:
        max_bias: how far from zero it may lie, either way. No default.
        relative: as a share of what happened in the group; False: in the unit of the truth.
    """
    metric = "relative_bias" if relative else "bias"
    params = {"metric": metric, "by": _columns("group_bias", by), "crossed": crossed, "min_n": min_n}
    return _gate(name, "group_errors", "unbiased", params, {"max_bias": max_bias})


def _reference(against: str | Mapping[str, str], by: Sequence[str]) -> dict[str, str]:
    """Column → reference group; nothing for the rest."""
    if against == "rest":
        return {}
    if isinstance(against, str) or not set(against) <= set(by):
        raise UsageError(
            "gates.fairness has no such reference",
            value=repr(against),
            allowed='"rest", or {"sex": "male"} for columns in `by`',
        )
    return {str(column): str(group) for column, group in against.items()}


def representation(
    by: str, reference: Mapping[str, Number] | str, tolerance: Number | None = None, *, name: str | None = None
) -> Gate:
    """Do the holdout and the training rows hold each group as often as the population that the release is for?

    Args:
        by: a column of the holdout (and of `trained_rows`, where these have it).
        reference: group → share; or a file of the project: a JSON object, or a CSV with the columns `group` and `share`.
        tolerance: how far a share may lie from it, either way (default 0.05).
    """
    params = {"by": by, "reference": population(reference)}
    return _gate(name or f"representation_{by}", "representation", "represented", params, {"tolerance": tolerance})


def ratchet(metric: str = "wape", tolerance: Number | None = None, *, name: str = "ratchet") -> Gate:
    """Is the release no worse than the best that was ever approved? Many small steps back cannot add up.

    What each release measured is signed in the ledger. The ratchet moves only by a release that a person approved.

    Args:
        tolerance: how much worse than the best it may be, relative (default 0.05), as holdouts differ by chance.
    """
    return _gate(name, "ratchet", "no_step_back", {"metric": metric}, {"tolerance": tolerance})


def slices(
    metric: str = "wape", by: Sequence[str] = (), worst_over_best: Number | None = None, min_n: int = 200,
    *, name: str = "slices",
) -> Gate:  # fmt: skip
    """Is no group served much worse than another?

    Args:
        by: columns; groups are compared within each.
        worst_over_best: the largest ratio allowed between two groups' metrics (default 1.5).
        min_n: smaller groups are listed as not assessed.
    """
    params = {"metric": metric, "by": _columns("slices", by), "min_n": min_n}
    return _gate(name, "slices", "alike", params, {"worst_over_best": worst_over_best})


def no_leak(tolerance: float = 1e-6, *, max_rows: Number | None = None, name: str = "no_leak") -> Gate:
    """Can the answers seen in training be had from what was known on their day?

    Training rows are replayed through the packaged release, each at its own `as_of`, if answers depend on the day.

    Args:
        tolerance: largest difference that counts as the same, relative above 1 and absolute below.
        max_rows: rows that may differ (default 0).
    """
    return _gate(name, "no_leak", "same_answers", {"tolerance": tolerance}, {"max_rows": max_rows})


def interval_coverage(
    nominal: Number | None = None, tolerance: Number | None = None, *, by: Sequence[str] = (), min_n: int = 200,
    name: str = "interval_coverage",
) -> Gate:  # fmt: skip
    """Do the answered intervals hold the truth as often as promised?

    Args:
        nominal: the promise (default 0.8).
        tolerance: how far the true share may lie from it (default 0.05).
        by: columns; the promise must hold in every group, too.
        min_n: smaller groups are listed as not assessed.
    """
    params = {"by": _columns("interval_coverage", by), "min_n": min_n} if by else {}
    return _gate(name, "interval_coverage", "nominal", params, {"nominal": nominal, "tolerance": tolerance})


def calibration(
    max_error: Number | None = None, *, min_slope: Number | None = None, max_slope: Number | None = None,
    by: Sequence[str] = (), min_n: int = 500, name: str = "calibration",
) -> Gate:  # fmt: skip
    """Do answered probabilities come true as often as they say, for everybody?

    Args:
        max_error: how far probabilities may be off on average, ten bins of equally many rows (default 0.05).
        min_slope: of what happened on the log odds that were said; below 1 is too sure (default 0.8).
        max_slope: above 1 is too timid (default 1.25).
        by: columns; every group must be calibrated, too.
        min_n: smaller groups are listed as not assessed, as the error is exaggerated on few rows.
    """
    limits = {"max_error": max_error, "min_slope": min_slope, "max_slope": max_slope}
    params = {"by": _columns("calibration", by) if by else [], "min_n": min_n}
    return _gate(name, "calibration", "calibrated", params, limits)


def integration(consumers: str | None = "consumers", *, name: str = "integration") -> Gate:
    """Does the deployed release answer over HTTP exactly as in evaluation, and do consumers' contracts hold?

    Args:
        consumers: folder of contract files (`lockgate.gates.served.Contract`), one JSON each; None: nobody consumes.
    """
    return _gate(name, "integration", "holds", {"consumers": consumers}, {})


def custom(
    function: Callable[..., object], *, at_most: Number | None = None, at_least: Number | None = None,
    name: str | None = None, **params: object,
) -> Gate:  # fmt: skip
    """An own gate: a plain function that returns `Evidence`, or an `Estimate` or `Interval` of one number.

    The function asks for what it needs by parameter name, as every gate does; `params` fill the others, and a name that
    is neither is refused before anything runs. Give exactly one of `at_most` and `at_least`; the interval is held
    against it. Start with `scored.require("truth", "answer")`: NaN compares as false, so a missing answer would hide.

    >>> def far_off(scored):
    ...     '''Share of answers that miss by more than ten units.'''
    >>> custom(far_off, at_most=0.05).limits
    {'at_most': '0.05'}
    """
    rule = "at_most" if at_most is not None else "at_least"
    limit = at_most if at_least is None else at_least
    if (at_most is None) == (at_least is None):
        raise UsageError("gates.custom needs exactly one limit", allowed="at_most=NUMBER or at_least=NUMBER")
    chosen = name or getattr(function, "__name__", "custom")
    return Gate(chosen, function, rule, dict(params), _limits(chosen, {rule: limit}))


def _columns(gate: str, by: Sequence[str]) -> list[str]:
    if isinstance(by, str) or not by:
        raise UsageError(f"gates.{gate} needs columns to slice by", value=repr(by), allowed='by=["volume_band"]')
    return list(by)


def _gate(name: str, kind: str, rule: str, params: Mapping[str, object], limits: Mapping[str, Number | None]) -> Gate:
    return Gate(name, f"lockgate.gates.evidence.{kind}:evidence", rule, params, _limits(name, limits))


def _limits(gate: str, limits: Mapping[str, Number | None]) -> dict[str, object]:
    """Decimal strings, so that no reader rounds a limit differently."""
    return {key: _decimal(gate, key, value) for key, value in limits.items() if value is not None}


def _decimal(gate: str, key: str, value: Any) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise UsageError(f"gate '{gate}': {key} is not a number", value=repr(value), allowed="a finite number")
    return format(number, "f")
