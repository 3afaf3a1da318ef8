"""Gates: automated checks in a delivery pipeline. These constructors only declare; nothing heavy is imported.

    gates.beats_baseline(baseline="best_simple", metric="wape")

A gate measures (`gates/evidence/NAME.py`, wired by parameter name, see `measure.INPUTS`) and a pure rule judges what was
measured (`gates/rules/`). A limit that is left out here may be set in `policy.toml` under the gate's name; otherwise the
rule's own default holds (`rules.LIMITS`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from lockgate.declare import Gate
from lockgate.errors import UsageError
from lockgate.gates.arguments import COMPARABLE, METRICS, check_least, check_metric
from lockgate.gates.declaring import Number
from lockgate.gates.declaring import columns as _columns
from lockgate.gates.declaring import declared as _gate
from lockgate.gates.declaring import limits_as_text as _limits
from lockgate.gates.inspections import (
    budget,
    compatibility,
    documentation,
    export,
    formats,
    leakage,
    skew,
    split,
    staleness,
)
from lockgate.gates.parity import bounded_loss, calibration, error_parity, fairness, group_bias, representation

__all__ = [
    "beats_baseline",
    "bounded_loss",
    "budget",
    "calibration",
    "champion",
    "champion_slices",
    "compatibility",
    "custom",
    "documentation",
    "enough_good_data",
    "error_parity",
    "export",
    "fairness",
    "formats",
    "group_bias",
    "integration",
    "interval_coverage",
    "leakage",
    "no_leak",
    "quality",
    "ratchet",
    "representation",
    "skew",
    "slices",
    "split",
    "staleness",
]


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
    check_metric("beats_baseline", metric, COMPARABLE)
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
    check_metric("champion", metric, COMPARABLE)
    return _gate(name, "champion", rules[mode], {"metric": metric}, {"margin": margin})


def quality(
    metric: str, *, at_least: Number | None = None, at_most: Number | None = None, name: str | None = None
) -> Gate:  # fmt: skip
    """Is the release good enough by itself? A floor, a ceiling or both, here or in `policy.toml`.

    Args:
        at_least: for metrics where higher is better; the whole interval must lie at or above it.
        at_most: for errors; the whole interval must lie at or below it.
    """
    check_metric("quality", metric, (*METRICS, "auc", "ece"))
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
    check_metric("champion_slices", metric, COMPARABLE)
    check_least("champion_slices", min_n)
    params = {"metric": metric, "by": _columns("champion_slices", by), "min_n": min_n}
    return _gate(name, "champion_slices", "no_slice_worse", params, {"margin": margin})


def ratchet(metric: str = "wape", tolerance: Number | None = None, *, name: str = "ratchet") -> Gate:
    """Is the release no worse than the best that was ever approved? Many small steps back cannot add up.

    What each release measured is signed in the ledger. The ratchet moves only by a release that a person approved.

    Args:
        tolerance: how much worse than the best it may be, relative (default 0.05), as holdouts differ by chance.
    """
    check_metric("ratchet", metric, COMPARABLE)
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
    check_metric("slices", metric, COMPARABLE)
    check_least("slices", min_n)
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
    check_least("interval_coverage", min_n)
    params = {"by": _columns("interval_coverage", by), "min_n": min_n} if by else {}
    return _gate(name, "interval_coverage", "nominal", params, {"nominal": nominal, "tolerance": tolerance})


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
