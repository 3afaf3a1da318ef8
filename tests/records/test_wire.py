"""Records ↔ JSON: what is known comes back typed, what is unknown comes back untouched, what is wrong is named."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.errors import IntegrityError
from lockgate.records.artifact import Artifact
from lockgate.records.digest import Json
from lockgate.records.graph import Definition, FileState, Graph, Node, PipelineInfo, Trace
from lockgate.records.plan import Result, StepRecord
from lockgate.records.wire import from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """One field of every kind that records have."""

    text: str
    count: int
    share: float
    sure: bool
    day: dt.date
    moment: dt.datetime
    kind: Literal["a", "b"]
    inner: Inner
    maybe: Inner | None = None
    several: tuple[Inner, ...] = ()
    pair: tuple[str, int] = ("", 0)
    named: Mapping[str, Inner] = field(default_factory=dict[str, Inner])
    anything: Json = None
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


texts = st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
inners = st.builds(Inner, name=texts, size=st.integers())
outers = st.builds(
    Outer, text=texts, count=st.integers(), share=st.floats(allow_nan=False, allow_infinity=False), sure=st.booleans(), day=st.dates(),
    moment=st.datetimes(timezones=st.just(dt.UTC)), kind=st.sampled_from(["a", "b"]), inner=inners, maybe=st.none() | inners,
    several=st.lists(inners, max_size=3).map(tuple), pair=st.tuples(texts, st.integers()), named=st.dictionaries(texts, inners, max_size=3),
    anything=json_values, extra=st.dictionaries(texts.filter(lambda n: n not in NAMES), json_values, max_size=3),
)  # fmt: skip
NAMES = {f.name for f in dataclasses.fields(Outer)}

digests = st.text("0123456789abcdef", min_size=6, max_size=6).map("blake3:{}".format)
artifacts = st.builds(Artifact, type=texts, codec=texts, digest=digests, object=digests, size_bytes=st.integers(0))
definitions = st.builds(Definition, name=texts, file=texts, line=st.integers(0), digest=digests)
names = st.dictionaries(texts, texts, max_size=2)
nodes = st.builds(
    Node, name=texts, target=texts, inputs=names, input_types=names, parameters=st.dictionaries(texts, json_values, max_size=2), type=texts,
    codec=texts, definitions=st.lists(definitions, max_size=2).map(tuple), packages=st.lists(texts, max_size=2).map(tuple),
)  # fmt: skip
graphs = st.builds(
    Graph, nodes=st.dictionaries(texts, nodes, max_size=2), order=st.lists(texts, max_size=2).map(tuple),
    pipelines=st.dictionaries(texts, st.builds(PipelineInfo, name=texts, kind=texts, module=texts, nodes=st.lists(texts).map(tuple)), max_size=1),
    trace=st.builds(
        Trace, interpreter=texts, files=st.lists(st.builds(FileState, texts, st.tuples(*[st.integers()] * 5), st.integers(), digests), max_size=2).map(tuple),
        listings=names, environment=st.dictionaries(texts, st.none() | texts, max_size=2), packages=st.dictionaries(texts, st.integers(), max_size=2),
        preload=st.lists(texts, max_size=2).map(tuple),
    ),
    extra=st.just({}),
)  # fmt: skip
results = st.builds(
    Result, artifact=artifacts, inputs=names, parameters=st.dictionaries(texts, json_values, max_size=2),
    definitions=st.lists(st.tuples(texts, texts, st.integers(), texts), max_size=2).map(tuple), packages=st.lists(texts, max_size=2).map(tuple),
    seconds=st.floats(0, 1e6), extra=st.just({}),
)  # fmt: skip


@given(outers | graphs | results | artifacts)
def test_a_record_comes_back_equal(record: object) -> None:
    text = json.dumps(to_json(record), sort_keys=True)
    again = from_json(type(record), json.loads(text))
    assert again == record
    assert json.dumps(to_json(again), sort_keys=True) == text


@given(outers | graphs | results | artifacts)
def test_a_brief_record_comes_back_equal_and_says_no_default(record: object) -> None:
    brief = to_json(record, brief=True)
    again = from_json(type(record), json.loads(json.dumps(brief)))
    assert again == record
    assert to_json(again, brief=True) == brief


def test_a_brief_record_leaves_out_what_is_as_by_default() -> None:
    step = StepRecord(name="a", action="run", reason="", seconds=0.5)
    assert to_json(step, brief=True) == {"name": "a", "action": "run", "reason": "", "seconds": 0.5}
    assert to_json(Inner(name="", size=0), brief=True) == {"name": ""}


@given(outers, st.dictionaries(texts.filter(lambda n: n not in NAMES), json_values, min_size=1, max_size=3))
def test_fields_of_a_newer_writer_are_kept(record: Outer, newer: dict[str, Json]) -> None:
    written = {**to_json(record), **newer}
    again = from_json(Outer, written)
    assert {**again.extra} == {**record.extra, **newer}
    assert to_json(again) == written


GOOD = to_json(
    Outer(
        text="t",
        count=1,
        share=0.5,
        sure=True,
        day=dt.date(2020, 1, 1),
        moment=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        kind="a",
        inner=Inner(name="i"),
    )
)


@pytest.mark.parametrize(("name", "value"), [
    ("text", 1), ("text", None), ("count", "1"), ("count", 1.5), ("count", True), ("share", "0.5"), ("sure", 1), ("day", "yesterday"), ("day", 3),
    ("moment", 1.5), ("inner", []), ("inner", {"name": 1}), ("maybe", "x"), ("several", "ab"), ("several", [1]), ("several", {"a": 1}), ("pair", ["a"]),
    ("pair", [1, "a"]), ("named", []), ("named", {"a": 1}),
])  # fmt: skip
def test_a_field_of_another_kind_is_named(name: str, value: object) -> None:
    with pytest.raises(IntegrityError) as error:
        from_json(Outer, {**GOOD, name: value})
    assert f"Outer.{name}" in error.value.what or "Inner" in error.value.what
    assert error.value.exit_code == 4


def test_a_missing_field_is_named() -> None:
    with pytest.raises(IntegrityError, match="Outer record lacks a field: text"):
        from_json(Outer, {n: v for n, v in GOOD.items() if n != "text"})


def test_a_whole_number_is_fine_for_a_float() -> None:
    assert from_json(Outer, {**GOOD, "share": 1}).share == 1


def test_defaults_fill_what_an_older_writer_left_out() -> None:
    assert from_json(StepRecord, {"name": "a", "action": "run", "reason": ""}) == StepRecord(
        name="a", action="run", reason=""
    )


@given(json_values)
def test_whatever_arrives_is_a_record_or_an_integrity_error(value: Json) -> None:
    for kind in (Outer, Graph, Result, Artifact, Definition):
        with pytest.raises(IntegrityError):
            from_json(kind, value)
