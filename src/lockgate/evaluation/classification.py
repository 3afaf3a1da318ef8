"""Metrics of yes-or-no answers: the decision (`answer`, 0 or 1) and the probability behind it (`score`).

A rate counts rows among rows: `tpr` counts the yes answers among the rows whose truth is yes. Behind a rate stand the
rows of its bottom, so a group of 900 rows with nine positives has a `tpr` of nine rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lockgate.evaluation.metric import SHARE, Domain, Floats, Metric, Terms, floats, ratio

__all__ = [
    "CLASSIFICATION", "accuracy", "base_rate", "brier", "fnr", "fpr", "log_loss", "npv", "ppv", "selection_rate", "tnr", "tpr",
]  # fmt: skip

Rate = Callable[[ArrayLike, ArrayLike], float]
NEVER_CERTAIN = float(np.finfo(np.float64).eps)  # as scikit-learn: a wrong certainty costs 36, not infinity


def _accuracy_terms(truth: Floats, answer: Floats) -> Terms:
    return (truth == answer).astype(np.float64), np.ones_like(truth)


def _base_rate_terms(truth: Floats) -> Terms:
    return truth, np.ones_like(truth)


def _selection_rate_terms(truth: Floats, answer: Floats) -> Terms:
    return answer, np.ones_like(truth)


def _among(counted: Callable[[Floats, Floats], Floats], of: Callable[[Floats, Floats], Floats]) -> Callable[..., Terms]:
    """Rows that are counted among the rows `of` which they are counted."""

    def terms(truth: Floats, answer: Floats) -> Terms:
        bottom = of(truth, answer)
        return counted(truth, answer) * bottom, bottom

    return terms


_tpr_terms = _among(lambda _, answer: answer, lambda truth, _: truth)
_fpr_terms = _among(lambda _, answer: answer, lambda truth, _: 1 - truth)
_fnr_terms = _among(lambda _, answer: 1 - answer, lambda truth, _: truth)
_tnr_terms = _among(lambda _, answer: 1 - answer, lambda truth, _: 1 - truth)
_ppv_terms = _among(lambda truth, _: truth, lambda _, answer: answer)
_npv_terms = _among(lambda truth, _: 1 - truth, lambda _, answer: 1 - answer)


def _brier_terms(truth: Floats, score: Floats) -> Terms:
    return (score - truth) ** 2, np.ones_like(truth)


def _log_loss_terms(truth: Floats, score: Floats) -> Terms:
    said = np.clip(np.where(truth == 1, score, 1 - score), NEVER_CERTAIN, 1.0)
    return -np.log(said), np.ones_like(truth)


def _rate(terms: Callable[..., Terms], words: str) -> Rate:
    def rate(truth: ArrayLike, answer: ArrayLike) -> float:
        return ratio(terms(floats(truth), floats(answer)))

    rate.__doc__ = f"{words} NaN where there is none to count among."
    return rate


def accuracy(truth: ArrayLike, answer: ArrayLike) -> float:
    """Share of answers that equal the truth.

    >>> accuracy([1, 0, 1, 1], [1, 0, 0, 1])
    0.75
    """
    return ratio(_accuracy_terms(floats(truth), floats(answer)))


def base_rate(truth: ArrayLike) -> float:
    """Share of rows whose truth is yes.

    >>> base_rate([1, 0, 0, 1])
    0.5
    """
    return ratio(_base_rate_terms(floats(truth)))


def selection_rate(truth: ArrayLike, answer: ArrayLike) -> float:
    """Share of yes answers.

    >>> selection_rate([1, 0, 0, 1], [1, 0, 0, 0])
    0.25
    """
    return ratio(_selection_rate_terms(floats(truth), floats(answer)))


tpr = _rate(_tpr_terms, "Sensitivity, recall: share of yes answers among rows whose truth is yes.")
fpr = _rate(_fpr_terms, "Share of yes answers among rows whose truth is no.")
fnr = _rate(_fnr_terms, "Share of no answers among rows whose truth is yes.")
tnr = _rate(_tnr_terms, "Specificity: share of no answers among rows whose truth is no.")
ppv = _rate(_ppv_terms, "Precision: share of rows whose truth is yes among yes answers.")
npv = _rate(_npv_terms, "Share of rows whose truth is no among no answers.")


def brier(truth: ArrayLike, score: ArrayLike) -> float:
    """Mean squared difference of the probability and what happened (Brier 1950).

    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    return ratio(_brier_terms(floats(truth), floats(score)))


def log_loss(truth: ArrayLike, score: ArrayLike) -> float:
    """Mean of minus the logarithm of the probability given to what happened.

    >>> round(log_loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    """
    return ratio(_log_loss_terms(floats(truth), floats(score)))


BOTH: dict[str, Domain] = {"truth": "yes_no", "answer": "yes_no"}
SCORED: dict[str, Domain] = {"truth": "yes_no", "score": "probability"}

CLASSIFICATION: tuple[Metric, ...] = (
    Metric(
        name="accuracy", words="accuracy", function=accuracy, terms=_accuracy_terms,
        better="higher", bounds=SHARE, unit="share", meaning="the share of answers that are right",
    ),
    Metric(
        name="base_rate", words="share of yes in truth", function=base_rate, terms=_base_rate_terms, inputs=("truth",),
        better="neither", bounds=SHARE, unit="share", domains={"truth": "yes_no"},
        meaning="the share of rows in which it really happened",
    ),
    Metric(
        name="selection_rate", words="share of yes answers", function=selection_rate, terms=_selection_rate_terms,
        better="neither", bounds=SHARE, unit="share", domains=BOTH, meaning="how often the answer is yes, right or wrong",
    ),
    Metric(
        name="tpr", words="yes answers among those who should get one (true positive rate)", function=tpr, terms=_tpr_terms,
        better="higher", bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows whose truth is yes, the share that was answered yes",
    ),
    Metric(
        name="fpr", words="yes answers among those who should get a no (false positive rate)", function=fpr, terms=_fpr_terms,
        bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows whose truth is no, the share that was answered yes",
    ),
    Metric(
        name="fnr", words="answers of no among those who should get a yes (false negative rate)", function=fnr, terms=_fnr_terms,
        bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows whose truth is yes, the share that was answered no",
    ),
    Metric(
        name="tnr", words="answers of no among those who should get one (true negative rate)", function=tnr, terms=_tnr_terms,
        better="higher", bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows whose truth is no, the share that was answered no",
    ),
    Metric(
        name="ppv", words="yes answers that are right (precision)", function=ppv, terms=_ppv_terms,
        better="higher", bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows answered yes, the share whose truth is yes",
    ),
    Metric(
        name="npv", words="no answers that are right", function=npv, terms=_npv_terms,
        better="higher", bounds=SHARE, unit="share", domains=BOTH,
        meaning="of the rows answered no, the share whose truth is no",
    ),
    Metric(
        name="brier", words="squared error of the probability (Brier score)", function=brier, terms=_brier_terms,
        inputs=("truth", "score"), domains=SCORED,
        meaning="how far the probability is from what happened, squared; 0 is perfect, 0.25 is what a coin gets",
    ),
    Metric(
        name="log_loss", words="log loss of the probability", function=log_loss, terms=_log_loss_terms,
        inputs=("truth", "score"), domains=SCORED,
        meaning="how surprised the probability is by what happened; 0 is perfect, 0.69 is what a coin gets",
    ),
)  # fmt: skip
