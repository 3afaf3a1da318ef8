"""What the simplest method of all would reach, the same answer for everybody: a release that decides has to beat that, too."""

from __future__ import annotations

from decimal import Decimal

from lockgate.records.evidence import Estimate
from lockgate.records.pack import Decided
from lockgate.release.wording import SHARE, between, decimal_of, number

__all__ = ["same_answer", "same_answer_is_as_good"]

ACCURACY = "accuracy"


def same_answer(every: Decided, overall: Estimate | None) -> str:
    """One sentence: how often the commoner answer for all would be right, beside this release where its metric is accuracy.

    >>> rows = Decided(by="all", group="all rows", right_yes=85, wrong_yes=10, right_no=2, wrong_no=3)
    >>> same_answer(rows, None)
    'The same answer for everybody, yes, would be right for 88.0% of the 100 rows.'
    """
    answer, share = _commoner(every)
    first = f"The same answer for everybody, {answer}, would be right for {number(str(share), SHARE)} of the {every.rows:,} rows"
    if overall is None or overall.name != ACCURACY or decimal_of(overall.value) is None:
        return f"{first}."
    mine = f"{number(overall.value, overall.unit)}, {between(overall)}"
    return f"{first}; this release is right for {mine}{_verdict(every, overall)}."


def _verdict(every: Decided, overall: Estimate) -> str:
    high = decimal_of(overall.high)
    if high is not None and high < _commoner(every)[1]:
        return ": it is worse"
    return ": not shown to be better" if same_answer_is_as_good(every, overall) else ""


def same_answer_is_as_good(every: Decided, overall: Estimate | None) -> bool:
    """Whether the release is not surely right more often than the same answer for everybody; False for other metrics."""
    if overall is None or overall.name != ACCURACY:
        return False
    low = decimal_of(overall.low if overall.low is not None else overall.value)
    return low is not None and low <= _commoner(every)[1]


def _commoner(every: Decided) -> tuple[str, Decimal]:
    yes, no = every.right_yes + every.wrong_no, every.right_no + every.wrong_yes
    return ("yes" if yes >= no else "no"), Decimal(max(yes, no)) / every.rows
