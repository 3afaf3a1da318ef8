"""One served answer, as it stands in the prediction log; later joined by decision, label, reward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from lockgate.records.digest import Json

__all__ = ["Prediction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What was asked and answered, by which release, when.

    Attributes:
        time: when it was answered (UTC, the real clock).
        as_of: ISO date; the release saw only state before it.
        inputs, output: the request and response fields as JSON values (dates in ISO form).
        note: a sentence that belongs to the answer (a closed day), or None.
    """

    request_id: str
    time: dt.datetime
    release: str
    environment: str
    as_of: str
    inputs: Mapping[str, Json]
    output: Mapping[str, Json]
    note: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])
