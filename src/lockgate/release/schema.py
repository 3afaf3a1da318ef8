"""A predictor's declaration → pure JSON: the request and response schema that forms and checks are drawn from.

>>> import dataclasses
>>> @dataclasses.dataclass
... class Answer:
...     units: float
...     note: str | None
>>> [(f.name, f.type, f.required) for f in fields_of(Answer)]
[('units', 'number', True), ('note', 'string', False)]
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import types
import typing
from collections.abc import Callable, Mapping

from lockgate.declare import Choices, Horizon, Predictor, Range
from lockgate.errors import UsageError
from lockgate.records.digest import Json
from lockgate.records.release import (
    ChartSchema,
    ChoicesSchema,
    FieldSchema,
    FieldType,
    HorizonSchema,
    PredictorSpec,
)
from lockgate.records.wire import to_json

__all__ = ["DateRange", "date_range", "describe", "fields_of"]

TYPES: dict[object, FieldType] = {str: "string", dt.date: "date", int: "integer", float: "number", bool: "boolean"}
FRAMES = ("polars",)
LONGEST_CLOSURE_DAYS = 400


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """The days that may be asked for, both ends included; `closed`: day → why nothing happens then."""

    first: dt.date
    last: dt.date
    closed: Mapping[dt.date, str]


def date_range(as_of: dt.date, *, days: int, closed: Callable[[dt.date], str | None] | None = None) -> DateRange:
    """Find as-of + 1 up to the `days`-th open day after as-of.

    >>> weekend = lambda day: "closed at weekends" if day.weekday() >= 5 else None
    >>> found = date_range(dt.date(2011, 10, 13), days=2, closed=weekend)
    >>> str(found.first), str(found.last), len(found.closed)
    ('2011-10-14', '2011-10-17', 2)
    """
    day, open_days, reasons = as_of, 0, dict[dt.date, str]()
    while open_days < days:
        day += dt.timedelta(days=1)
        if reason := closed(day) if closed else None:
            reasons[day] = reason
        else:
            open_days += 1
        if (day - as_of).days > days + LONGEST_CLOSURE_DAYS:
            raise UsageError("a horizon finds no open day", value=f"{days} open days after {as_of}")
    return DateRange(first=as_of + dt.timedelta(days=1), last=day, closed=reasons)


def describe(predictor: Predictor, *, qualname: str) -> PredictorSpec:
    """Say everything about a declared predictor that a manifest needs.

    Raises UsageError when a parameter or field has no annotation, or one that we cannot serve.
    """
    function = predictor.function
    parameters = tuple(inspect.signature(function).parameters)
    request, response = fields_of(predictor.request), fields_of(predictor.response)
    if missing := sorted(set(predictor.state) - set(parameters)):
        raise UsageError("state is not a parameter of the predictor", value=", ".join(missing))
    _check_choices(request, predictor.state)
    return PredictorSpec(
        module=function.__module__,
        qualname=qualname,
        requests=parameters[0],
        frame=_frame_library(function, parameters[0]),
        parameters=parameters,
        state=dict(predictor.state),
        request=request,
        response=response,
        summary=_asked(predictor.request) or _first_line(function),
        explain=reference(predictor.explain) if predictor.explain else None,
        chart=_chart(predictor, request),
        extra={"features": reference(predictor.features)} if predictor.features else {},
    )


def fields_of(kind: type) -> tuple[FieldSchema, ...]:
    """Describe a request or response dataclass. `field(metadata={"label", "help", "unit", "yes", "no"})` is for people."""
    name = kind.__qualname__
    if not dataclasses.is_dataclass(kind):
        raise UsageError("a request or response is a dataclass", value=name)
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(_field(kind, f, hints[f.name]) for f in dataclasses.fields(kind))


def reference(function: Callable[..., object]) -> str:
    """`module:qualname` of something a module holds; a lambda or an inner function cannot be packaged."""
    name = f"{function.__module__}:{function.__qualname__}"
    if "<" in name:
        raise UsageError("only a module's own function can be packaged", value=name, next="give it a name with def")
    return name


def _field(kind: type, declared: dataclasses.Field[object], hint: object) -> FieldSchema:
    marks = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    plain = typing.get_args(hint)[0] if marks else hint
    options = [t for t in typing.get_args(plain) if t is not types.NoneType] if _is_union(plain) else [plain]
    if len(options) != 1 or options[0] not in TYPES:
        raise UsageError(
            "a field's type cannot be served",
            value=f"{kind.__qualname__}.{declared.name}: {plain}",
            allowed="str, datetime.date, int, float, bool, each also with `| None`",
        )
    default = None if declared.default is dataclasses.MISSING else declared.default
    metadata = typing.cast("Mapping[str, str]", declared.metadata)
    return FieldSchema(
        name=declared.name,
        type=TYPES[options[0]],
        label=metadata.get("label", declared.name.replace("_", " ").capitalize()),
        required=declared.default is dataclasses.MISSING and not _is_union(plain),
        default=to_json(default),
        help=metadata.get("help", ""),
        unit=metadata.get("unit", ""),
        choices=next((_choices(m) for m in marks if isinstance(m, Choices)), None),
        horizon=next((_horizon(m) for m in marks if isinstance(m, Horizon)), None),
        extra={
            **next((_range(kind, declared.name, options[0], m) for m in marks if isinstance(m, Range)), {}),
            **{word: metadata[word] for word in ("yes", "no") if options[0] is bool and word in metadata},
        },
    )


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _choices(mark: Choices) -> ChoicesSchema:
    return ChoicesSchema(state=mark.state, column=mark.column, label=mark.label)


def _horizon(mark: Horizon) -> HorizonSchema:
    return HorizonSchema(days=mark.days, closed=reference(mark.closed) if mark.closed else None)


def _range(kind: type, name: str, plain: object, mark: Range) -> dict[str, Json]:
    ends = {"minimum": mark.low, "maximum": mark.high}
    if (plain is not int and plain is not float) or (
        mark.low is not None and mark.high is not None and mark.low > mark.high
    ):
        raise UsageError(
            "a Range stands wrongly",
            value=f"{kind.__qualname__}.{name}: {mark}",
            allowed="on an int or a float, low ≤ high",
        )
    return {end: number for end, number in ends.items() if number is not None}


def _check_choices(request: tuple[FieldSchema, ...], state: Mapping[str, str]) -> None:
    for field in request:
        if field.choices and field.choices.state not in state:
            value = f"{field.name}: Choices({field.choices.state!r}, …)"
            raise UsageError("choices come from a state table", value=value, allowed=", ".join(state))


def _chart(predictor: Predictor, request: tuple[FieldSchema, ...]) -> ChartSchema | None:
    if predictor.chart is None or not predictor.state:
        return None
    table, time_column = next(iter(predictor.state.items()))
    by = {f.name: f.choices.column for f in request if f.choices and f.choices.state == table}
    return ChartSchema(state=table, time_column=time_column, column=predictor.chart, by=by)


def _frame_library(function: Callable[..., object], parameter: str) -> str:
    kind = typing.get_type_hints(function).get(parameter)
    library = getattr(kind, "__module__", "").partition(".")[0]
    if library not in FRAMES:
        raise UsageError(
            "the predictor's first parameter takes the request frame",
            value=f"{parameter}: {kind}",
            allowed=", ".join(f"{name}.DataFrame" for name in FRAMES),
        )
    return library


def _asked(request: type) -> str:
    """What the request's own docstring asks; a dataclass without one has a generated line that is no question."""
    text = _first_line(request)
    return "" if text.startswith(f"{request.__name__}(") else text


def _first_line(function: Callable[..., object] | type) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].strip()
