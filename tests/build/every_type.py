"""A small table, and a column of every type that Polars has, each with a null."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import polars as pl

FRAME = pl.DataFrame(
    {
        "product": ["a", None, "ü", ""],
        "units": [1, 2, None, -4],
        "price": [0.5, math.nan, None, -0.0],
        "date": [dt.date(2020, 1, 1), None, dt.date(1969, 12, 31), dt.date(2100, 1, 1)],
        "open": [True, None, False, True],
        "tags": [["x"], [], None, ["y", None]],
    }
)

EVERY_TYPE = {
    "i8": pl.Series([1, None], dtype=pl.Int8), "u64": pl.Series([2**64 - 1, None], dtype=pl.UInt64), "i128": pl.Series([1, None], dtype=pl.Int128),
    "f32": pl.Series([0.5, None], dtype=pl.Float32), "text": pl.Series(["ü", None]), "bytes": pl.Series([b"\x00\xff", None]),
    "truth": pl.Series([True, None]), "day": pl.Series([dt.date(2020, 1, 1), None]), "clock": pl.Series([dt.time(1, 2, 3), None]),
    "ms": pl.Series([dt.datetime(2020, 1, 1), None], dtype=pl.Datetime("ms")), "ns": pl.Series([1, None]).cast(pl.Datetime("ns", "Europe/London")),
    "span": pl.Series([dt.timedelta(days=1), None]), "money": pl.Series([Decimal("1.20"), None]), "category": pl.Series(["a", None], dtype=pl.Categorical),
    "enum": pl.Series(["a", None], dtype=pl.Enum(["a", "b"])), "list": pl.Series([[1, None], None]), "lists": pl.Series([[["a"], []], None]),
    "array": pl.Series([[1.0, -0.0], None], dtype=pl.Array(pl.Float64, 2)), "record": pl.Series([{"a": 1, "b": "x"}, None]),
    "records": pl.Series([[{"a": 1}], None]), "nothing": pl.Series([None, None]), "empty list": pl.Series([[], None], dtype=pl.List(pl.Int64)),
}  # fmt: skip
