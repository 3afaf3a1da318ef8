"""Check → predict → write down → answer: the one way a served answer is made, whatever face asked for it."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from lockgate.errors import NotFound, UsageError
from lockgate.records.digest import Json
from lockgate.records.prediction import Prediction
from lockgate.records.release import FieldSchema
from lockgate.records.wire import to_json
from lockgate.release.open import OpenRelease
from lockgate.serving.log import PredictionLog
from lockgate.serving.validate import Allowed, Checked, ChoiceIndex, FieldError, check, from_text

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Desk", "Invalid", "new_id", "query_of"]

REMEMBERED = 10_000  # answers whose reasons can be asked for by request id
MOST_REQUESTS = 1_000
MOST_ERRORS = 10
REPLAYED_DAYS = 16  # earlier days whose ranges are kept


class Invalid(UsageError):
    """A request that cannot be answered; `errors` has one entry per wrong field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        first = errors[0]
        super().__init__(first.message, value=str(first.value), allowed=first.allowed)
        self.errors = tuple(errors)


class Desk:
    """Where a release answers requests for one environment.

    Args:
        clock: the real time, for the log. identify: a new request id.
    """

    def __init__(
        self,
        release: OpenRelease,
        *,
        environment: str,
        log: PredictionLog,
        clock: Callable[[], dt.datetime],
        identify: Callable[[], str],
    ) -> None:
        self.release = release
        self.environment = environment
        self._log, self._clock, self._identify = log, clock, identify
        self._answered: OrderedDict[str, tuple[Mapping[str, object], dt.date]] = OrderedDict()
        self.allowed_on = functools.lru_cache(maxsize=REPLAYED_DAYS)(self._allowed_on)
        self.allowed = self._allowed_on(self.as_of)

    @property
    def as_of(self) -> dt.date:
        """The day the release believes it is."""
        return self.release.as_of

    @property
    def fields(self) -> tuple[FieldSchema, ...]:
        return self.release.request

    def answer(self, requests: Sequence[Json], *, as_of: dt.date | None = None) -> list[dict[str, Json]]:
        """Answer JSON requests; nothing is answered or logged when one of them is wrong.

        `as_of`: an earlier day to answer from, so that anybody may repeat what evaluation did; default: now.

        Raises Invalid; StepFailed when the predictor fails; ServiceUnavailable when the log cannot be written.
        """
        if len(requests) > MOST_REQUESTS:
            message = f"At most {MOST_REQUESTS:,} requests at once."
            error = FieldError(field="requests", value=len(requests), allowed=f"1 to {MOST_REQUESTS}", message=message)
            raise Invalid([error])
        day = self._day(as_of)
        with self._replaying(day):
            typed = self._checked(requests, day)
            outputs = self.release.answer(typed, day) if typed else []
        predictions = [self._prediction(i, o, day) for i, o in zip(typed, outputs, strict=True)]
        self._log.append(predictions)
        for prediction, inputs in zip(predictions, typed, strict=True):
            self._remember(prediction.request_id, inputs, day)
        return [self._reply(p) for p in predictions]

    def read_text(self, given: Mapping[str, str]) -> dict[str, Json]:
        """Form or query text as a JSON request."""
        return from_text(given, fields=self.fields, allowed=self.allowed)

    def explain(self, raw: Json) -> list[str]:
        """Reasons for a request, in sentences. Raises Invalid."""
        return self.release.explain(self._checked([raw]), self.as_of)[0]

    def explain_answer(self, request_id: str) -> tuple[dt.date, list[str]]:
        """The day an answer of this process was given from, and its reasons. Raises NotFound for any other id."""
        remembered = self._answered.get(request_id)
        if remembered is None:
            raise NotFound(
                "no such answer in this process",
                value=request_id,
                allowed=f"the last {REMEMBERED:,} answers since it started",
                next="/explain with the inputs of the request",
            )
        inputs, day = remembered
        with self._replaying(day):
            return day, self.release.explain([inputs], day)[0]

    def history(self, raw: Json, *, days: int) -> list[tuple[dt.date, float]]:
        """What happened in the last days before as-of, for this request."""
        return self.release.history(self._checked([raw])[0], self.as_of, days=days)

    def _allowed_on(self, day: dt.date) -> Allowed:
        return Allowed(
            choices={f.name: ChoiceIndex(self.release.choices(f.name, day)) for f in self.fields if f.choices},
            dates={f.name: span for f in self.fields if (span := self.release.dates(f.name, day))},
        )

    def _day(self, as_of: dt.date | None) -> dt.date:
        """The day to answer from: never later than the release's own, beyond which its state knows nothing."""
        day = as_of or self.as_of
        if day > self.as_of:
            message = f"This release knows nothing on or after {self.as_of}."
            error = FieldError(field="as_of", value=day.isoformat(), allowed=f"up to {self.as_of}", message=message)
            raise Invalid([error])
        return day

    @contextlib.contextmanager
    def _replaying(self, day: dt.date) -> Generator[None]:
        """What fails on a day before some state begins is the asker's to change, and no fault of the release."""
        try:
            yield
        except Invalid:
            raise
        except Exception as error:
            begins = self.release.state_begins
            if begins is None or day > begins:
                raise
            message = f"This release cannot answer as on that day: its state begins on {begins}."
            allowed = f"{begins + dt.timedelta(days=1)} to {self.as_of}"
            wrong = FieldError(field="as_of", value=day.isoformat(), allowed=allowed, message=message)
            raise Invalid([wrong]) from error

    def _checked(self, requests: Sequence[Json], day: dt.date | None = None) -> list[dict[str, object]]:
        allowed = self.allowed if day in (None, self.as_of) else self.allowed_on(day)
        results: list[Checked] = []
        errors: list[FieldError] = []
        for raw in requests:
            results.append(result := check(raw, fields=self.fields, allowed=allowed))
            errors += result.errors
            if len(errors) >= MOST_ERRORS:
                break  # the rest would only cost time: nothing is answered
        if errors:
            raise Invalid(errors[:MOST_ERRORS])
        return [dict(result.values) for result in results]

    def _prediction(self, inputs: Mapping[str, object], output: Mapping[str, Json], day: dt.date) -> Prediction:
        note = output.get("note")
        return Prediction(
            request_id=self._identify(),
            time=self._clock(),
            release=self.release.digest,
            environment=self.environment,
            as_of=day.isoformat(),
            inputs=cast("dict[str, Json]", to_json(inputs)),
            output={name: value for name, value in output.items() if name != "note"},
            note=note if isinstance(note, str) else None,
        )

    def _reply(self, prediction: Prediction) -> dict[str, Json]:
        return {
            "request_id": prediction.request_id,
            "release": prediction.release,
            "environment": prediction.environment,
            "as_of": prediction.as_of,
            "inputs": prediction.inputs,
            "output": prediction.output,
            **({"note": prediction.note} if prediction.note else {}),
            "links": {
                "explain": "/explain?" + urlencode({"request_id": prediction.request_id}),
                "page": "/?" + query_of(prediction.inputs),
                "release": "/release",
            },
        }

    def _remember(self, request_id: str, inputs: Mapping[str, object], day: dt.date) -> None:
        self._answered[request_id] = inputs, day
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)


def query_of(inputs: Mapping[str, Json]) -> str:
    """A request as the query that asks it again; what is not given is left out.

    >>> query_of({"income": 64.0, "bankruptcy": False, "assets": None})
    'income=64.0&bankruptcy=false'
    """
    given = {n: v for n, v in inputs.items() if v is not None}
    return urlencode({n: str(v).lower() if isinstance(v, bool) else v for n, v in given.items()})


def new_id(now: dt.datetime, random: bytes) -> str:
    """A request id that sorts by time: a UUID of version 7 from 10 random bytes.

    >>> new_id(dt.datetime(2011, 10, 15, tzinfo=dt.UTC), bytes(10))
    '013304e0-c800-7000-8000-000000000000'
    """
    milliseconds = int(now.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
