"""Gates on groups of people, or of anything else: rates, errors, bias, calibration and representation, for everybody.

They are part of `lockgate.gates`; here only because one file of all constructors would be too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.gates.arguments import COMPARABLE, METRICS, RATES, check_better, check_crossed, check_least, check_metric
from lockgate.gates.declaring import Number, columns, declared
from lockgate.gates.population import population

__all__ = ["bounded_loss", "calibration", "error_parity", "fairness", "group_bias", "representation"]


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
    check_metric("fairness", estimand, RATES)
    check_better("fairness", better)
    check_crossed("fairness", crossed)
    check_least("fairness", min_n)
    if on not in (None, "difference", "ratio"):
        raise UsageError("gates.fairness: on is wrong", value=repr(on), allowed="'difference' or 'ratio'")
    chosen = on or ("difference" if min_ratio is None else "ratio")
    if (chosen == "difference" and min_ratio is not None) or (chosen == "ratio" and max_difference is not None):
        raise UsageError(
            "gates.fairness judges the difference or the ratio", value="both limits", allowed="one of them; a gate each"
        )
    reference = _reference(against, by)
    params = {
        "estimand": estimand, "by": columns("fairness", by), "on": chosen, "reference": reference, "crossed": crossed,
        "min_n": min_n, "better": better or "",
    }  # fmt: skip
    rule, limits = (
        ("gap_within", {"max_difference": max_difference})
        if chosen == "difference"
        else ("ratio_within", {"min_ratio": min_ratio})
    )
    return declared(name or f"fairness_{estimand}", "fairness", rule, params, limits)


def error_parity(
    metric: str = "mae", by: Sequence[str] = (), worst_over_best: Number | None = None, min_n: int = 200,
    *, name: str = "error_parity",
) -> Gate:  # fmt: skip
    """Are errors about as large in every group of people? As `slices`, with the limit that fairness asks for.

    Args:
        worst_over_best: the largest ratio allowed between two groups' errors (default 1.25).
    """
    check_metric("error_parity", metric, COMPARABLE)
    check_least("error_parity", min_n)
    params = {"metric": metric, "by": columns("error_parity", by), "min_n": min_n}
    return declared(name, "slices", "parity_of_errors", params, {"worst_over_best": worst_over_best})


def bounded_loss(
    metric: str, by: Sequence[str], at_most: Number | None = None, *, crossed: int = 1, min_n: int = 200,
    name: str = "bounded_loss",
) -> Gate:  # fmt: skip
    """Is the error bounded in every group, whatever the average is?

    Args:
        at_most: no group's error may be larger; the upper ends of all groups' intervals must lie below. No default.
    """
    check_metric("bounded_loss", metric, METRICS)
    check_crossed("bounded_loss", crossed)
    check_least("bounded_loss", min_n)
    params = {"metric": metric, "by": columns("bounded_loss", by), "crossed": crossed, "min_n": min_n}
    return declared(name, "group_errors", "bounded", params, {"at_most": at_most})


def group_bias(
    by: Sequence[str], max_bias: Number | None = None, *, relative: bool = True, crossed: int = 1, min_n: int = 200,
    name: str = "group_bias",
) -> Gate:  # fmt: skip
    """Is nobody always given too much, or always too little? The signed bias of every group.

    Args:
        max_bias: how far from zero it may lie, either way. No default.
        relative: as a share of what happened in the group; False: in the unit of the truth.
    """
    check_crossed("group_bias", crossed)
    check_least("group_bias", min_n)
    metric = "relative_bias" if relative else "bias"
    params = {"metric": metric, "by": columns("group_bias", by), "crossed": crossed, "min_n": min_n}
    return declared(name, "group_errors", "unbiased", params, {"max_bias": max_bias})


def representation(
    by: str, reference: Mapping[str, Number] | str, tolerance: Number | None = None,
    *, rows: Literal["both", "holdout", "training"] = "both", name: str | None = None,
) -> Gate:  # fmt: skip
    """Do the holdout and the training rows hold each group as often as the population that the release is for?

    Args:
        by: a column of the holdout (and of `trained_rows`, where these have it: of those, the ones that are replayed).
        reference: group → share; or a file of the project: a JSON object, or a CSV with the columns `group` and `share`.
        tolerance: how far a share may lie from it, either way (default 0.05).
        rows: whose shares are judged; where `trained_rows` keeps a small sample, its intervals are as wide as that makes them.
    """
    if rows not in ("both", "holdout", "training"):
        raise UsageError(
            "gates.representation: rows is wrong", value=repr(rows), allowed="'both', 'holdout' or 'training'"
        )
    params = {"by": by, "reference": population(reference), **({"rows": rows} if rows != "both" else {})}
    return declared(name or f"representation_{by}", "representation", "represented", params, {"tolerance": tolerance})


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
    check_least("calibration", min_n)
    limits = {"max_error": max_error, "min_slope": min_slope, "max_slope": max_slope}
    params = {"by": columns("calibration", by) if by else [], "min_n": min_n}
    return declared(name, "calibration", "calibrated", params, limits)


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
