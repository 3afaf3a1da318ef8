"""What a release is made of: the manifest, whose sha256 names the release.

The manifest lists every other file with its digests, so that one digest binds all bytes. It holds no time
and no path of the machine that built it: the same inputs give the same release anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lockgate.records.digest import Json, canonical, sha256_bytes
from lockgate.records.wire import to_json

__all__ = [
    "FORMAT",
    "ChartSchema",
    "ChoicesSchema",
    "FieldSchema",
    "FieldType",
    "FileEntry",
    "HorizonSchema",
    "Lineage",
    "Manifest",
    "PredictorSpec",
    "Roles",
    "StateEntry",
    "ValueEntry",
    "roles_of",
]

FORMAT = "lockgate.release/1"

FieldType = Literal["string", "date", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of a release. `path` is relative with `/`; sha256 is for auditors, blake3 for the store."""

    path: str
    sha256: str
    blake3: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEntry:
    """A value that the predictor takes as a parameter: where it lies and how to read it."""

    path: str
    codec: str
    type: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntry:
    """A table that the predictor looks into; cut to rows whose `time_column` is before `as_of`."""

    path: str
    codec: str
    type: str
    digest: str
    time_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoicesSchema:
    """The field's value must stand in `column` of the state table; `label` is the column people read."""

    state: str
    column: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonSchema:
    """The field's date may be as-of + 1 up to the `days`-th open day; `closed` is `module:qualname`."""

    days: int
    closed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSchema:
    """One field of a request or a response, as pure JSON: forms, checks and docs are drawn from it.

    `extra` holds `minimum` and `maximum` of a number that has them, and what a boolean's `yes` and `no` mean in words.
    """

    name: str
    type: FieldType
    label: str
    required: bool = True
    default: Json = None
    help: str = ""
    unit: str = ""
    choices: ChoicesSchema | None = None
    horizon: HorizonSchema | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def minimum(self) -> float | None:
        """The smallest number allowed; None: no end."""
        return self.extra.get("minimum")

    @property
    def maximum(self) -> float | None:
        """The largest number allowed; None: no end."""
        return self.extra.get("maximum")

    def takes(self, number: float) -> bool:
        """Whether a number lies in the range."""
        low, high = self.minimum, self.maximum
        return (low is None or number >= low) and (high is None or number <= high)

    @property
    def range_words(self) -> str:
        """The range for people; empty without one.

        >>> FieldSchema(name="n", type="number", label="n", extra={"minimum": 0, "maximum": 100}).range_words
        '0 to 100'
        """
        low, high = (None if n is None else f"{n:,g}" for n in (self.minimum, self.maximum))
        return f"{low} to {high}" if low and high else f"{low} or more" if low else f"{high} or less" if high else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which fields of a response say what; None: it has no such field.

    Attributes:
        answer: a number, or a yes or no (1 or 0). score: how sure the release is of a yes, e.g. a probability.
        low, high: the ends of the answer's interval.
    """

    answer: FieldSchema | None
    score: FieldSchema | None = None
    low: FieldSchema | None = None
    high: FieldSchema | None = None


def roles_of(response: Sequence[FieldSchema]) -> Roles:
    """Fields go by name: `score`, `low`, `high`. The first number with another name is the answer; else the first boolean.

    >>> fields = [FieldSchema(name=n, type=t, label=n) for n, t in (("score", "number"), ("approve", "boolean"))]
    >>> found = roles_of(fields)
    >>> found.answer.name, found.score.name, found.low
    ('approve', 'score', None)
    """
    numbers = {f.name: f for f in response if f.type in ("number", "integer")}
    named = {name: numbers.pop(name, None) for name in ("score", "low", "high")}
    answers = [*numbers.values(), *(f for f in response if f.type == "boolean")]
    return Roles(answer=answers[0] if answers else None, **named)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSchema:
    """Recent history beside the answer: `column` over `time_column`, rows matched `by` request field → column."""

    state: str
    time_column: str
    column: str
    by: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSpec:
    """Everything about a predictor that can be said without importing it.

    Attributes:
        requests: the parameter that takes the request frame.
        frame: the library of that frame (`polars`).
        parameters: all parameters in order; besides `requests`, state tables and an optional `as_of`, each is an
            input wired to a training step.
        state: table name → its time column.
        explain: `module:qualname` of the function that gives reasons, if any.
        extra: `features`: the same of the function that gives what the model sees, if any.
    """

    module: str
    qualname: str
    requests: str
    frame: str
    parameters: tuple[str, ...]
    state: Mapping[str, str]
    request: tuple[FieldSchema, ...]
    response: tuple[FieldSchema, ...]
    summary: str = ""
    explain: str | None = None
    chart: ChartSchema | None = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def inputs(self) -> tuple[str, ...]:
        """The parameters that come from training steps."""
        given = {self.requests, "as_of", *self.state}
        return tuple(name for name in self.parameters if name not in given)

    @property
    def dated(self) -> bool:
        """Whether an answer depends on the day it is asked: by state, the parameter `as_of` or a date with a horizon.

        The holdout of a dated release has `as_of` in every row. One that is not answers the same on every day.
        """
        return bool(self.state) or "as_of" in self.parameters or any(f.horizon for f in self.request)

    @property
    def roles(self) -> Roles:
        """Which fields of the response say what."""
        return roles_of(self.response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a release came from: code, data, parameters, and the step results it is made of.

    Attributes:
        sources: source name → digest of its bytes. datasets: dataset name → version digest.
        steps: step name → {"artifact", "code"}, and {"accepted"} when a person let the result of earlier code stand.
    """

    commit: str
    dirty: bool
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    datasets: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, Mapping[str, Json]])
    steps: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, Mapping[str, Json]])
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole release on one page. `as_of` is a date in ISO form: the day the release believes it is.

    Attributes:
        inputs, state: parameter name → value in the release.
        holdout: path of the recorded requests and answers that every host must repeat bit by bit.
        lock: path of the lock file. code: paths of the predictor's code. platform: system and processor.
        files: every file but `manifest.json` and `SHA256SUMS`, by path.
    """

    format: str
    project: str
    name: str
    as_of: str
    predictor: PredictorSpec
    inputs: Mapping[str, ValueEntry]
    state: Mapping[str, StateEntry]
    holdout: str
    lock: str
    lineage: Lineage
    python: str
    platform: str
    code: tuple[str, ...]
    files: tuple[FileEntry, ...]
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])

    def encoded(self) -> bytes:
        """The bytes of `manifest.json`."""
        return canonical(to_json(self))

    @property
    def digest(self) -> str:
        """The release's name: `sha256:<hex>` of the manifest's bytes."""
        return sha256_bytes(self.encoded())
