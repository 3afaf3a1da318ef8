"""Literal digests: a refactor cannot silently invalidate every cache, approval and release."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from lockgate import codecs
from lockgate.records.digest import canonical, digest, digest_bytes, sha256_bytes
from lockgate.records.evidence import Estimate, Evidence, GroupEstimate
from lockgate.records.wire import from_json, to_json

FRAME = pl.DataFrame(
    {"day": [dt.date(2011, 10, 15), None], "units": [1.5, float("nan")], "name": ["é", ""], "new": [True, None]}
)
PINNED = {
    "tagged": "blake3:5a5a10a38d4961d768caeb9d9b370ab54c6003b3fa59f34ff56fdeb03e21e67e",
    "table": "blake3:10e17932fd734c67eca1a483a965ce44a52f89c88b199df5fff2026f083fb219",
    "json": "blake3:c86cb2d425a7190e5392e5a6630e0d5e9c99853dabad8375fbfffe56f384fe32",
}


def _now() -> dict[str, str]:
    return {
        "tagged": digest("step", {"b": 1, "a": [None, True, "é"]}),
        "table": codecs.identity("polars.ipc", FRAME),
        "json": codecs.identity("json", {"x": 1.0, "y": [1, 2]}),
    }


def test_digests_are_what_they_always_were() -> None:
    assert _now() == PINNED


def test_a_tag_is_part_of_the_digest() -> None:
    assert digest("step", {}) != digest("table", {}) != digest_bytes(b"{}")


def test_identity_is_of_the_values_not_of_the_chunks_or_the_file(tmp_path) -> None:
    chunked = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    codecs.save("polars.ipc", FRAME, tmp_path / "t.arrow")
    read = codecs.load("polars.ipc", tmp_path / "t.arrow", pl.DataFrame)
    assert codecs.identity("polars.ipc", chunked) == codecs.identity("polars.ipc", read) == PINNED["table"]


def test_identity_sees_order_null_type_and_name() -> None:
    others = [
        FRAME.reverse(),
        FRAME.rename({"units": "pieces"}),
        FRAME.with_columns(pl.col("units").cast(pl.Float32)),
        FRAME.with_columns(pl.col("name").replace("", None)),
        FRAME.select(FRAME.columns[::-1]),
    ]
    found = {codecs.identity("polars.ipc", f) for f in (FRAME, *others)}
    assert len(found) == 1 + len(others)


def test_sha256_is_for_the_outside_world() -> None:
    assert sha256_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_equal_values_have_equal_bytes_and_only_they(a, b) -> None:
    assert (canonical(a) == canonical(b)) == (repr_of(a) == repr_of(b))


def repr_of(value):
    """Equality that tells True from 1."""
    if isinstance(value, dict):
        return {k: repr_of(v) for k, v in value.items()}
    if isinstance(value, list):
        return [repr_of(v) for v in value]
    return (type(value).__name__, value)


@given(
    st.dictionaries(st.text(min_size=1, max_size=6).map(lambda s: f"new-{s}"), json_values, max_size=3),
    st.text(max_size=9),
)
def test_a_record_of_a_newer_writer_comes_back_whole(extra, name) -> None:
    estimate = Estimate(name=name, value="0.5", low="0.4", high="0.6", n=3)
    record = Evidence(
        gate="g", kind="k", statistic=estimate, groups=(GroupEstimate(by="b", group=name, estimate=estimate),)
    )
    written = {**to_json(record), **extra}
    assert to_json(from_json(Evidence, written)) == written
