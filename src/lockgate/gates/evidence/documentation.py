"""Did people write down what no machine can measure: what it is for, where it is wrong, who answers for it, until when?"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence

from lockgate.errors import UsageError, did_you_mean
from lockgate.gates.evidence import unmeasured
from lockgate.records.card import FIELDS, REQUIRED, REVIEW
from lockgate.records.digest import Json
from lockgate.records.evidence import Estimate, Evidence

__all__ = ["evidence"]

KIND = "documentation"
NAME = "fields_missing"
PLACE = "lockgate.toml, under [card]"
NOTHING_SAID = re.compile(
    r"[\W_]*(?:todo|tbd|tba|fixme|xxx+|lorem ipsum.*|n/?a|none|unknown|\?+|)[\W_]*", re.IGNORECASE | re.DOTALL
)


def evidence(
    card: Mapping[str, Json] | None, release: Mapping[str, Json], *, required: Sequence[str] = REQUIRED
) -> Evidence:
    """Look for each required field of the card; a text that only holds its place counts as missing.

    The review's day must lie after the release's as-of day. Raises UsageError for a field that no card has.
    """
    for name in required:
        if name not in FIELDS:
            raise UsageError("no such field of a model card", value=name, allowed=did_you_mean(name, FIELDS))
    if not required:
        return unmeasured(KIND, NAME, "no field is required, so there is nothing to look for")
    said = {name: _text(value) for name, value in (card or {}).items()}
    found = [(name, _fault(name, said.get(name), str(release["as_of"]))) for name in dict.fromkeys(required)]
    rows: list[dict[str, Json]] = [
        {"field": name, "fault": fault, "meaning": FIELDS[name]} for name, fault in found if fault
    ]
    return Evidence(
        gate=KIND, kind=KIND, rows=tuple(rows),
        statistic=Estimate(name=NAME, value=str(len(rows)), n=len(found), method="every required field read", unit="fields"),
        params={"required": [name for name, _ in found], "place": PLACE, "card": {n: said[n] for n, _ in found if n in said}},
    )  # fmt: skip


def _text(value: Json) -> str:
    """Several sentences as one text."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _fault(name: str, text: str | None, as_of: str) -> str:
    if text is None:
        return "not there"
    if NOTHING_SAID.fullmatch(text.strip()):
        return "says nothing"
    if name != REVIEW:
        return ""
    try:
        due = dt.date.fromisoformat(text.strip())
    except ValueError:
        return f"'{text}' is not a day (YYYY-MM-DD)"
    return "" if due > dt.date.fromisoformat(as_of) else f"was due on {due}"
