"""The web app: one page, drawn from the request schema, the response schema and the chart, whatever the project.

It works without script: the form is a GET, errors stand beside their fields, suggestions are links.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from lockgate.errors import LockgateError
from lockgate.records.digest import Json, short
from lockgate.records.release import FieldSchema, Roles
from lockgate.records.wire import to_json
from lockgate.serving.answer import Desk, Invalid, query_of
from lockgate.serving.beside import Beside, compared
from lockgate.serving.chart import Forecast, amount, draw, interval_bar, score_bar
from lockgate.serving.validate import FieldError, say_day

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["STATIC", "error_page", "page", "release_page", "release_summary", "schema"]

HERE = Path(__file__).parent
HISTORY_DAYS = 84
NARROW_DAYS = 42
LISTED_CHOICES = 400  # beyond this the page's script fetches what matches what is typed
TITLED = 3  # with more fields than this the form above says what was asked

STATIC: Mapping[str, tuple[bytes, str]] = {
    "app.css": ((HERE / "static" / "app.css").read_bytes(), "text/css"),
    "app.js": ((HERE / "static" / "app.js").read_bytes(), "text/javascript"),
}


def page(
    desk: Desk, given: Mapping[str, str], *, banner: str, links: Mapping[str, str], beside: Beside | None = None
) -> tuple[bytes, int]:
    """The form, and the answer when the query holds a request. Answers the HTML and its status: 200 or 422."""
    errors: Sequence[FieldError] = ()
    answer = other = None
    asked = bool(given)
    if asked:
        raw = desk.read_text(given)
        try:
            answer = _answered(desk, raw)
            other = compared(desk, cast("Any", answer)["reply"], beside) if beside else None
        except Invalid as error:
            errors = error.errors
    html = _render(
        "app.html",
        desk,
        banner=banner,
        links=links,
        fields=[_form_field(desk, f, given, errors) for f in desk.fields],
        errors=[e for e in errors if e.field not in {f.name for f in desk.fields}],
        wrong=bool(errors),
        answer=answer,
        beside=other,
    )
    return html, 422 if errors else 200


def error_page(desk: Desk, banner: str, error: LockgateError, status: int) -> bytes:
    """An error for people: what, the value, what is allowed, what to do next."""
    return _render("error.html", desk, banner=banner, links={}, error=error, status=status)


def release_page(desk: Desk, banner: str, summary: Mapping[str, Json], links: Mapping[str, str]) -> bytes:
    """The manifest's summary for people."""
    return _render("release.html", desk, banner=banner, links=links, summary=summary)


def release_summary(desk: Desk) -> dict[str, Json]:
    """What this release is: the manifest without its schemas."""
    manifest = desk.release.manifest
    return {
        "release": desk.release.digest,
        "project": manifest.project,
        "name": manifest.name,
        "environment": desk.environment,
        "as_of": manifest.as_of,
        "predictor": f"{manifest.predictor.module}:{manifest.predictor.qualname}",
        "python": manifest.python,
        "platform": manifest.platform,
        "lineage": to_json(manifest.lineage),
        "inputs": {name: entry.digest for name, entry in manifest.inputs.items()},
        "state": {name: {"digest": e.digest, "time_column": e.time_column} for name, e in manifest.state.items()},
        "files": [to_json(entry) for entry in manifest.files],
    }


def schema(desk: Desk) -> dict[str, Json]:
    """The request and response schema with what today allows."""
    described = list[dict[str, Json]]()
    for field in desk.fields:
        entry = cast("dict[str, Json]", to_json(field))
        if field.name in desk.allowed.dates:
            span = desk.allowed.dates[field.name]
            closed = [{"date": day.isoformat(), "reason": why} for day, why in span.closed.items()]
            entry |= {"first": span.first.isoformat(), "last": span.last.isoformat(), "closed": closed}
        if field.name in desk.allowed.choices:
            total = len(desk.allowed.choices[field.name])
            entry |= {"total_choices": total, "choices_link": f"/choices?field={field.name}"}
        described.append(entry)
    return {
        "release": desk.release.digest,
        "as_of": desk.as_of.isoformat(),
        "request": described,
        "response": [to_json(f) for f in desk.release.response],
    }


def _answered(desk: Desk, raw: Json) -> dict[str, object]:
    """Everything the answer's card shows. The reasons are computed after the answer has been written down."""
    reply = desk.answer([raw])[0]
    inputs, output = reply["inputs"], reply["output"]
    forecast = _forecast(desk, inputs, output)
    history = desk.history(raw, days=HISTORY_DAYS) if forecast else []
    note = reply.get("note")
    return {
        "reply": reply,
        "title": _title(desk, inputs),
        "forecast": forecast,
        "number": _said(desk, forecast),
        "score": _score(desk, output),
        "low": amount(forecast.low) if forecast and forecast.low is not None else "",
        "high": amount(forecast.high) if forecast and forecast.high is not None else "",
        "span": interval_bar(forecast) if forecast and not note else "",
        "interval_help": next((f.help for f in (_roles(desk).low, _roles(desk).high) if f and f.help), ""),
        "others": _others(desk, output, forecast),
        "note": note,
        "wide": _chart(desk, history, forecast, days=HISTORY_DAYS, width=760, height=260),
        "narrow": _chart(desk, history, forecast, days=NARROW_DAYS, width=340, height=230),
        "recent": [(say_day(day), amount(value)) for day, value in reversed(history[-14:])],
        "chart_label": _chart_label(desk),
        "reasons": [] if note else desk.explain(raw),
        "json": "/predict?" + query_of(inputs),
    }


