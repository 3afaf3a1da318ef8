"""A sealed record opens as it was written, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.records.digest import Json, canonical, digest
from lockgate.records.sealed import opened, sealed

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts | st.sampled_from(["record", "key", "digest"]), values, max_size=4)
keys = texts | st.sampled_from(["blake3:" + "a" * 64, ',"record":', '"}', '\\",\\"record\\":'])

RECORD: dict[str, Json] = {"artifact": {"digest": "blake3:1", "size_bytes": 1}, "name": 'é "record":', "seconds": 0.5}
FILE = sealed("key", RECORD)


@given(keys, records)
def test_what_was_sealed_opens(key: str, record: dict[str, Json]) -> None:
    assert opened(sealed(key, record), key) == record


@given(keys, records)
def test_the_file_says_its_key_and_the_tagged_digest_of_key_and_record(key: str, record: dict[str, Json]) -> None:
    """The format that older versions wrote and will read."""
    content = {"digest": digest("result", [key, record]), "key": key, "record": record}
    assert sealed(key, record) == canonical(content)


@given(keys, keys, records)
def test_it_opens_under_its_own_key_only(key: str, other: str, record: dict[str, Json]) -> None:
    assert (opened(sealed(key, record), other) is None) == (key != other)


@pytest.mark.parametrize("at", range(len(FILE)))
def test_a_damaged_file_opens_as_nothing_else(at: int) -> None:
    changed = [FILE[:at] + bytes([byte]) + FILE[at + 1 :] for byte in (FILE[at] ^ 1, FILE[at] ^ 0x20, 0)]
    found = [opened(file, "key") for file in (*changed, FILE[:at], FILE[:at] + FILE[at + 1 :])]
    says_the_key = FILE.index(b'"key":') <= at < FILE.index(b',"record":')  # who asks knows the key
    assert all(r is None or (says_the_key and r == RECORD) for r in found)


def test_a_file_in_another_layout_opens_while_its_digest_holds() -> None:
    """Older versions did not write the key; a person may have indented it."""
    older = {"digest": digest("result", ["key", RECORD]), "record": RECORD}
    indented = [json.dumps(content, indent=2).encode() for content in (older, json.loads(FILE))]
    for file in (canonical(older), *indented):
        assert opened(file, "key") == RECORD
        assert opened(file, "other") is None
    assert opened(canonical({**older, "record": {**RECORD, "seconds": 0.6}}), "key") is None


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"digest":1,"record":{}}'])
def test_anything_else_does_not_open(file: bytes) -> None:
    assert opened(file, "key") is None
