"""What another server answers to the same request, beside our own answer: a proposed release beside the one that is live."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lockgate.records.digest import short
from lockgate.serving.answer import query_of
from lockgate.serving.chart import amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lockgate.records.digest import Json
    from lockgate.records.release import FieldSchema
    from lockgate.serving.answer import Desk

__all__ = ["Beside", "compared"]

ANSWER_SECONDS = 5.0
MOST_BYTES = 1 << 20
NOTE = "note"


@dataclass(frozen=True, slots=True)
class Beside:
    """A server: the environment whose live release it serves, and its address."""

    environment: str
    address: str


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    here: str
    there: str
    change: str


def compared(desk: Desk, reply: Mapping[str, Json], beside: Beside) -> dict[str, object]:
    """Both answers field by field; `why` instead, as a sentence, where there is no other answer. Raises nothing."""
    named: dict[str, object] = {"environment": beside.environment, "why": "", "rows": (), "short": ""}
    said, why = _asked(beside, query_of(cast("dict[str, Json]", reply["inputs"])))
    if why:
        return {**named, "why": why}
    here, there = cast("Mapping[str, Json]", reply["output"]), cast("Mapping[str, Json]", said["output"])
    rows = [_row(f, here, there) for f in desk.release.response if f.name != NOTE]
    gone = [_Row(n, "not answered", _text(v, None), "gone") for n, v in there.items() if n not in here]
    if reply.get(NOTE) != said.get(NOTE):  # stands beside the output, and only where there is something to say
        gone.append(_Row("Note", _text(reply.get(NOTE), None), _text(said.get(NOTE), None), "another"))
    return {**named, "rows": (*rows, *gone), "short": short(str(said.get("release", "")))}


def _row(field: FieldSchema, here: Mapping[str, Json], there: Mapping[str, Json]) -> _Row:
    if field.name not in there:
        return _Row(field.label, _text(here.get(field.name), field), "not answered", "new")
    ours, theirs = here.get(field.name), there[field.name]
    return _Row(field.label, _text(ours, field), _text(theirs, field), _change(ours, theirs))


def _change(ours: Json, theirs: Json) -> str:
    """In words.

    >>> _change(12.0, 10.0), _change(10, 10), _change("a", "b"), _change(3, 0)
    ('+2 (+20%)', 'none', 'another', '+3')
    """
    if ours == theirs:
        return "none"
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (ours, theirs)):
        return "another"
    difference = float(cast("float", ours)) - float(cast("float", theirs))
    size = f"{'+' if difference > 0 else '−'}{_number(abs(difference))}"
    return f"{size} ({difference / abs(float(cast('float', theirs))):+.0%})" if theirs else size


def _text(value: Json, field: FieldSchema | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        word = "yes" if value else "no"
        return str(field.extra.get(word, word)) if field else word
    text = _number(float(value)) if isinstance(value, int | float) else str(value)
    return f"{text} {field.unit}".strip() if field else text


def _number(value: float) -> str:
    """With four digits.

    >>> _number(1234.5), _number(0.12346)
    ('1,234', '0.1235')
    """
    return amount(value) if abs(value) >= 100 else f"{value:.4g}"


NEAR = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A server on this machine is asked by no proxy, whatever the environment says."""


def _asked(beside: Beside, query: str) -> tuple[Mapping[str, Any], str]:
    """The other server's reply, or why there is none."""
    where = beside.environment
    try:
        with NEAR.open(f"{beside.address}/predict?{query}", timeout=ANSWER_SECONDS) as answer:
            said = json.loads(answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 503:
                return {}, f"Nothing answers for {where}: no release is live there, or it is only just starting."
            return {}, f"What is live in {where} does not take this request: {_reason(error.read(MOST_BYTES))}"
    except (OSError, ValueError) as error:
        return {}, f"Nothing answers for {where}: {error}"
    if not isinstance(said, dict) or not isinstance(cast("Any", said).get("output"), dict):
        return {}, f"What is live in {where} gave no answer that can be read."
    return cast("Mapping[str, Any]", said), ""


def _reason(body: bytes) -> str:
    try:
        said = json.loads(body)
        return str(said["errors"][0]["message"] if said.get("errors") else said.get("error", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "it says no more."
