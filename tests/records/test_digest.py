"""Literal digests, so that no refactoring silently makes every cache useless. If one must change, say so in the release notes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockgate.build.fingerprint import fingerprint
from lockgate.records.digest import canonical, digest, digest_bytes, digest_file, sha256_bytes, sha256_file, short
from lockgate.records.graph import Definition, Node

VALUE = {"b": 1, "a": [True, None, 1.0, -0.5, "é\u2028\n"], "c": {}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_canonical_json_is_pinned() -> None:
    assert canonical(VALUE) == '{"a":[true,null,1.0,-0.5,"é\u2028\\n"],"b":1,"c":{}}'.encode()


def test_digests_are_pinned() -> None:
    assert digest("step", VALUE) == "blake3:79eceae72e9b7e76d05b0689af78100e1115804c4f2c624c7db12cc022819dc9"
    assert digest("table", VALUE) == "blake3:657d6057c891eb8c48f118409a67c7fe469a91c8ba5415c03466beea3e6e7f83"
    assert digest_bytes(b"lockgate") == "blake3:67ffa137b400d6b0eeb2e0e0bc465f6f331af338bbfbbeabe53c1ec1b45f2b17"
    assert sha256_bytes(b"lockgate") == "sha256:be0a1919133a2832a94a802afef27b4ab16403255d642cecb68d71b83c8c43fb"


def test_a_fingerprint_is_pinned() -> None:
    node = Node(
        name="sales.clean", target="shop.steps:clean", inputs={"sales": "source:sales"}, input_types={"sales": "pathlib:Path"},
        parameters={"level": 2}, type="polars.dataframe.frame:DataFrame", codec="polars.ipc",
        definitions=(Definition("shop.steps.clean", "shop/steps.py", 3, "blake3:00"),), packages=("polars==2.1.0",),
    )  # fmt: skip
    found = fingerprint(node, {"sales": "blake3:11"}, {"level": 2}, interpreter="cpython-3.11.7-linux-x86_64")
    assert found == "blake3:482d1fc423d22c7a452b23947193b39e8a19cd2e5a8a691f3393bc896dd8ee7e"


def test_a_tag_tells_kinds_apart() -> None:
    assert digest("step", {}) != digest("table", {})
    assert digest("a", ["b"]) != digest("ab", [""])


@given(json_values, json_values)
def test_equal_bytes_are_equal_values(one: object, other: object) -> None:
    """1, 1.0 and True are equal to Python and three values here."""
    assert (canonical(one) == canonical(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: object) -> object:
    if isinstance(value, dict):
        return ("dict", sorted((k, repr_of(v)) for k, v in value.items()))
    if isinstance(value, list):
        return ("list", [repr_of(v) for v in value])
    return (type(value).__name__, repr(value))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {"x": float("-inf")}])
def test_what_is_no_number_has_no_digest(bad: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest("x", bad)


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 9000])
def test_files_and_bytes_agree(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "with space ü"
    path.write_bytes(data)
    assert digest_file(path) == digest_bytes(data)
    assert sha256_file(path) == sha256_bytes(data)
    assert len(short(digest_bytes(data))) == 12
