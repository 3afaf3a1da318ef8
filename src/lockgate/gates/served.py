"""What came back over HTTP, and what each consumer was promised.

A contract is a JSON file that a consumer writes and keeps; the delivery pipeline holds every release to it:

    {"consumer": "shop floor planner",
     "requests": [{"product": "85123A", "date": {"days_after_as_of": 3}}],
     "response": {"units": {"type": "number", "minimum": 0, "maximum": 100000},
                  "note":  {"type": "string", "nullable": true}}}
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lockgate.errors import UsageError, did_you_mean
from lockgate.records.digest import Json

__all__ = ["Contract", "Exchange", "Served", "read_contract"]

AFTER = "days_after_as_of"
WIDEST = 60  # characters of a value shown in a message
WORDS = {"type", "minimum", "maximum", "choices", "nullable"}
TYPES: Mapping[str, tuple[type, ...]] = {
    "number": (int, float), "integer": (int,), "string": (str,), "boolean": (bool,), "date": (str,),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one consumer asks and what must come back.

    Attributes:
        requests: examples; `{"days_after_as_of": N}` stands for a date.
        response: field → type and range; fields that are not named are free.
    """

    consumer: str
    requests: tuple[Mapping[str, Json], ...]
    response: Mapping[str, Mapping[str, Json]]

    def requests_at(self, as_of: dt.date) -> tuple[dict[str, Json], ...]:
        """The example requests as they are asked on that day."""
        return tuple({name: _asked(value, as_of) for name, value in request.items()} for request in self.requests)

    def problems(self, answer: Json) -> tuple[str, ...]:
        """What in one decoded answer breaks the promise; empty when it holds.

        >>> c = Contract(consumer="planner", requests=(), response={"units": {"type": "number", "minimum": 0}})
        >>> c.problems({"units": 3.5, "more": 1}), c.problems({"units": -1})
        ((), ('units is -1, below 0',))
        """
        if not isinstance(answer, Mapping):
            return (f"the answer is not an object but {_shown(answer)}",)
        fields = cast("Mapping[str, Json]", answer)
        found = (_problem(name, promise, fields) for name, promise in self.response.items())
        return tuple(problem for problem in found if problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One example request of a consumer and what came back: HTTP status and decoded body (None when not JSON)."""

    consumer: str
    request: Mapping[str, Json]
    status: int
    answer: Json
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The holdout rows asked over HTTP, beside what evaluation answered; and the consumers' exchanges.

    Attributes:
        requests, evaluated, answered: same length and order; an answer is None when none came.
        exchanges: every example request of every contract, with its `problems`.
    """

    requests: tuple[Mapping[str, Json], ...]
    evaluated: tuple[Mapping[str, Json], ...]
    answered: tuple[Mapping[str, Json] | None, ...]
    exchanges: tuple[Exchange, ...] = ()


def read_contract(text: str, *, where: str) -> Contract:
    """Read a contract file. `where` is its name for messages. Raises UsageError on anything it cannot promise."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError("a consumer contract is not JSON", value=f"{where}: {error}") from error
    keys = {"consumer", "requests", "response"}
    given = cast("dict[str, Json]", data) if isinstance(data, dict) else {}
    if not keys <= set(given) <= keys | {"why"}:
        raise UsageError("a consumer contract has other fields", value=where, allowed=", ".join(sorted(keys | {"why"})))
    contract = Contract(consumer=given["consumer"], requests=tuple(given["requests"]), response=given["response"])
    for name, promise in contract.response.items():
        _check_promise(f"{where}: {name}", promise)
    if not contract.requests or not contract.response:
        raise UsageError("a consumer contract promises nothing", value=where, allowed="≥ 1 request, ≥ 1 response field")
    return contract


def _check_promise(where: str, promise: Mapping[str, Json]) -> None:
    for word in promise:
        if word not in WORDS:
            allowed = did_you_mean(word, WORDS)
            raise UsageError("unknown word in a consumer contract", value=f"{where}: {word}", allowed=allowed)
    kind = str(promise.get("type"))
    if kind not in TYPES:
        allowed = did_you_mean(kind, TYPES)
        raise UsageError("unknown type in a consumer contract", value=f"{where}: {kind}", allowed=allowed)


def _asked(value: Json, as_of: dt.date) -> Json:
    if not isinstance(value, Mapping):
        return value
    asked = cast("Mapping[str, Json]", value)
    if set(asked) != {AFTER}:
        return dict(asked)
    return (as_of + dt.timedelta(days=int(asked[AFTER]))).isoformat()


def _problem(name: str, promise: Mapping[str, Json], answer: Mapping[str, Json]) -> str:
    if name not in answer:
        return f"{name} is missing"
    value = answer[name]
    if value is None:
        return "" if promise.get("nullable") else f"{name} is null"
    if not _is(value, promise["type"]):
        return f"{name} is {_shown(value)}, not a {promise['type']}"
    if "minimum" in promise and value < promise["minimum"]:
        return f"{name} is {_shown(value)}, below {promise['minimum']}"
    if "maximum" in promise and value > promise["maximum"]:
        return f"{name} is {_shown(value)}, above {promise['maximum']}"
    if "choices" in promise and value not in cast("Sequence[Json]", promise["choices"]):
        return f"{name} is {_shown(value)}, not one of {', '.join(map(_shown, promise['choices']))}"
    return ""


def _is(value: Json, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    if kind == "date":
        try:
            return isinstance(value, str) and bool(dt.date.fromisoformat(value))
        except ValueError:
            return False
    return isinstance(value, TYPES[kind]) and (not isinstance(value, float) or math.isfinite(value))


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
