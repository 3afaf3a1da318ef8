"""The version of a release: major when a caller must look, minor when something is new, patch for the same code on new data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockgate.errors import UsageError
from lockgate.forge.semver import highest, parse, step_between
from lockgate.records.release import (
    ChoicesSchema,
    FieldSchema,
    FileEntry,
    HorizonSchema,
    Lineage,
    Manifest,
    PredictorSpec,
)

HEX = "0" * 64


def field(name: str, type: Any = "number", **more: Any) -> FieldSchema:
    return FieldSchema(name=name, type=type, label=name, **more)


def manifest(*, request: Any = None, response: Any = None, **more: Any) -> Manifest:
    spec = PredictorSpec(
        module="shop.predict",
        qualname="forecast",
        requests="requests",
        frame="polars",
        parameters=("requests", "model"),
        state={},
        request=request or (field("amount"),),
        response=response or (field("units"),),
    )
    said: dict[str, Any] = {
        "format": "lockgate.release/1",
        "project": "shop",
        "name": "shop",
        "as_of": "2026-01-01",
        "predictor": spec,
        "inputs": {},
        "state": {},
        "holdout": "holdout.json",
        "lock": "lock.txt",
        "python": "3.11.7",
        "platform": "linux-x86_64",
        "code": ("code/shop.py",),
        "lineage": Lineage(commit="c", dirty=False, sources={"sales": "blake3:1"}),
        "files": (FileEntry(path="code/shop.py", sha256=f"sha256:{HEX}", blake3="blake3:0", size_bytes=1),),
    }
    return Manifest(**said | more)


def with_lineage(**changed: Any) -> Manifest:
    base = manifest()
    return replace(base, lineage=replace(base.lineage, **changed))


def other_file(path: str) -> Manifest:
    base = manifest()
    files = tuple(replace(f, sha256=f"sha256:{'1' * 64}") for f in base.files if f.path == path)
    more = () if files else (FileEntry(path=path, sha256=f"sha256:{HEX}", blake3="blake3:0", size_bytes=1),)
    return replace(base, files=(*(files or base.files), *more))


MAJOR = {
    "a field that a request needs": ((field("amount"),), (field("amount"), field("city", "string"))),
    "a field that is gone": ((field("amount"), field("city", "string")), (field("amount"),)),
    "another type": ((field("amount"),), (field("amount", "string"),)),
    "fewer numbers": ((field("amount"),), (field("amount", "integer"),)),
    "needed now": ((field("amount", required=False),), (field("amount"),)),
    "another default": ((field("amount", default=1),), (field("amount", default=2),)),
    "another unit": ((field("amount", unit="kg"),), (field("amount", unit="t"),)),
    "a smaller range": ((field("amount", extra={"maximum": 9}),), (field("amount", extra={"maximum": 5}),)),
    "a range where there was none": ((field("amount"),), (field("amount", extra={"minimum": 0}),)),
    "another list": (
        (field("amount", choices=ChoicesSchema(state="a", column="x")),),
        (field("amount", choices=ChoicesSchema(state="b", column="x")),),
    ),
    "fewer days": (
        (field("amount", "date", horizon=HorizonSchema(days=7)),),
        (field("amount", "date", horizon=HorizonSchema(days=5)),),
    ),
}
MINOR = {
    "a field that may be left out": ((field("amount"),), (field("amount"), field("city", "string", required=False))),
    "a field with a default": ((field("amount"),), (field("amount"), field("city", "string", default="Ulm"))),
    "more numbers": ((field("amount", "integer"),), (field("amount"),)),
    "needed no more": ((field("amount"),), (field("amount", required=False),)),
    "a larger range": ((field("amount", extra={"maximum": 5}),), (field("amount", extra={"maximum": 9}),)),
    "more days": (
        (field("amount", "date", horizon=HorizonSchema(days=5)),),
        (field("amount", "date", horizon=HorizonSchema(days=7)),),
    ),
}


@pytest.mark.parametrize(("old", "new"), MAJOR.values(), ids=MAJOR)
def test_a_request_that_was_good_and_may_not_be_now_is_major(old: Any, new: Any) -> None:
    assert step_between(manifest(request=old), manifest(request=new)).part == "major"


@pytest.mark.parametrize(("old", "new"), MINOR.values(), ids=MINOR)
def test_a_request_that_may_have_more_is_minor(old: Any, new: Any) -> None:
    assert step_between(manifest(request=old), manifest(request=new)).part == "minor"


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ((field("units"), field("low")), (field("units"),), "major"),
        ((field("units"),), (field("units"), field("low")), "minor"),
        ((field("units", "integer"),), (field("units"),), "major"),
        ((field("units"),), (field("units", "integer"),), "minor"),
        ((field("units"),), (field("units", required=False),), "major"),
        ((field("units", unit="kg"),), (field("units", unit="t"),), "major"),
        ((field("units", extra={"maximum": 5}),), (field("units", extra={"maximum": 9}),), "major"),
        ((field("units", extra={"maximum": 9}),), (field("units", extra={"maximum": 5}),), "minor"),
        ((field("ok", "boolean", extra={"yes": "pays"}),), (field("ok", "boolean", extra={"yes": "fails"}),), "major"),
    ],
)
def test_a_reader_of_answers_is_surprised_or_not(old: Any, new: Any, part: str) -> None:
    assert step_between(manifest(response=old), manifest(response=new)).part == part


@pytest.mark.parametrize(
    "after",
    [
        other_file("code/shop.py"),
        other_file("lock.txt"),
        with_lineage(steps={"train": {"artifact": "x", "code": "other"}}),
        with_lineage(parameters={"train": {"depth": 3}}),
        manifest(python="3.12.1"),
    ],
)
def test_what_people_decided_is_minor(after: Manifest) -> None:
    assert step_between(manifest(), after).part == "minor"


def test_the_same_code_on_new_data_is_a_patch() -> None:
    after = replace(with_lineage(sources={"sales": "blake3:2"}), as_of="2026-01-08")
    step = step_between(manifest(), after)
    assert (step.part, step.because) == ("patch", ("the same code on other data",))


def test_words_of_a_label_are_no_step() -> None:
    assert (
        step_between(manifest(), manifest(request=(replace(field("amount"), label="How much", help="in all"),))).part
        == "patch"
    )


def test_the_largest_step_wins_and_only_its_reasons_are_told() -> None:
    after = replace(manifest(request=(field("amount"), field("city", "string"))), python="3.12.1")
    step = step_between(manifest(), after)
    assert (step.part, step.because) == ("major", ("a request needs city",))


def test_numbers_are_ordered_as_numbers() -> None:
    assert highest({"1.9.0": "", "1.10.0": "", "0.99.0": "", "v2": "", "2.0.0-rc1": ""}) == "1.10.0"
    assert highest({}) is None
    assert [str(parse("1.2.3").next(p)) for p in ("major", "minor", "patch")] == ["2.0.0", "1.3.0", "1.2.4"]
    with pytest.raises(UsageError):
        parse("1.02.3")
