"""The reference population of a gate: group → share, stated in the declaration or read from a file of the project."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from lockgate.errors import NotFound, UsageError

__all__ = ["population"]

WHAT = "a reference population is wrong"
SUFFIXES = (".json", ".csv")


def population(reference: Mapping[str, Any] | str) -> dict[str, str]:
    """Shares as decimal strings. Raises NotFound for a file that is not there, UsageError for what is no population.

    >>> population({"women": 0.51, "men": "0.49"})
    {'women': '0.51', 'men': '0.49'}
    """
    stated = _read(Path(reference)) if isinstance(reference, str) else reference
    if not stated:
        raise UsageError(WHAT, value="no group at all", allowed='{"women": 0.51, "men": 0.49}')
    shares = {str(group): _share(str(group), value) for group, value in stated.items()}
    if (total := sum(shares.values())) > Decimal("1.000001"):
        raise UsageError(WHAT, value=f"the shares add up to {total:f}", allowed="at most 1")
    return {group: format(share, "f") for group, share in shares.items()}


def _share(group: str, value: Any) -> Decimal:
    try:
        share = Decimal(str(value).strip())
    except InvalidOperation:
        share = Decimal("NaN")
    if isinstance(value, bool) or not share.is_finite() or not 0 <= share <= 1:
        raise UsageError(WHAT, value=f"{group}: {value!r}", allowed="a share between 0 and 1")
    return share


def _read(path: Path) -> Mapping[str, Any]:
    """`{group: share}` of a JSON object, or of a CSV with the columns `group` and `share`."""
    if path.suffix not in SUFFIXES:
        raise UsageError(WHAT, value=str(path), allowed="a mapping, a .json or a .csv file")
    if not path.is_file():
        raise NotFound(
            "no such reference population", value=str(path), allowed="a path relative to the project's folder"
        )
    text = path.read_text(encoding="utf-8-sig")
    found = _from_json(text, path) if path.suffix == ".json" else _from_csv(text, path)
    return {str(k): v for k, v in found.items()}


def _from_json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_float=str)
    except ValueError as error:
        raise UsageError(WHAT, value=f"{path}: {error}", allowed="a JSON object of group and share") from error
    if not isinstance(found, dict):
        raise UsageError(WHAT, value=f"{path}: not an object", allowed="a JSON object of group and share")
    return cast("dict[str, Any]", found)


def _from_csv(text: str, path: Path) -> dict[str, Any]:
    rows = csv.DictReader(text.splitlines())
    if not {"group", "share"} <= set(rows.fieldnames or ()):
        raise UsageError(
            WHAT, value=f"{path}: {', '.join(rows.fieldnames or ())}", allowed="the columns group and share"
        )
    found: dict[str, Any] = {}
    for row in rows:
        if row["group"] in found:
            raise UsageError(WHAT, value=f"{path}: {row['group']} twice", allowed="each group once")
        found[row["group"]] = row["share"] or ""
    return found