def _forecast(desk: Desk, inputs: Mapping[str, Json], output: Mapping[str, Json]) -> Forecast | None:
    point = _roles(desk).answer
    if point is None or output.get(point.name) is None:
        return None
    day = next((f.name for f in desk.fields if f.type == "date"), None)
    low, high = (output.get(name) for name in ("low", "high"))
    return Forecast(
        day=dt.date.fromisoformat(inputs[day]) if day and inputs[day] else desk.as_of,
        value=float(output[point.name]),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        unit=_unit(point),
    )


def _unit(point: FieldSchema) -> str:
    """What stands behind the answer; nothing when a yes or no has words of its own."""
    if point.type == "boolean" and point.extra:
        return ""
    return point.unit or point.name.replace("_", " ")


def _roles(desk: Desk) -> Roles:
    return desk.release.manifest.predictor.roles


def _said(desk: Desk, forecast: Forecast | None) -> str:
    """The answer that the page makes big: a number, or yes or no."""
    answer = _roles(desk).answer
    if forecast is None or answer is None:
        return ""
    word = "yes" if forecast.value else "no"
    return str(answer.extra.get(word, word)) if answer.type == "boolean" else amount(forecast.value)


def _score(desk: Desk, output: Mapping[str, Json]) -> dict[str, str]:
    """The score in words, and on a line from 0 to 1 when it lies there; empty without one."""
    field = _roles(desk).score
    value = output.get(field.name) if field else None
    if field is None or value is None:
        return {}
    text = f"{value:.0%}" if 0 <= value <= 1 else amount(float(value))
    return {"label": field.label, "help": field.help, "text": text, "bar": score_bar(float(value))}


def _others(desk: Desk, output: Mapping[str, Json], forecast: Forecast | None) -> list[tuple[str, str]]:
    roles = _roles(desk)
    shown = {"low", "high", "score", "note", roles.answer.name if roles.answer and forecast else ""}
    rest = [(f, output.get(f.name)) for f in desk.release.response if f.name not in shown]
    return [(f.label, f"{v} {f.unit}".strip()) for f, v in rest if v is not None]


def _title(desk: Desk, inputs: Mapping[str, Json]) -> list[tuple[str, str]]:
    given = [f for f in desk.fields if inputs[f.name] is not None]
    return [_named(desk, f, inputs[f.name]) for f in given] if len(given) <= TITLED else [("The request above", "")]


def _named(desk: Desk, field: FieldSchema, value: Json) -> tuple[str, str]:
    """A request value for people: what it is called, and its code when that differs."""
    if field.type == "date":
        return say_day(dt.date.fromisoformat(value)), ""
    label = desk.allowed.choices[field.name].label(str(value)) if field.name in desk.allowed.choices else ""
    return (label, str(value)) if label and label != value else (str(value), "")


def _chart(
    desk: Desk,
    history: Sequence[tuple[dt.date, float]],
    forecast: Forecast | None,
    *,
    days: int,
    width: int,
    height: int,
) -> str:
    if forecast is None or desk.release.manifest.predictor.chart is None:
        return ""
    return draw(history, as_of=desk.as_of, forecast=forecast, days=days, width=width, height=height)


def _chart_label(desk: Desk) -> str:
    chart = desk.release.manifest.predictor.chart
    return chart.column.replace("_", " ") if chart else ""


def _form_field(
    desk: Desk, field: FieldSchema, given: Mapping[str, str], errors: Sequence[FieldError]
) -> dict[str, object]:
    index, span = desk.allowed.choices.get(field.name), desk.allowed.dates.get(field.name)
    error = next((e for e in errors if e.field == field.name), None)
    value = given.get(field.name, "")
    if index and not error:
        value = index.resolve(value)
    if field.type == "boolean":
        value = value.casefold()
    return {
        "name": field.name,
        "label": field.label,
        "help": field.help,
        "type": field.type,
        "required": field.required,
        "value": value or _default(field),
        "minimum": field.minimum,
        "maximum": field.maximum,
        "unit": field.unit,
        "range": field.range_words,
        "known": index.label(value) if index and value else "",
        "choices": index.choices[:LISTED_CHOICES] if index else (),
        "total": len(index) if index else 0,
        "complete": index is not None and len(index) <= LISTED_CHOICES,
        "first": span.first if span else None,
        "last": span.last if span else None,
        "span": f"{say_day(span.first)} to {say_day(span.last)}" if span else "",
        "closed": {day.isoformat(): why for day, why in span.closed.items()} if span else {},
        "error": error,
        "links": [_suggestion(desk, field, given, s) for s in error.suggestions] if error else [],
    }


def _default(field: FieldSchema) -> str:
    if field.type == "boolean" and field.default is not None:
        return "true" if field.default else "false"
    return "" if field.default is None else str(field.default)


def _suggestion(desk: Desk, field: FieldSchema, given: Mapping[str, str], value: str) -> tuple[str, str, str]:
    index = desk.allowed.choices.get(field.name)
    return "/?" + urlencode({**given, field.name: value}), value, index.label(value) if index else ""


def _render(template: str, desk: Desk, **values: object) -> bytes:
    manifest = desk.release.manifest
    known = {
        "project": manifest.project,
        "purpose": manifest.predictor.summary,
        "environment": desk.environment,
        "as_of": say_day(desk.as_of),
        "dated": manifest.predictor.dated,
        "release": desk.release.digest,
        "short": short(desk.release.digest),
    }
    return _templates().get_template(template).render(**known, **values).encode()


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
