"""Spans of time as people write them."""

from __future__ import annotations

import re

__all__ = ["seconds"]

SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Seconds of a span. Raises ValueError for anything else.

    >>> seconds("0.5s"), seconds("2m")
    (0.5, 120.0)
    """
    found = SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    return float(found[1]) * UNITS_S[found[2]]
