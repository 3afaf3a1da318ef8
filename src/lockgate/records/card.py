"""What a model card says that no machine can measure: written by people, in `lockgate.toml` under `[card]`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FIELDS", "REQUIRED", "REVIEW"]

FIELDS: Mapping[str, str] = {
    "intended": "what the answers are for, and who acts on them",
    "forbidden": "uses that are forbidden, or that nobody has looked at",
    "limits": "where it is known to be wrong",
    "owner": "the person or team that answers for it",
    "review_by": "the day by which somebody looks at all this again, YYYY-MM-DD",
    "licence": "under which terms it may be used",
}

REVIEW = "review_by"

REQUIRED = ("intended", "limits", "owner", REVIEW)
