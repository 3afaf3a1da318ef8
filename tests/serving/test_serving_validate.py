"""The validation table: what was given, what is said about it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.records.release import ChoicesSchema, FieldSchema, FieldType, HorizonSchema
from lockgate.release.schema import DateRange
from lockgate.serving.validate import Allowed, ChoiceIndex, check, from_text

FIRST, LAST = dt.date(2011, 10, 16), dt.date(2011, 11, 17)


def _field(name: str, kind: FieldType, **more: Any) -> FieldSchema:
    return FieldSchema(name=name, type=kind, label=name.capitalize(), **more)


FIELDS = (
    _field("product", "string", choices=ChoicesSchema(state="history", column="product", label="title")),
    _field("date", "date", horizon=HorizonSchema(days=28)),
    _field("price", "number", required=False),
    _field("count", "integer", required=False, default=1),
    _field("gift", "boolean", required=False, default=False),
)
INDEX = ChoiceIndex([("85123A", "WHITE HANGING HEART"), ("22423", "CAKESTAND 3 TIER"), ("22424", "CAKESTAND 3 TIER")])
ALLOWED = Allowed(
    choices={"product": INDEX}, dates={"date": DateRange(first=FIRST, last=LAST, closed={FIRST: "Sunday"})}
)
GOOD: dict[str, Any] = {"product": "85123A", "date": "2011-10-20"}


@pytest.mark.parametrize(
    ("change", "field", "allowed", "message"),
    [
        ({"date": "2011-10-15"}, "date", "2011-10-16 to 2011-11-17", "from Sun 16 Oct 2011 to Thu 17 Nov 2011"),
        ({"date": "2011-11-18"}, "date", "2011-10-16 to 2011-11-17", "from Sun 16 Oct 2011 to Thu 17 Nov 2011"),
        ({"date": "soon"}, "date", "2011-10-16 to", "written like"),
        ({"date": "20111020"}, "date", "2011-10-16 to", "written like"),
        ({"date": "2011-W42-4"}, "date", "2011-10-16 to", "written like"),
        ({"date": 20111020}, "date", "2011-10-16 to", "written like"),
        ({"date": None}, "date", "2011-10-16 to", "Date is missing"),
        ({"product": "85123B"}, "product", "one of 3 values: /choices?field=product", "Did you mean 85123A (WHITE"),
        ({"product": "heart"}, "product", "one of 3", "Did you mean 85123A"),
        ({"product": ""}, "product", "one of 3", "There is no product"),
        ({"product": 85123}, "product", "one of 3", "must be text"),
        ({"product": None}, "product", "one of 3", "Product is missing"),
        ({"price": "12"}, "price", "a number", "must be a number"),
        ({"price": True}, "price", "a number", "must be a number"),
        ({"price": float("inf")}, "price", "a number", "must be a number"),
        ({"count": 1.5}, "count", "a whole number", "must be a whole number"),
        ({"count": 2**63}, "count", "a whole number", "must be a whole number"),
        ({"price": 10**400}, "price", "a number", "must be a number"),
        ({"count": True}, "count", "a whole number", "must be a whole number"),
        ({"gift": 1}, "gift", "true or false", "must be true or false"),
        ({"porduct": "x"}, "porduct", "product, date", "Did you mean product?"),
        ({"zzz": "x"}, "zzz", "product, date", "There is no field"),
    ],
)
def test_one_wrong_field_gives_one_error(change: dict[str, Any], field: str, allowed: str, message: str) -> None:
    (error,) = check(GOOD | change, fields=FIELDS, allowed=ALLOWED).errors
    assert error.field == field
    assert error.value == change[field]
    assert allowed in error.allowed
    assert message in error.message


@pytest.mark.parametrize("raw", [None, 1, "x", [], [GOOD]])
def test_what_is_not_an_object_is_said_to_be_none(raw: Any) -> None:
    (error,) = check(raw, fields=FIELDS, allowed=ALLOWED).errors
    assert "not an object" in error.message


def test_good_requests_are_typed_and_defaults_filled() -> None:
    checked = check(GOOD | {"price": 3}, fields=FIELDS, allowed=ALLOWED)
    assert checked.errors == ()
    assert checked.values == {
        "product": "85123A",
        "date": dt.date(2011, 10, 20),
        "price": 3.0,
        "count": 1,
        "gift": False,
    }
    assert isinstance(checked.values["price"], float)


def test_both_ends_and_closed_days_are_allowed() -> None:
    for day in (FIRST, LAST):
        assert not check(GOOD | {"date": day.isoformat()}, fields=FIELDS, allowed=ALLOWED).errors


def test_every_wrong_field_is_named_at_once() -> None:
    errors = check({"date": "x", "extra": 1}, fields=FIELDS, allowed=ALLOWED).errors
    assert [e.field for e in errors] == ["product", "date", "extra"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("85123a", "85123A"),
        ("white hanging heart", "85123A"),
        ("85123A WHITE HANGING HEART", "85123A"),
        (" 85123A ", "85123A"),
        ("cakestand 3 tier", "cakestand 3 tier"),  # two products have this name: not guessed
    ],
)
def test_people_may_type_a_name(typed: str, meant: str) -> None:
    assert from_text({"product": typed}, fields=FIELDS, allowed=ALLOWED) == {"product": meant}


def test_form_text_is_read_by_type_and_what_cannot_be_read_stays() -> None:
    read = from_text(
        {"price": "2.5", "count": "three", "gift": "on", "date": "", "new": ""}, fields=FIELDS, allowed=ALLOWED
    )
    assert read == {"price": 2.5, "count": "three", "gift": True, "new": ""}
    for text in ("nan", "inf", "1e999"):  # an answer in JSON could not say them back
        assert from_text({"price": text}, fields=FIELDS, allowed=ALLOWED) == {"price": text}


def test_search_finds_every_word_and_begins_with_what_begins() -> None:
    assert [c.value for c in INDEX.search("tier cake")] == ["22423", "22424"]
    assert [c.value for c in INDEX.search("2", limit=1)] == ["22423"]
    assert INDEX.search("nothing") == []
    assert len(INDEX.search("")) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=4
)


@given(st.dictionaries(st.sampled_from([f.name for f in FIELDS]) | st.text(max_size=9), JSON))
def test_any_json_is_either_typed_or_explained(raw: dict[str, Any]) -> None:
    checked = check(raw, fields=FIELDS, allowed=ALLOWED)
    assert checked.errors or set(checked.values) == {f.name for f in FIELDS}
    for error in checked.errors:
        assert error.message
        assert error.allowed


@given(st.dictionaries(st.sampled_from([f.name for f in FIELDS]), st.text(max_size=20)))
def test_any_text_is_either_typed_or_explained(given_text: dict[str, str]) -> None:
    checked = check(from_text(given_text, fields=FIELDS, allowed=ALLOWED), fields=FIELDS, allowed=ALLOWED)
    assert checked.errors or checked.values["date"]
