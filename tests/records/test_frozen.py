"""A record is a frozen dataclass in all that anybody can see, but for what it costs to define."""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
import subprocess
import sys
import typing
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.records.frozen import field, field_names, frozen


@frozen
class Point:
    """A place."""

    x: int
    y: int = 0
    marks: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def sum(self) -> int:
        return self.x + self.y


@dataclasses.dataclass(frozen=True, slots=True)
class PointAsDataclass:
    """A place."""

    x: int
    y: int = 0
    marks: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])


@frozen(kw_only=True)
class Named:
    label: str = ""
    size: int


@frozen(slots=False)
class Remembering:
    numbers: tuple[int, ...]

    @functools.cached_property
    def total(self) -> int:
        return sum(self.numbers)


numbers = st.integers()
arguments = st.tuples(numbers) | st.tuples(numbers, numbers) | st.tuples(numbers, numbers, st.just({"a": 1}))


@given(arguments, arguments)
def test_it_is_made_compared_and_shown_as_a_dataclass_is(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    made, twin = Point(*one), PointAsDataclass(*one)
    assert repr(made) == repr(twin).replace("PointAsDataclass", "Point")
    assert dataclasses.asdict(made) == dataclasses.asdict(twin)
    assert (made == Point(*other)) == (twin == PointAsDataclass(*other))
    assert made != twin
    assert made == Point(**dataclasses.asdict(made))


def test_equal_records_have_equal_hashes_and_what_cannot_be_hashed_says_so() -> None:
    assert hash(Named(size=1)) == hash(Named(label="", size=1))
    assert len({Named(size=1), Named(size=1), Named(size=2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_nothing_can_be_set_or_deleted_and_slots_leave_no_room() -> None:
    point = Point(1)
    for name in ("x", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(point, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        del point.x  # type: ignore[misc]
    assert not hasattr(point, "__dict__")
    assert (point.x, point.sum) == (1, 1)


def test_each_record_gets_its_own_default() -> None:
    assert Point(1).marks == {}
    assert Point(1).marks is not Point(1).marks


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Point(), r"Point.__init__\(\) missing 1 required positional argument: 'x'"),
        (lambda: Point(1, z=2), "unexpected keyword argument 'z'"),
        (lambda: Named("a"), "takes 1 positional argument but 2 were given"),
        (lambda: Named(label="a"), "missing 1 required keyword-only argument: 'size'"),
    ],
)
def test_wrong_arguments_are_named(make: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make()


def test_a_record_has_no_parents() -> None:
    with pytest.raises(TypeError, match="Child: a record has no parents"):

        @frozen
        class Child(Point):
            z: int


def test_dataclasses_takes_it_for_one() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [(f.name, f.type) for f in dataclasses.fields(Point)] == [
        (f.name, f.type) for f in dataclasses.fields(PointAsDataclass)
    ]
    assert dataclasses.replace(Point(1, 2), y=5) == Point(1, 5)
    assert dataclasses.replace(Named(label="a", size=1), size=2) == Named(label="a", size=2)
    assert typing.get_type_hints(Point) == typing.get_type_hints(PointAsDataclass)
    assert [field_names(k) for k in (Point, PointAsDataclass, Named, dict)] == [
        ("x", "y", "marks"), ("x", "y", "marks"), ("label", "size"), None,
    ]  # fmt: skip
    assert (Point.__doc__, Point.__qualname__, Point.__module__) == ("A place.", "Point", __name__)


def test_it_matches_by_position() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("it did not match")


@pytest.mark.parametrize("record", [Point(1, 2, {"a": 1}), Named(label="a", size=1), Remembering((1, 2))])
def test_a_copy_is_equal(record: object) -> None:
    assert copy.copy(record) == copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record


def test_a_cached_property_is_computed_once() -> None:
    record = Remembering((1, 2))
    assert record.total == 3
    assert record.__dict__ == {"total": 3}
    assert record == Remembering((1, 2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.total = 4  # type: ignore[misc]


def test_to_make_records_loads_no_dataclasses() -> None:
    code = (
        "import sys\nfrom lockgate.records.frozen import frozen\n@frozen\nclass A:\n  x: int\n"
        "assert A(1) == A(1) and hash(A(1)) and repr(A(1)) == 'A(x=1)'\nassert 'dataclasses' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
