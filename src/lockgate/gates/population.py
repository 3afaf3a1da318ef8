"""The reference population of a gate: group → share, stated in the declaration or read from a file of the project."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
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
    for group in stated:
        if not str(group).strip():
            raise UsageError(WHAT, value="a group without a name", allowed="a name for each group")
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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        at = f"{path}: byte {error.start + 1} is no UTF-8"
        raise UsageError(WHAT, value=at, allowed="a file saved as UTF-8 (a spreadsheet says “CSV UTF-8”)") from error
    found = _from_json(text, path) if path.suffix == ".json" else _from_csv(text, path)
    return {str(k): v for k, v in found.items()}


def _from_json(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_float=str, object_pairs_hook=lambda pairs: _once(pairs, path))
    except (ValueError, RecursionError) as error:
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
    return _once(((row["group"] or "", row["share"] or "") for row in rows), path)


def _once(pairs: Iterable[tuple[str, Any]], path: Path) -> dict[str, Any]:
    """Of two shares of one group nobody knows which was meant."""
    found: dict[str, Any] = {}
    for group, share in pairs:
        if group in found:
            raise UsageError(WHAT, value=f"{path}: {group} twice", allowed="each group once")
        found[group] = share
    return found
