"""Join labels to served predictions: pure; and how often the truth lay inside the answered interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lockgate.records.digest import Json
    from lockgate.records.prediction import Prediction

__all__ = ["REQUEST_ID", "Joined", "Score", "as_text", "join", "score"]

REQUEST_ID = "request_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A served answer with what happened."""

    prediction: Prediction
    actual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Served answers with a label. `covered` of `intervals` hold it. Shares are None when nothing can be divided."""

    answers: int
    labelled: int
    absolute_error: float
    actual_total: float
    covered: int
    intervals: int

    @property
    def wape(self) -> float | None:
        """Absolute errors over absolute truths, as `evaluation.metrics.wape`; None when every truth is 0."""
        return self.absolute_error / self.actual_total if self.actual_total else None

    @property
    def coverage(self) -> float | None:
        """Share of labels inside the answered interval; None when no interval was answered."""
        return self.covered / self.intervals if self.intervals else None


def join(
    predictions: Sequence[Prediction], labels: Mapping[tuple[str, ...], float], *, keys: Sequence[str]
) -> list[Joined]:
    """Match answers and labels by the request's fields `keys`, or by `request_id`; answers without a label wait.

    Values are compared as `as_text` writes them. By fields, asking the same thing twice of one release counts once: the
    last answer stands.
    """
    last: dict[tuple[str, ...], Prediction] = {}
    for prediction in predictions:
        named = {**prediction.inputs, REQUEST_ID: prediction.request_id}
        last[(prediction.release, *(as_text(named.get(k)) for k in keys))] = prediction
    return [Joined(prediction=p, actual=labels[k[1:]]) for k, p in last.items() if k[1:] in labels]


def as_text(value: Json) -> str:
    """A value of a request as labels are matched by it: 64 and 64.0 are one number.

    >>> as_text(64), as_text(64.0), as_text(True), as_text(None), as_text("007")
    ('64.0', '64.0', 'true', '', '007')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, int | float) else str(value)


def score(joined: Sequence[Joined], *, answers: int, answer: str, low: str = "low", high: str = "high") -> Score:
    """Sum up joined answers; `answer`, `low` and `high` name response fields."""
    errors = [abs(float(j.prediction.output[answer]) - j.actual) for j in joined]
    inside = [_inside(j.prediction.output, j.actual, low, high) for j in joined]
    return Score(
        answers=answers, labelled=len(joined), absolute_error=sum(errors),
        actual_total=sum(abs(j.actual) for j in joined), covered=sum(inside),
        intervals=sum(low in j.prediction.output and high in j.prediction.output for j in joined),
    )  # fmt: skip


def _inside(output: Mapping[str, Json], actual: float, low: str, high: str) -> bool:
    return low in output and high in output and float(output[low]) <= actual <= float(output[high])
