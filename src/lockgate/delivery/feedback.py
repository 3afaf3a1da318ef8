"""`feedback import FILE`: labels arrive, are kept, and are joined to what was served."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from lockgate.delivery.put import keep_copy
from lockgate.delivery.releases import manifest_of
from lockgate.errors import NotFound, UsageError, did_you_mean
from lockgate.monitoring.feedback import REQUEST_ID, Joined, Score, as_text, join, score
from lockgate.serving.log import read_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lockgate.project import Project
    from lockgate.records.prediction import Prediction
    from lockgate.records.release import FieldType

__all__ = ["import_feedback", "predictions"]

TRUTH = "actual"


def import_feedback(
    project: Project, file: Path, *, environment: str, answer: str | None = None
) -> tuple[Score, list[Joined], str]:
    """Read a CSV of `actual` and the request's fields, or `request_id`, keep it, and join it to an environment's answers.

    Where people may ask the same, only `request_id` tells their answers apart.

    Returns the score, the joined answers, and the response field that was held against `actual`.

    Raises:
        UsageError: a row whose `actual` is no number; a file without that column or without a request field.
    """
    served = predictions(project, environment)
    if not file.is_file():
        raise NotFound("no such file", value=str(file), allowed="a CSV with the request's fields and `actual`")
    keys, labels = _labels(file, _kinds(project, served))
    kept = keep_copy(project, file)
    project.results("feedback").put(
        f"feedback:{kept.rpartition(':')[2]}", {"object": kept, "name": file.name, "rows": len(labels)}
    )
    joined = join(served, labels, keys=keys)
    field = answer or _answer_field(project, served)
    return score(joined, answers=len(served), answer=field), joined, field


def predictions(project: Project, environment: str) -> list[Prediction]:
    """Every answer that this machine's servers gave in an environment."""
    return list(read_log(project.home / "predictions" / environment))


def _answer_field(project: Project, served: list[Prediction]) -> str:
    """The field that answers."""
    if not served:
        return ""
    spec = manifest_of(project, served[-1].release).predictor
    if spec.roles.answer is None:
        raise UsageError(
            "the release answers neither a number nor yes or no",
            value=", ".join(f.name for f in spec.response),
            next="lockgate feedback import FILE --answer FIELD",
        )
    return spec.roles.answer.name


def _kinds(project: Project, served: list[Prediction]) -> dict[str, FieldType]:
    """Field of the request → its type; nothing while nothing was served."""
    return {f.name: f.type for f in manifest_of(project, served[-1].release).predictor.request} if served else {}


def _labels(file: Path, kinds: Mapping[str, FieldType]) -> tuple[list[str], dict[tuple[str, ...], float]]:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        names = list(rows.fieldnames or ())
        if TRUTH not in names:
            raise UsageError(
                "the file has no column with what happened",
                value=f"{file.name}: {', '.join(names)}",
                allowed=f"a column `{TRUTH}`",
            )
        asked = [REQUEST_ID] if REQUEST_ID in names else list(kinds) or [n for n in names if n != TRUTH]
        if missing := [k for k in asked if k not in names]:
            raise UsageError(
                "the file lacks a field of the request", value=missing[0], allowed=did_you_mean(missing[0], names)
            )
        return asked, {
            tuple(_cell(row[k], kinds.get(k, "string")) for k in asked): _number(row[TRUTH], file.name, rows.line_num)
            for row in rows
        }


def _cell(text: str | None, kind: FieldType) -> str:
    """A cell as `as_text` would write the value."""
    given = (text or "").strip()
    if kind == "boolean":
        return given.casefold()
    try:
        return as_text(float(given)) if given and kind in ("number", "integer") else given
    except ValueError:
        return given


def _number(text: str | None, file: str, line: int) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError("not a number", value=f"{file}:{line}: {text!r}", allowed="what happened, e.g. 12")
    return number
